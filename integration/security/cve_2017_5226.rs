//! TIOCSTI types on the caller's terminal (CVE-2017-5226), also with bits set in the upper half of the request, which
//! a 64-bit comparison overlooks (CVE-2019-10063).

use integration::terminal::Terminal;
use integration::{Bench, Probe};
use serde_json::Value;

#[test]
fn nobody_types_on_the_callers_terminal() {
    let bench = Bench::new();
    let bundle = bench.sealed("bundle", &Probe::on(&bench).command(), &["try", "terminal"]);
    let terminal = Terminal::open();
    let report = Probe::report(&bundle.run(&bench).terminal(&terminal).run());
    for name in [
        "TIOCSTI",
        "TIOCSTI, upper half set",
        "TIOCLINUX",
        "TIOCSETD",
    ] {
        assert_eq!(report[name], "EPERM", "{name}");
    }
    assert_eq!(report["window size"], "ok 0", "it has no terminal at all");
    bundle
        .without_promise()
        .edit(|spec| spec["linux"]["seccomp"] = Value::Null);
    let report = Probe::report(&bundle.run(&bench).terminal(&terminal).run());
    // The kernel refuses TIOCSTI by itself where the terminal isn't the caller's controlling one.
    assert_eq!(report["TIOCLINUX"], "ENOTTY", "{report}");
    assert_eq!(report["TIOCSETD"], "EINVAL", "{report}");
}
