//! Each row of the promise taken away from a sealed bundle, in every way that we know: `check` names the
//! row, `run` and `create` refuse the bundle, and nothing is left.

use integration::weaken::{self, Weakening};
use integration::{Bench, Bundle, Probe};
use serde_json::{Value, json};

fn refuses_without(row: &str) {
    let bench = Bench::new();
    let bundle = bench.sealed("bundle", &Probe::on(&bench).command(), &["look"]);
    let whole = bundle.spec();
    bundle.check(&bench).expect(0);
    for weakening in weaken::of(row) {
        bundle.set_spec(&whole).edit(weakening.apply);
        check_names(&bench, &bundle, weakening);
        run_and_create_refuse(&bench, &bundle, weakening);
    }
}

fn check_names(bench: &Bench, bundle: &Bundle, weakening: Weakening) {
    let outcome = bundle.check(bench).run();
    assert_eq!(outcome.code, Some(1), "{weakening:?}: {outcome}");
    let report: Value = serde_json::from_str(&outcome.stdout).expect("JSON");
    let broken: Vec<&str> = report["rows"]
        .as_array()
        .expect("rows")
        .iter()
        .filter(|row| !row["broken"].as_array().expect("findings").is_empty())
        .filter_map(|row| row["protection"].as_str())
        .collect();
    assert!(broken.contains(&weakening.row), "{weakening:?}: {broken:?}");
}

fn run_and_create_refuse(bench: &Bench, bundle: &Bundle, weakening: Weakening) {
    for tool in [bundle.run(bench), bundle.create(bench, "refused")] {
        let outcome = tool.run();
        assert_eq!(outcome.code, Some(125), "{weakening:?}: {outcome}");
        assert_eq!(outcome.stdout, "", "{weakening:?}: it ran: {outcome}");
        let line = outcome.one_line();
        assert!(
            line.contains("says that it is sealed and isn't")
                && line.contains(&format!("{}:", weakening.row)),
            "{weakening:?}: {line}"
        );
        bench.assert_nothing_left_by(&outcome);
        bench.assert_gone("refused");
    }
}

macro_rules! rows {
    ($($name:ident => $row:literal)*) => {$(
        #[test]
        fn $name() {
            refuses_without($row);
        }
    )*};
}

rows! {
    without_no_privilege => "no privilege"
    without_none_to_gain => "none to gain"
    without_setuid_is_dead => "setuid is dead"
    without_no_devices => "no devices"
    without_few_system_calls => "few system calls"
    without_nobody => "nobody"
    without_own_world => "own world"
    without_no_way_back => "no way back"
    without_nothing_inherited => "nothing inherited"
    without_bounded => "bounded"
}

#[test]
fn an_unknown_promise_is_refused_and_not_guessed_at() {
    let bench = Bench::new();
    let bundle = bench.sealed("bundle", &Probe::on(&bench).command(), &["look"]);
    for kind in ["", "Sealed", "opt-server ", "stronger"] {
        bundle.edit(|spec| spec["annotations"]["org.opt-runtime.sealed"] = kind.into());
        for tool in [bundle.run(&bench), bundle.check(&bench)] {
            let outcome = tool.expect(125);
            assert!(outcome.one_line().contains("not a promise"), "{outcome}");
        }
    }
}

#[test]
fn a_disk_under_a_harmless_devices_name_is_refused() {
    let bench = Bench::new();
    let bundle = bench.sealed("bundle", &Probe::on(&bench).command(), &["look"]);
    bundle.edit(|spec| {
        let disk = json!({ "path": "/dev/null", "type": "b", "major": 254, "minor": 0 });
        spec["linux"]["devices"] = json!([disk]);
    });
    bundle.check(&bench).expect(1).says("/dev/null");
    bundle.run(&bench).expect(125);
}
