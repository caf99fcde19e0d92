//! `--process`: engines write the process down whole.

use std::fs;

use integration::{Bench, Container, Probe, Runtime, Tool};
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

/// A shell's `<(…)`: a path to a pipe that only this process has open.
#[test]
fn a_process_can_come_through_a_pipe() {
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &bundle(&bench, "piped"));
    let process = json!({ "cwd": "/etc", "args": ["sh", "-c", "pwd"], "env": ["PATH=/bin"], "user": { "uid": 0, "gid": 0 } });
    let mut runtime = bench.runtime();
    let words: Vec<_> = runtime
        .command()
        .get_args()
        .map(ToOwned::to_owned)
        .collect();
    let program = runtime.command().get_program().to_owned();
    let script = r#"process=$1 id=$2; shift 2; "$@" exec --process <(printf %s "$process") "$id""#;
    let outcome = Tool::new("bash")
        .args(["-c", script, "bash", &process.to_string(), &container.id])
        .arg(program)
        .args(words)
        .expect(0);
    assert_eq!(outcome.stdout, "/etc\n", "{outcome}");
}
