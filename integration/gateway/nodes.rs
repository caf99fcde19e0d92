//! What the gateway made, on a node: found by `shifter`, mounted, run.

use std::fs;
use std::path::{Path, PathBuf};

use integration::{Outcome, Tool, host, program, require_program, shifter, skip, wait_until};

use crate::serving::{ANN, Gateway, SOON};

/// A node of the gateway's site, which has pulled an image.
struct Node {
    gateway: Gateway,
}

impl Node {
    fn new() -> Self {
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
        Self { gateway }
    }

    /// `shifter`, after the word `first` if it isn't empty, with this policy about digests.
    fn shifter(&self, first: &str, verify: &str, command: &[&str]) -> Outcome {
        let bench = &self.gateway.bench;
        let policy = format!("[shifter]\nverify-images = \"{verify}\"\n");
        let policy = bench.file(&format!("{verify}.toml"), policy);
        let mut tool = Tool::new(shifter());
        if !first.is_empty() {
            tool = tool.arg(first);
        }
        tool.arg("--config")
            .arg(bench.path("udiRoot.conf"))
            .arg("--policy")
            .arg(policy)
            .arg("--state")
            .arg(bench.path("node"))
            .arg("--root")
            .arg(bench.path("runtime"))
            .args(["--user", "5:60", "--image=tools/x:1"])
            .args(command)
            .current_dir(bench.path("").as_path())
            .run()
    }

    fn run(&self, verify: &str) -> Outcome {
        let script = "echo $FROM; echo $SHIFTER_IMAGE; busybox id -u";
        self.shifter("", verify, &["/bin/sh", "-c", script])
    }

    #[track_caller]
    fn runs(&self, verify: &str) {
        let ran = self.run(verify);
        assert_eq!(ran.code, Some(0), "{ran}");
        let id = self.gateway.origin.id();
        assert_eq!(ran.stdout, format!("origin\n{id}\n5\n"));
    }

    #[track_caller]
    fn refuses(&self, verify: &str, says: &str) {
        let refused = self.run(verify);
        assert_eq!(refused.code, Some(125), "{refused}");
        let told = refused.one_line();
        assert!(told.contains(says), "{told}");
    }

    /// What `explain` says of the image's file.
    fn explained(&self, verify: &str) -> String {
        let explained = self.shifter("explain", verify, &["--json", "true"]);
        assert_eq!(explained.code, Some(0), "{explained}");
        let told: serde_json::Value = serde_json::from_str(&explained.stdout).expect("JSON");
        told["image"]["file"].as_str().expect("a text").to_owned()
    }

    fn image(&self) -> PathBuf {
        let id = self.gateway.origin.id();
        self.gateway.bench.path(&format!("images/{id}.erofs"))
    }

    /// Puts a file in the image's place that has another byte at its end.
    fn exchange(&self, prepare: impl FnOnce(&Path)) {
        let image = self.image();
        let mut bytes = fs::read(&image).expect("read");
        *bytes.last_mut().expect("a byte") ^= 1;
        let other = image.with_extension("other");
        fs::write(&other, bytes).expect("write");
        let mode = image.metadata().expect("metadata").permissions();
        fs::set_permissions(&other, mode).expect("chmod");
        prepare(&other);
        fs::rename(&other, &image).expect("rename");
    }

    /// Whoever keeps the node's mount of the image ends by itself.
    fn assert_unused(&self) {
        wait_until("no image is in use", SOON, || {
            host::names_in(&self.gateway.bench.path("node"))
                .iter()
                .all(|name| name == "checked")
        });
    }
}

#[test]
fn shifter_runs_what_the_gateway_pulled() {
    let node = Node::new();
    node.runs("required");
    // One byte of the file is another: the node has the digest from the gateway.
    node.exchange(|_| {});
    node.refuses(
        "required",
        "is not the file that was made: its fs-verity digest is",
    );
    node.assert_unused();
}

/// Where the kernel and the file system of the store have fs-verity. `fsverity` is another's program: what it measures is
/// what ours said beforehand.
#[test]
fn what_the_kernel_keeps_to_its_digest_is_measured_and_not_read() {
    let fsverity = |word: &str, file: &Path| Tool::new("fsverity").arg(word).arg(file);
    if !Path::new("/sys/fs/ext4/features/verity").exists() {
        skip(
            "this kernel has no fs-verity; hack/vm-suites v2 -- gateway:kernel_keeps has one that does",
        );
        return;
    }
    require_program("/usr/bin/fsverity", "fsverity");
    let node = Node::new();
    let scratch = node.gateway.bench.file("images/scratch", "x");
    if fsverity("enable", &scratch).run().code != Some(0) {
        skip("the file system of /var/tmp has no fs-verity");
        return;
    }
    let image = node.image();
    let measured = fsverity("measure", &image).expect(0).stdout;
    let measured = measured.split(' ').next().expect("a digest");
    let said = fs::read_to_string(image.with_extension("meta")).expect("a .meta file");
    assert!(said.contains(&format!("#FSVERITY: {measured}\n")), "{said}");
    let written = fs::File::options().write(true).open(&image);
    let error = written.expect_err("the kernel lets nobody write to it");
    assert_eq!(error.raw_os_error(), Some(nix::libc::EPERM));
    let by_kernel = "is the file that was made: its fs-verity digest, which the kernel keeps it to";
    for verify in ["fs-verity", "once", "required"] {
        node.runs(verify);
        assert_eq!(node.explained(verify), by_kernel);
    }

    // Another file that the kernel keeps to what it is.
    node.exchange(|other| {
        fsverity("enable", other).expect(0);
    });
    for verify in ["fs-verity", "once", "required"] {
        node.refuses(
            verify,
            "is not the file that was made: its fs-verity digest is",
        );
    }
    // One that it doesn't.
    node.exchange(|_| {});
    node.exchange(|_| {});
    node.refuses(
        "once",
        "is not the file that was made: its fs-verity digest is",
    );
    let told = node.explained("fs-verity");
    assert!(told.starts_with("not compared with its digest"), "{told}");
    node.assert_unused();
}
