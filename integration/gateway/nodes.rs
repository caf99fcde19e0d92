//! What the gateway made, on a node: found by `shifter`, mounted, run.

use std::fs;

use integration::{Tool, host, program, require_program, shifter, wait_until};

use crate::serving::{ANN, Gateway, SOON};

#[test]
fn shifter_runs_what_the_gateway_pulled() {
    require_program("/usr/bin/mkfs.erofs", "erofs-utils");
    let gateway = Gateway::start();
    gateway.client(ANN, &["pull", "tools/x:1"]).expect(0);
    let bench = &gateway.bench;
    let place = bench.path("").display().to_string();
    let place = place.trim_end_matches('/');
    for directory in ["udi", "prefix/bin", "etc"] {
        bench.directory(directory);
    }
    bench.file("etc/passwd", "games:x:5:60::/:/bin/sh\n");
    bench.file("etc/group", "games:x:60:\n");
    bench.file("etc/nsswitch.conf", "passwd: files\n");
    let own = bench.path("udiRoot.conf").display().to_string();
    // A node's munge and configuration are where they are usually; a test's are not.
    program::write(
        &bench.path("prefix/bin/shifterimg"),
        &format!(
            "#!/bin/sh\nMUNGE_SOCKET={} exec {place}/programs/shifterimg --config {own} \"$@\"\n",
            gateway.munged.socket.display()
        ),
    );
    let text = format!(
        "udiMount={place}/udi\nimagePath={place}/images\netcPath={place}/etc\nudiRootPath={place}/prefix\n\
         defaultImageType=docker\nsystem=cluster\nimageGateway={}\n",
        gateway.url()
    );
    bench.file("udiRoot.conf", text);
    bench.file("required.toml", "[shifter]\nverify-images = \"required\"\n");
    let shifter = || {
        Tool::new(shifter())
            .args(["--config", &own])
            .arg("--policy")
            .arg(bench.path("required.toml"))
            .arg("--state")
            .arg(bench.path("node"))
            .arg("--root")
            .arg(bench.path("runtime"))
            .args(["--user", "5:60", "--image=tools/x:1", "/bin/sh", "-c"])
            .arg("echo $FROM; echo $SHIFTER_IMAGE; busybox id -u")
            .current_dir(bench.path("").as_path())
            .run()
    };
    let ran = shifter();
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(ran.stdout, format!("origin\n{}\n5\n", gateway.origin.id()));
    // One byte of the file is another: the node has the digest from the gateway.
    let image = bench.path(&format!("images/{}.erofs", gateway.origin.id()));
    let mut bytes = fs::read(&image).expect("read");
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&image, bytes).expect("write");
    let refused = shifter();
    assert_eq!(refused.code, Some(125), "{refused}");
    let told = refused.one_line();
    assert!(
        told.contains("is not the file that was made: its SHA-256 is"),
        "{told}"
    );
    // Whoever keeps the node's mount of it ends by itself.
    wait_until("no image is in use", SOON, || {
        host::names_in(&bench.path("node"))
            .iter()
            .all(|name| name == "checked")
    });
}
