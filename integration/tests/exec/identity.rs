//! Who a command is and what it may do.

use integration::{Bench, Container, Runtime};
use serde_json::json;

use super::{bundle, look};

/// S6, T1 and CVE-2022-29162: compared with runc, which has them right.
#[test]
fn identity_and_privileges_are_as_with_runc() {
    let bench = Bench::new();
    let bundle = bundle(&bench, "identity");
    bundle.edit(|spec| {
        spec["process"]["user"] = json!({ "uid": 1000, "gid": 1000, "additionalGids": [7, 9] });
        spec["process"]["cwd"] = json!("/tmp");
        let some = json!(["CAP_CHOWN", "CAP_KILL"]);
        spec["process"]["capabilities"] = json!({
            "bounding": some, "permitted": some, "effective": some,
        });
        spec["process"]["rlimits"] = json!([
            { "type": "RLIMIT_NOFILE", "soft": 200, "hard": 300 },
        ]);
    });
    let ours = Container::started(&bench, Runtime::Ours, &bundle);
    let runc = Container::started(&bench, Runtime::Runc, &bundle);
    for options in [
        &[][..],
        &["--user", "0"],
        &["--user", "7:8", "--additional-gids", "3"],
        &["--cap", "CAP_NET_RAW", "--user", "0"],
        &["--no-new-privs"],
        &["--cwd", "/etc", "--env", "A=1"],
    ] {
        let (ours, theirs) = (look(&ours, options), look(&runc, options));
        for line in [
            "CapInh",
            "CapPrm",
            "CapEff",
            "CapBnd",
            "CapAmb",
            "NoNewPrivs",
            "Uid",
            "Gid",
            "Groups",
            "Seccomp",
        ] {
            assert_eq!(
                ours["status"][line], theirs["status"][line],
                "{options:?} {line}"
            );
        }
        for fact in ["cwd", "ids", "hostname", "core_limit", "environment"] {
            assert_eq!(ours[fact], theirs[fact], "{options:?} {fact}");
        }
        assert_eq!(ours["descriptors"].as_object().expect("a map").len(), 3);
    }
    // This runc gives the hard limit for both: its Go raises its own.
    let limits = ours.shell("ulimit -Sn; ulimit -Hn");
    assert_eq!(limits.stdout, "200\n300\n", "{limits}");
}

#[test]
fn a_bundle_that_gives_no_capability_gives_none_to_exec() {
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &bundle(&bench, "plain"));
    for options in [&[][..], &["--user", "1000:1000"]] {
        let report = look(&container, options);
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(report["status"][set], "0000000000000000", "{set}");
        }
        assert_eq!(report["status"]["Groups"], "");
    }
}
