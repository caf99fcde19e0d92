//! Labels and profiles of security modules, on a host that says it has them: done, or refused by name, and never
//! passed over. (Where there is none they are ignored: `conformance/limits.rs`.)

use integration::{Bench, Outcome, plain, skip};
use serde_json::{Value, json};

/// `opt-runtime run` in a mount namespace in which `path` is a file that holds `text`, with everything beside it
/// gone but the cgroups.
fn on_a_host_with(bench: &Bench, path: &str, text: &str, edit: impl FnOnce(&mut Value)) -> Outcome {
    let bundle = plain::bundle(bench, "plain", &["echo", "the command ran"]);
    bundle.edit(edit);
    // /sys/fs or /sys/module.
    let script = "
        set -e
        place=$(echo \"$0\" | cut -d/ -f1-3) text=$1 kept=$2
        shift 2
        mount --rbind /sys/fs/cgroup \"$kept\"
        mount -t tmpfs tmpfs \"$place\"
        mkdir -p \"$(dirname \"$0\")\" /sys/fs/cgroup
        echo \"$text\" >\"$0\"
        if [ \"$place\" = /sys/fs ]; then
            mount --rbind \"$kept\" /sys/fs/cgroup
        fi
        umount -l \"$kept\"
        exec \"$@\"";
    let kept = bench.directory("cgroups").display().to_string();
    let apart = ["--mount", "sh", "-c", script, path, text, &kept];
    bundle.run(bench).within("unshare", &apart).run()
}

const ENFORCING: &str = "/sys/fs/selinux/enforce";

#[test]
fn a_process_label_is_refused_where_selinux_is_in_force() {
    let bench = Bench::new();
    let outcome = on_a_host_with(&bench, ENFORCING, "1", |spec| {
        spec["process"]["selinuxLabel"] = json!("system_u:system_r:container_t:s0");
    });
    bench.assert_refused(&outcome, "process.selinuxLabel");
}

#[test]
fn without_a_label_it_is_no_matter() {
    let bench = Bench::new();
    let outcome = on_a_host_with(&bench, ENFORCING, "1", |_| {});
    assert_eq!(outcome.code, Some(0), "{outcome}");
    outcome.says("the command ran");
}

/// The kernel has no AppArmor, so the profile can't be set, whatever the file says.
#[test]
fn a_profile_that_can_not_be_set_is_an_error() {
    let enabled = "/sys/module/apparmor/parameters/enabled";
    let edit = |spec: &mut Value| spec["process"]["apparmorProfile"] = json!("a-profile");
    if std::path::Path::new(enabled).exists() {
        return skip("this host has AppArmor");
    }
    let bench = Bench::new();
    let outcome = on_a_host_with(&bench, enabled, "Y", edit);
    bench.assert_refused(&outcome, "apparmor");
}
