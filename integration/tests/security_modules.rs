//! Labels and profiles of security modules, on a host that says it has them: done, or refused by name, and never
//! passed over. (Where there is none they are ignored: `conformance/limits.rs`.)

use integration::{Bench, Outcome, plain};
use serde_json::{Value, json};

/// `opt-runtime run` in a mount namespace in which `path` is a file that holds `text`, with everything beside it
/// gone.
fn on_a_host_with(path: &str, text: &str, edit: impl FnOnce(&mut Value)) -> Outcome {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "plain", &["echo", "the command ran"]);
    bundle.edit(edit);
    // /sys/fs or /sys/module.
    let script = "mount -t tmpfs tmpfs \"$(echo \"$0\" | cut -d/ -f1-3)\" && mkdir -p \"$(dirname \"$0\")\" \
         && echo \"$1\" >\"$0\" && shift && exec \"$@\"";
    let tool = bench.runtime().arg("run").arg(&bundle.directory);
    let outcome = tool
        .within("unshare", &["--mount", "sh", "-c", script, path, text])
        .run();
    assert_eq!(bench.state_names(), [""; 0], "{outcome}");
    outcome
}

fn refused(outcome: &Outcome, key: &str) {
    assert_eq!(outcome.code, Some(125), "{outcome}");
    assert!(outcome.one_line().contains(key), "{outcome}");
    assert!(!outcome.stdout.contains("ran"), "{outcome}");
}

const ENFORCING: &str = "/sys/fs/selinux/enforce";

#[test]
fn a_process_label_is_refused_where_selinux_is_in_force() {
    let outcome = on_a_host_with(ENFORCING, "1", |spec| {
        spec["process"]["selinuxLabel"] = json!("system_u:system_r:container_t:s0");
    });
    refused(&outcome, "process.selinuxLabel");
}

#[test]
fn without_a_label_it_is_no_matter() {
    let outcome = on_a_host_with(ENFORCING, "1", |_| {});
    // Without cgroups, which the test has hidden, there is another reason.
    assert!(!outcome.stderr.contains("selinux"), "{outcome}");
}

/// The kernel has no AppArmor, so the profile can't be set, whatever the file says.
#[test]
fn a_profile_that_can_not_be_set_is_an_error() {
    let enabled = "/sys/module/apparmor/parameters/enabled";
    let edit = |spec: &mut Value| spec["process"]["apparmorProfile"] = json!("a-profile");
    if std::path::Path::new(enabled).exists() {
        println!("skipped: this host has AppArmor");
        return;
    }
    let outcome = on_a_host_with(enabled, "Y", edit);
    refused(&outcome, "apparmor");
}
