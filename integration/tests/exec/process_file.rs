//! `--process`: engines write the process down whole.

use std::fs;

use integration::{Bench, Container, Probe, Runtime};
use serde_json::json;

use super::bundle;

/// containerd and podman write the process down whole.
#[test]
fn a_process_file_replaces_all_that_the_bundle_says() {
    let bench = Bench::new();
    let bundle = bundle(&bench, "plain");
    bundle.edit(|spec| spec["process"]["noNewPrivileges"] = json!(true));
    let container = Container::started(&bench, Runtime::Ours, &bundle);
    let process = json!({
        "user": { "uid": 12, "gid": 34, "additionalGids": [56] },
        "args": ["probe", "look"],
        "env": ["PATH=/bin", "ONLY=this"],
        "cwd": "/etc",
        "oomScoreAdj": 500,
    });
    let file = bench.file("process.json", process.to_string());
    let options = ["--process", file.to_str().expect("UTF-8")];
    let report = Probe::report(&container.exec_with(&options, &[]).run());
    assert_eq!(report["ids"]["uid"], 12);
    assert_eq!(report["ids"]["gid"], 34);
    assert_eq!(report["ids"]["groups"], json!([56]));
    assert_eq!(report["cwd"], "/etc");
    assert_eq!(report["oom_score_adj"], "500");
    assert_eq!(report["status"]["NoNewPrivs"], "0");
    assert_eq!(
        report["environment"],
        json!(["PATH=/bin", "ONLY=this", "HOME=/"])
    );
    for (text, said) in [
        ("{", "process.json"),
        ("{\"cwd\": 3}", "process.json"),
        (
            "{\"cwd\": \"/\", \"user\": {\"uid\": 0, \"gid\": 0}}",
            "args",
        ),
        (
            "{\"cwd\": \"x\", \"args\": [\"id\"], \"user\": {}}",
            "absolute",
        ),
    ] {
        fs::write(&file, text).expect("write");
        let refused = container.exec_with(&options, &[]).expect(125);
        assert!(refused.one_line().contains(said), "{refused}");
    }
}
