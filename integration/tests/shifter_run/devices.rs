//! Devices by container-device-interface specifications, as a module's or one by one.

use std::fs;
use std::os::unix::fs::chown;
use std::path::PathBuf;

use integration::{Tool, opt_runtime};

use crate::site::Site;

/// A harmless device under a name that is no container's, of this mode, group 1234.
fn device(site: &Site, name: &str, mode: &str) -> PathBuf {
    let path = site.path(name);
    Tool::new("mknod")
        .args(["-m", mode])
        .arg(&path)
        .args(["c", "1", "5"])
        .expect(0);
    chown(&path, Some(0), Some(1234)).expect("chown");
    path
}

/// A site with a specification of two devices: one that the user may read, and one that is root's alone.
fn site() -> Site {
    let site = Site::new("module_gpu_cdi=example.org/gpu=open\nmodule_gpu_siteEnv=MODULE=1");
    let open = device(&site, "open", "0640");
    let shut = device(&site, "shut", "0600");
    site.bench.directory("cdi");
    site.bench.directory("driver");
    site.file("driver/lib.so", "the driver's\n");
    let text = serde_json::json!({
        "cdiVersion": "0.6.0",
        "kind": "example.org/gpu",
        "devices": [
            { "name": "open", "containerEdits": {
                "deviceNodes": [{ "path": "/dev/made/open", "hostPath": open }],
                "mounts": [{ "hostPath": site.path("driver"), "containerPath": "/usr/lib/driver", "options": ["ro"] }],
            }},
            { "name": "shut", "containerEdits": {
                "deviceNodes": [{ "path": "/dev/shut", "hostPath": shut }],
            }},
            { "name": "grouped", "containerEdits": { "additionalGids": [1234, 4321] } },
            { "name": "hooked", "containerEdits": {
                "hooks": [{ "hookName": "createContainer", "path": "/bin/touch", "args": ["touch", site.path("marker")] }],
            }},
        ],
        "containerEdits": { "env": ["DRIVER=example"] },
    });
    site.file("cdi/gpu.json", &text.to_string());
    site
}

fn shifter(site: &Site, first: &str) -> Tool {
    site.tool(first, "1234:1234")
        .arg("--cdi-spec-dir")
        .arg(site.path("cdi"))
        .arg("--image=plain")
}

const LOOK: &str = "head -c 2 /dev/made/open | cat -v; echo; ls /dev/made; cat /usr/lib/driver/lib.so; \
                    echo $DRIVER; touch /usr/lib/driver/x; ls /dev";

#[test]
fn a_module_brings_its_devices_and_nothing_else() {
    let site = site();
    let outcome = shifter(&site, "")
        .args(["--module=gpu", "sh", "-c", LOOK])
        .expect(0);
    outcome
        .says("^@^@\nopen\nthe driver's\nexample\n")
        .says("made\n");
    assert!(!outcome.stdout.contains("shut"), "{outcome}");
    assert!(!site.path("driver/x").exists());
    site.assert_nothing_left(&outcome);
    let without = shifter(&site, "").args(["ls", "/dev"]).expect(0);
    assert!(!without.stdout.contains("made"), "{without}");
}

/// Whoever asks can do with it what they can outside.
#[test]
fn a_device_has_the_hosts_owner_and_mode() {
    let site = site();
    let outcome = shifter(&site, "")
        .args([
            "--device=example.org/gpu=open",
            "--device=example.org/gpu=shut",
        ])
        .args([
            "sh",
            "-c",
            "head -c 1 /dev/made/open | cat -v; head -c 1 /dev/shut || echo DENIED",
        ])
        .expect(0);
    assert_eq!(outcome.stdout, "^@DENIED\n", "{outcome}");
    outcome
        .stderr
        .contains("Permission denied")
        .then_some(())
        .expect("why");
}

#[test]
fn a_device_is_explained_and_the_bundle_keeps_its_promise_but_for_it() {
    let site = site();
    let explained = shifter(&site, "explain")
        .args(["--module=gpu", "true"])
        .expect(0);
    explained
        .says("except device./dev/made/open: device example.org/gpu=open, as the site's specification has it\n")
        .says("why: device example.org/gpu=open of the site: ");
    let bundle = site.bench.directory("bundle");
    fs::create_dir(bundle.join("rootfs")).expect("mkdir");
    let config = shifter(&site, "")
        .args(["--dry-run", "--module=gpu", "true"])
        .expect(0);
    fs::write(bundle.join("config.json"), &config.stdout).expect("write");
    Tool::new(opt_runtime()).arg("check").arg(&bundle).expect(0);
    let mut other: serde_json::Value = serde_json::from_str(&config.stdout).expect("JSON");
    other["linux"]["devices"][0]["path"] = "/dev/another".into();
    fs::write(bundle.join("config.json"), other.to_string()).expect("write");
    let outcome = Tool::new(opt_runtime()).arg("check").arg(&bundle).expect(1);
    outcome.says("linux.devices adds /dev/another\n");
}

#[test]
fn what_a_specification_can_not_have_is_refused() {
    let site = site();
    let refused = |device: &str, says: &str| {
        let outcome = shifter(&site, "")
            .args(["--device", device, "true"])
            .expect(125);
        let line = outcome.one_line();
        assert!(line.contains(says), "{line}");
        site.assert_nothing_left(&outcome);
    };
    refused(
        "example.org/gpu=hooked",
        "gpu.json: hooks: can't be given to a container without privilege",
    );
    refused("example.org/gpu=other", "is in no specification");
    refused("gpu", "must be VENDOR/CLASS=NAME");
    refused(
        "example.org/gpu=grouped",
        "needs the group 4321, which uid 1234 isn't in",
    );
    assert!(!site.path("marker").exists());
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    fs::set_permissions(site.path("cdi/gpu.json"), everybody).expect("chmod");
    refused("example.org/gpu=open", "gpu.json may be written by others");
}
