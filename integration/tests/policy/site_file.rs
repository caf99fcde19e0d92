//! The site's own file, and whom it may be written by.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;

use integration::{Bench, Probe};

use super::{assert_strict, like_podmans, run, site_file};

#[test]
fn a_file_that_others_could_have_written_stops_everything() {
    let bench = Bench::new();
    let bundle = like_podmans(&bench, "plain");
    let refused = |file: &Path, says: &str| {
        bench.assert_refused(&run(&bench, &bundle, file), says);
    };
    let file = site_file(&bench, "policy = \"off\"");
    let mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).expect("chmod");
    mode(0o666);
    refused(&file, "can be written by others");
    mode(0o644);
    chown(&file, Some(1000), None).expect("chown");
    refused(&file, "belongs to uid 1000");
    chown(&file, Some(0), None).expect("chown");
    let link = bench.path("link.toml");
    std::os::unix::fs::symlink(&file, &link).expect("a link");
    refused(&link, "symbolic link");
    let open = bench.directory("open");
    fs::copy(&file, open.join("site.toml")).expect("copy");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o777)).expect("chmod");
    refused(&open.join("site.toml"), "open can be written by others");
    refused(&bench.path("absent.toml"), "no such file");
    refused(&bench.directory("directory"), "no regular file");
    refused(
        &site_file(&bench, "\npolcy = \"seal\"\n"),
        "site.toml:2: unknown field",
    );
    refused(
        &site_file(&bench, "policy = \"strict\"\n"),
        "site.toml:1: unknown variant",
    );
}

/// In a mount namespace of the test's own, /etc/opt-runtime is the bench's.
#[test]
fn without_the_flag_the_sites_own_file_holds() {
    let bench = Bench::new();
    let bundle = like_podmans(&bench, "plain");
    let etc = bench.directory("etc");
    fs::write(
        etc.join("config.toml"),
        "policy = \"seal\"\n[seal]\nrun-as = \"7:8\"\n",
    )
    .expect("write");
    let run_there = |more: &[&str]| {
        let script = "mount -t tmpfs none /etc/opt-runtime 2>/dev/null || {
                mkdir -p \"$0/upper\" \"$0/work\"
                mount -t overlay -o lowerdir=/etc,upperdir=\"$0/upper\",workdir=\"$0/work\" none /etc
                mkdir -p /etc/opt-runtime
            }
            chmod 755 /etc/opt-runtime && cp \"$0/config.toml\" /etc/opt-runtime/ && exec \"$@\"";
        let etc = etc.to_string_lossy();
        let own = [
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            script,
            &etc,
        ];
        bundle.run(&bench).args(more).within("unshare", &own).run()
    };
    let report = Probe::report(&run_there(&[]));
    assert_strict(&report);
    assert_eq!(report["ids"]["uid"], 7);
    let report = Probe::report(&run_there(&["--policy", "off"]));
    assert_eq!(report["ids"]["uid"], 0);
}
