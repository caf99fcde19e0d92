//! Hooks that fail: what that stops, and what it doesn't.

use integration::Runtime;
use serde_json::json;

use super::{add, add_log, log};
use crate::harness::{Case, Stage, ensure, ensure_eq, hold};

/// A hook of `kind` that fails, before one that would write its name.
fn add_failing(stage: &Stage, kind: &str) -> String {
    let directory = add_log(stage);
    add(stage, kind, "cat >/dev/null; echo it hurts >&2; exit 3");
    add(
        stage,
        kind,
        &format!("cat >/dev/null; echo second >>{directory}/order"),
    );
    stage.edit(|spec| {
        spec["process"]["args"] = json!(["sh", "-c", format!("echo process >>{directory}/order")]);
    });
    directory
}

#[test]
fn in_each_place() {
    let stops_create = |kind: &'static str| {
        Case::steps(kind, move |stage| {
            add_failing(stage, kind);
            let outcome = stage.create_with(&stage.id, &[]);
            ensure!(outcome.code != Some(0), "it is created: {outcome}");
            ensure_eq!(log(stage, "order"), "", "order");
            if stage.runtime == Runtime::Ours {
                let told =
                    format!("error running {kind} hook #0: /bin/sh: exit status: 3 it hurts");
                ensure!(outcome.stderr.contains(&told), "not why: {outcome}");
            }
            stage.must_not("state", &[])
        })
    };
    let is_passed_over = |kind: &'static str| {
        Case::steps(kind, move |stage| {
            add_failing(stage, kind);
            stage.create()?;
            stage.start()?;
            stage.wait_for("stopped")?;
            stage.must("delete", &[])?;
            let order = log(stage, "order");
            ensure!(
                order.contains("process\n") && order.contains("second\n"),
                "{order}"
            );
            Ok(())
        })
    };
    hold(&[
        stops_create("prestart"),
        stops_create("createRuntime"),
        stops_create("createContainer"),
        Case::steps(
            "startContainer is an error of start, and the command doesn't run",
            |stage| {
                add_failing(stage, "startContainer");
                stage.create()?;
                stage.must_not("start", &[])?;
                stage.wait_for("stopped")?;
                ensure_eq!(log(stage, "order"), "", "order");
                Ok(())
            },
        )
        .but_runc("its start doesn't wait for it")
        .but_crun("its start doesn't wait for it"),
        is_passed_over("poststart").but_runc("it kills the container"),
        is_passed_over("poststop").but_runc("those after it don't run"),
        Case::steps("one that takes longer than its timeout", |stage| {
            stage.edit(|spec| {
                spec["hooks"]["createRuntime"] =
                    json!([{ "path": "/bin/sleep", "args": ["sleep", "30"], "timeout": 1 }]);
            });
            let began = std::time::Instant::now();
            let outcome = stage.create_with(&stage.id, &[]);
            ensure!(outcome.code != Some(0), "it is created: {outcome}");
            ensure!(began.elapsed().as_secs() < 20, "it waits");
            Ok(())
        }),
        Case::steps(
            "a late one that takes longer is ended, and passed over",
            |stage| {
                stage.edit(|spec| {
                spec["hooks"]["poststop"] =
                    json!([{ "path": "/bin/sleep", "args": ["sleep", "30"], "timeout": 1 }]);
            });
                stage.create()?;
                stage.start()?;
                stage.wait_for("stopped")?;
                let began = std::time::Instant::now();
                stage.must("delete", &[])?;
                ensure!(began.elapsed().as_secs() < 20, "it waits");
                Ok(())
            },
        ),
        Case::steps("a timeout that isn't positive is refused", |stage| {
            stage.edit(|spec| {
                // Not one that ends before runc has looked at its clock.
                spec["hooks"]["createRuntime"] =
                    json!([{ "path": "/bin/sleep", "args": ["sleep", "1"], "timeout": 0 }]);
            });
            let outcome = stage.create_with(&stage.id, &[]);
            ensure!(outcome.code != Some(0), "it is created: {outcome}");
            Ok(())
        })
        .but_crun("it takes it for none"),
        Case::steps("one that isn't there", |stage| {
            stage
                .edit(|spec| spec["hooks"]["createRuntime"] = json!([{ "path": "/no/such/hook" }]));
            let outcome = stage.create_with(&stage.id, &[]);
            ensure!(outcome.code != Some(0), "it is created: {outcome}");
            Ok(())
        }),
    ]);
}
