//! Images and commands that want more of the terminal than their own.

use std::fs::{self};
use std::os::unix::fs::symlink;
use std::time::Duration;

use integration::{Bench, Bundle, Container, Runtime};
use serde_json::json;

use super::engine::Engine;
use super::{bundle, own_id, run, start, with_devpts};

/// CVE-2025-52565: what an image has in the place of the devices is not followed to the host.
#[test]
fn an_image_can_not_lead_the_terminal_astray() {
    let bench = Bench::new();
    let engine = Engine::on(&bench, "console.sock");
    let marker = bench.file("marker", "unchanged");
    let create = |bundle: &Bundle| {
        let options = ["create", "--console-socket", engine.path(), "--bundle"];
        let tool = bench.runtime().args(options);
        tool.arg(&bundle.directory).arg(own_id("astray")).run()
    };
    let without_dev = |name: &str| {
        let bundle = bundle(&bench, name);
        bundle.edit(|spec| {
            let mounts = spec["mounts"].as_array_mut().expect("mounts");
            mounts.retain(|mount| mount["destination"] != "/dev");
        });
        fs::create_dir(bundle.rootfs().join("dev/pts")).expect("make /dev/pts");
        bundle
    };
    let linked = without_dev("console-link");
    symlink(&marker, linked.rootfs().join("dev/console")).expect("link");
    symlink(
        "/proc/sys/kernel/core_pattern",
        linked.rootfs().join("dev/null"),
    )
    .expect("link");
    let refused = create(&linked);
    assert_ne!(refused.code, Some(0), "{refused}");
    refused.one_line();
    bench.assert_nothing_left_by(&refused);
    let no_devpts = bundle(&bench, "no-devpts");
    no_devpts.edit(|spec| {
        let mounts = spec["mounts"].as_array_mut().expect("mounts");
        mounts.last_mut().expect("a mount")["type"] = json!("tmpfs");
        mounts.last_mut().expect("a mount")["options"] = json!([]);
    });
    let refused = create(&no_devpts);
    assert_eq!(refused.code, Some(125), "{refused}");
    refused.one_line();
    bench.assert_nothing_left_by(&refused);
    // The same of `exec`, which makes its own.
    no_devpts.edit(|spec| {
        spec["process"]["terminal"] = json!(false);
        spec["process"]["args"] = json!(["sh", "-c", "while :; do sleep 1; done"]);
    });
    let container = Container::started(&bench, Runtime::Ours, &no_devpts);
    container
        .shell("mknod /dev/pts/ptmx c 5 2; ln -s /etc/passwd /dev/pts/0")
        .stdout
        .clear();
    let mut session = start(container.exec_with(&["--tty"], &["sh"])).0;
    session.waits_for("no devpts");
    assert_eq!(session.ends(), Some(125));
    assert_eq!(
        fs::read_to_string(&marker).expect("the marker"),
        "unchanged"
    );
    assert!(fs::metadata(&marker).expect("the marker").is_file());
}

/// With a process of ours as the first one, keys must reach the command, and reach it once.
#[test]
fn a_sealed_command_has_its_terminal_to_itself() {
    let bench = Bench::new();
    let command = json!({ "name": "busybox", "executable": "/usr/bin/busybox" });
    let bundle = bench.sealed("sealed", &command, &["sh"]);
    bundle.edit(|spec| {
        spec["process"]["terminal"] = json!(true);
        let env = spec["process"]["env"].as_array_mut().expect("a list");
        env.push(json!("PS1=prompt> "));
        let has_devpts = spec["mounts"]
            .as_array()
            .is_some_and(|mounts| mounts.iter().any(|mount| mount["type"] == "devpts"));
        if !has_devpts {
            with_devpts(spec);
        }
    });
    let (mut session, before) = start(run(&bench, &bundle, "sealed"));
    session.waits_for("prompt>");
    let trap = "trap 'echo interrupted once' INT; busybox tty; echo set\n";
    session
        .types(trap)
        .waits_for("/dev/pts/0")
        .waits_for("\nset");
    session.types("\x03").waits_for("interrupted once");
    std::thread::sleep(Duration::from_millis(300));
    session
        .types("busybox sleep 1000\n")
        .waits_for("sleep 1000");
    std::thread::sleep(Duration::from_millis(300));
    session
        .types("\x1a")
        .waits_for("Stopped")
        .waits_for("prompt>");
    session.types("echo done\n").waits_for("\ndone");
    let times = session.shown().matches("interrupted once\r\n").count();
    assert_eq!(times, 1, "{}", session.shown());
    session.types("kill -9 $$\n");
    assert_eq!(session.ends(), Some(137));
    assert_eq!(format!("{:?}", session.modes()), before);
    bench.assert_gone(&own_id("sealed"));
}

/// What isn't looked at by name elsewhere: the descriptors of the two processes that hold terminals.
#[test]
fn the_command_has_no_other_end_of_its_terminal() {
    let bench = Bench::new();
    let bundle = bundle(&bench, "ends");
    let mut session = start(run(&bench, &bundle, "ends")).0;
    session.waits_for("prompt>").types("ls -l /proc/self/fd\n");
    session.waits_for(" 2 -> /dev/pts/0").waits_for("prompt>");
    assert!(!session.shown().contains("ptmx"), "{}", session.shown());
    session.types("exit\n");
    session.ends();
}
