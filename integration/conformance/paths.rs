//! Masked and read-only paths.

use std::fs;

use serde_json::json;

use crate::harness::{Case, ensure, hold};

#[test]
fn masked() {
    let masked = |name, paths: &'static [&'static str]| {
        Case::new(name).spec(move |spec| spec["linux"]["maskedPaths"] = json!(paths))
    };
    hold(&[
        masked("a file reads as empty", &["/proc/version"])
            .script("cat /proc/version; wc -c </proc/version")
            .prints("0"),
        masked("what is written to a file is lost", &["/etc/file"])
            .prepare(|stage| stage.write_inside("/etc/file", "secret\n"))
            .script("cat /etc/file; echo x 2>/dev/null >/etc/file; cat /etc/file; echo end")
            .check(|stage, outcome| {
                ensure!(outcome.stdout == "end\n", "{outcome}");
                let text = fs::read_to_string(stage.inside("/etc/file"));
                ensure!(text.is_ok_and(|text| text == "secret\n"), "changed");
                Ok(())
            }),
        masked("a directory is empty and read-only", &["/etc/directory"])
            .prepare(|stage| {
                fs::create_dir(stage.inside("/etc/directory")).expect("make a directory");
                stage.write_inside("/etc/directory/file", "secret\n");
            })
            .script("ls -A /etc/directory; touch /etc/directory/x 2>/dev/null || echo read-only")
            .prints("read-only"),
        masked(
            "one that isn't there is passed over",
            &["/no/such/path", "/proc/no-such"],
        )
        .script("echo yes")
        .prints("yes"),
        masked("a file below a mount", &["/mnt/file"])
            .bind("/mnt", &[])
            .script("cat /mnt/file; echo end")
            .prints("end"),
        masked("one that leads through a link", &["/etc/link"])
            .prepare(|stage| {
                stage.write_inside("/etc/file", "secret\n");
                std::os::unix::fs::symlink("file", stage.inside("/etc/link")).expect("link");
            })
            .script("cat /etc/link; echo end")
            .prints("end"),
        masked("several", &["/proc/version", "/proc/cmdline", "/proc/keys"])
            .script("cat /proc/version /proc/cmdline /proc/keys; echo end")
            .prints("end"),
        masked("a relative one is below the root", &["proc/version"])
            .script("cat /proc/version; echo end")
            .prints("end"),
    ]);
}

#[test]
fn read_only() {
    let read_only = |name, paths: &'static [&'static str]| {
        Case::new(name).spec(move |spec| spec["linux"]["readonlyPaths"] = json!(paths))
    };
    hold(&[
        read_only("a directory", &["/proc/sys"]).has_mount("/proc/sys", &["ro"]),
        read_only("a file", &["/etc/file"])
            .prepare(|stage| stage.write_inside("/etc/file", "text\n"))
            .script("echo x 2>/dev/null >/etc/file || echo refused; cat /etc/file")
            .prints("refused\ntext"),
        read_only("a directory of the root file system", &["/etc"])
            .script("touch /etc/x 2>/dev/null || echo refused; touch /tmp/x && echo elsewhere")
            .prints("refused\nelsewhere"),
        read_only("one that isn't there is passed over", &["/no/such/path"])
            .script("echo yes")
            .prints("yes"),
        read_only("a mount keeps its other options", &["/mnt"])
            .bind("/mnt", &["nosuid", "noexec"])
            .has_mount("/mnt", &["ro", "nosuid", "noexec"])
            .but_crun("they are lost"),
        read_only("what is mounted below goes along", &["/mnt"])
            .prepare(|stage| stage.mount_on_host(&stage.source().join("sub"), "mode=755"))
            .bind("/mnt", &["rbind"])
            .script("cat /mnt/sub/file")
            .prints("from a mount below"),
        read_only("a relative one is below the root", &["etc"])
            .script("touch /etc/x 2>/dev/null || echo refused")
            .prints("refused"),
    ]);
}
