//! TIOCSTI types on the caller's terminal (CVE-2017-5226), also with bits set in the upper half of the request, which
//! a 64-bit comparison overlooks (CVE-2019-10063).

use integration::terminal::Terminal;
use integration::{Bench, Container, Probe, Runtime, Tool, plain};
use serde_json::{Value, json};

/// The session and the controlling terminal of who asks; 0 for a session that began outside of its pid namespace.
const ASK: &str = "busybox cut -d ' ' -f 6,7 /proc/self/stat";

/// In the caller's session the caller's terminal would be the command's own to type on.
#[test]
fn a_command_is_in_a_session_of_its_own_without_the_callers_terminal() {
    let bench = Bench::new();
    let terminal = Terminal::open();
    let seen = |tool: Tool| {
        let outcome = tool.terminal(&terminal).expect(0);
        let words = outcome.stdout.split_whitespace();
        let [session, device] = words
            .map(|word| word.parse::<u64>().expect("a number"))
            .collect::<Vec<_>>()[..]
        else {
            panic!("{outcome}");
        };
        (session, device)
    };
    let control = ["--pid", "--fork", "--mount-proc", "sh", "-c", ASK];
    let (session, device) = seen(Tool::new("unshare").args(control));
    assert!(session == 0 && device != 0, "{session} {device}");

    let busybox = json!({ "name": "busybox", "executable": "/usr/bin/busybox" });
    let sealed = bench.sealed("sealed", &busybox, &["sh", "-c", ASK]);
    let plain = plain::bundle(&bench, "plain", &["sh", "-c", ASK]);
    let held = plain::bundle(&bench, "held", &["sleep", "1000"]);
    let container = Container::started(&bench, Runtime::Ours, &held);
    for (what, tool) in [
        ("sealed", sealed.run(&bench)),
        ("plain", plain.run(&bench)),
        ("exec", container.exec(&["sh", "-c", ASK])),
    ] {
        let (session, device) = seen(tool);
        assert!(session != 0 && device == 0, "{what}: {session} {device}");
    }
}

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
