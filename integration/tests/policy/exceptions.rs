//! Exceptions by annotation, where the site allows them.

use integration::{Bench, Probe};
use serde_json::json;

use super::{EXCEPTION, ask_for, assert_strict, like_podmans, run, seal, sealing};

#[test]
fn an_exception_is_had_where_the_site_allows_it_and_nowhere_else() {
    let bench = Bench::new();
    let bundle = like_podmans(&bench, "plain");
    let elsewhere = bench.directory("elsewhere");
    for (exception, shown) in [
        ("root", "\"root\""),
        ("capability.CAP_SYS_ADMIN", "CAP_SYS_ADMIN"),
        ("device./dev/fuse", "/dev/fuse"),
        ("system-call.unshare", "unshare"),
    ] {
        ask_for(&bundle, &[exception]);
        bench.assert_refused(&run(&bench, &bundle, &sealing(&bench, "")), shown);
        let there = format!("[[exception]]\nallow = \"{exception}\"\nbundles = [{elsewhere:?}]\n");
        bench.assert_refused(&run(&bench, &bundle, &sealing(&bench, &there)), shown);
    }
    ask_for(&bundle, &["everything"]);
    bench.assert_refused(
        &run(&bench, &bundle, &sealing(&bench, "")),
        "\"everything\"",
    );

    // A bundle that is sealed by itself has no more of a say.
    let sealed = seal(&bench, &like_podmans(&bench, "other"), "sealed");
    sealed.edit(|spec| spec["annotations"][format!("{EXCEPTION}root")] = json!("please"));
    bench.assert_refused(&sealed.run(&bench).run(), "\"root\"");
    let outcome = sealed.run(&bench).args(["--policy", "off"]).run();
    bench.assert_refused(&outcome, "\"root\"");
}

#[test]
fn what_is_excepted_works_and_the_rest_is_as_strict_as_ever() {
    let bench = Bench::new();
    let bundle = like_podmans(&bench, "plain");
    let here = bench.path("");
    let allow = |what: &str| format!("[[exception]]\nallow = \"{what}\"\nbundles = [{here:?}]\n");

    ask_for(&bundle, &["capability.CAP_NET_BIND_SERVICE"]);
    let file = sealing(&bench, &allow("capability.CAP_NET_BIND_SERVICE"));
    let report = Probe::report(&run(&bench, &bundle, &file));
    let status = &report["status"];
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert_eq!(status[set], "0000000000000400", "{set}");
    }
    assert_eq!(
        (&status["NoNewPrivs"], &status["Seccomp"]),
        (&json!("1"), &json!("2"))
    );
    assert_eq!(report["ids"]["uid"], 65_534);

    ask_for(&bundle, &["root"]);
    let report = Probe::report(&run(&bench, &bundle, &sealing(&bench, &allow("root"))));
    assert_strict(&report);
    assert_eq!(report["ids"]["uid"], 0);

    ask_for(&bundle, &["device./dev/fuse"]);
    bundle.edit(|spec| {
        let device =
            json!({ "path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 438 });
        spec["linux"]["devices"] = json!([device]);
    });
    let report = Probe::report(&run(
        &bench,
        &bundle,
        &sealing(&bench, &allow("device./dev/fuse")),
    ));
    assert_strict(&report);
    assert!(report["devices"].to_string().contains("\"fuse\""));
    bundle.edit(|spec| spec["linux"]["devices"] = json!([]));

    let tries_unshare = || {
        bundle.edit(|spec| {
            spec["process"]["args"] = json!(["/bin/busybox", "unshare", "-U", "true"])
        });
    };
    tries_unshare();
    ask_for(&bundle, &[]);
    let outcome = run(&bench, &bundle, &sealing(&bench, ""));
    assert_eq!(outcome.code, Some(1), "{outcome}");
    ask_for(&bundle, &["system-call.unshare"]);
    let outcome = run(
        &bench,
        &bundle,
        &sealing(&bench, &allow("system-call.unshare")),
    );
    assert_eq!(outcome.code, Some(0), "{outcome}");
}
