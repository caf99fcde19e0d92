//! The site's scripts, root's while a container is built and the user's inside.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};

use crate::site::{Site, USER};

/// Writes down where and as whom it was run, and with which variables.
const TELLS: &str =
    "exec >>'@/told'; echo \"$0\"; id -u; pwd; /usr/bin/env | grep -v -e ^PWD= -e ^_= -e ^SHLVL=\n";

pub fn script(site: &Site, name: &str, text: &str) {
    let place = site.path("").display().to_string();
    let place = place.trim_end_matches('/');
    site.file(name, &text.replace('@', place));
}

#[test]
fn root_runs_the_sites_scripts_where_the_root_is_made_and_what_they_leave_is_inside() {
    let site = Site::new(
        "sitePreMountHook=@/pre\nsitePostMountHook=@/post\nmodule_m_roothook=@/root\ndefaultModules=m",
    );
    script(
        &site,
        "pre",
        &format!("{TELLS}mkdir scratch; ls; ls usr && exit 9\ntrue\n"),
    );
    script(
        &site,
        "post",
        &format!(
            "{TELLS}cat site/data/file; mount -t tmpfs -o suid,dev,mode=0755 none scratch\ncp /bin/true scratch/setuid; chmod u+s scratch/setuid\n"
        ),
    );
    script(
        &site,
        "root",
        &format!(
            "{TELLS}grep user etc/passwd; ls scratch; echo 192.0.2.9 licences >>etc/hosts; ln -s data/file site/linked\n"
        ),
    );
    // The host's own hosts file is what the third one adds to.
    let outcome = site.script(
        &["-V/scratch:/mnt/volume"],
        "cat /etc/hosts; cat /site/linked; ls /scratch /mnt/volume; grep -e ' /scratch ' /proc/self/mountinfo; touch /scratch/x",
    );
    let told = fs::read_to_string(site.path("told")).unwrap_or_default();
    let place = site.path("").display().to_string();
    let place = place.trim_end_matches('/');
    let udi = format!("{place}/udi");
    let wanted = [
        format!("{place}/pre\n0\n{udi}\ndev\netc\n"),
        format!("{place}/post\n0\n{udi}\nthe site's\n"),
        format!("{place}/root\n0\n{udi}\nuser:x:1234:1234:A User:/home/user:/bin/sh\nsetuid\n"),
    ];
    for part in wanted {
        assert!(told.contains(&part), "{told}\n{outcome}");
    }
    assert!(!told.contains('='), "no variable: {told}");
    outcome.says("192.0.2.9 licences\n").says("the site's\n");
    outcome
        .says("/scratch:\nsetuid\n")
        .says("/mnt/volume:\nsetuid\n");
    let mount = outcome
        .stdout
        .lines()
        .find(|line| line.contains(" /scratch "));
    let mount = mount.unwrap_or_else(|| panic!("{outcome}"));
    assert!(mount.contains("nosuid,nodev"), "{mount}");
    assert_eq!(
        outcome.code,
        Some(1),
        "the user can't write there: {outcome}"
    );
}

#[test]
fn a_script_that_fails_or_that_others_may_write_ends_it_in_one_line() {
    let site = Site::new("");
    script(&site, "fails", "touch left; exit 3\n");
    script(&site, "fine", "true\n");
    let marker = site.path("marker");
    site.bench.directory("users");
    chown(site.path("users"), Some(USER), None).expect("chown");
    script(
        &site,
        "users/hook",
        &format!("touch '{}'\n", marker.display()),
    );
    script(&site, "loose", &format!("touch '{}'\n", marker.display()));
    fs::set_permissions(site.path("loose"), fs::Permissions::from_mode(0o666)).expect("chmod");
    for (lines, says) in [
        (
            "sitePreMountHook=@/fails",
            "sitePreMountHook: @/fails: exit status: 3",
        ),
        (
            "sitePostMountHook=@/fails",
            "sitePostMountHook: @/fails: exit status: 3",
        ),
        (
            "module_m_roothook=@/fails\ndefaultModules=m",
            "module_m_roothook: @/fails: exit status: 3",
        ),
        ("sitePreMountHook=@/nosuch", "sitePreMountHook: @/nosuch: "),
        (
            "sitePreMountHook=@/users/hook",
            "@/users belongs to uid 1234, not to 0",
        ),
        (
            "module_m_roothook=@/loose\ndefaultModules=m",
            "@/loose may be written by others",
        ),
    ] {
        site.configure(lines);
        let outcome = site.shifter().arg("true").expect(125);
        let place = site.path("").display().to_string();
        let says = says.replace('@', place.trim_end_matches('/'));
        let line = outcome.one_line();
        assert!(line.contains(&says), "{line}\n{says}");
        site.assert_nothing_left(&outcome);
    }
    assert!(!marker.exists());
    // Of a module that isn't asked for, nothing runs.
    site.configure("module_m_roothook=@/fails");
    site.shifter().arg("true").expect(0);
}

/// What a script puts there can't be a device or a setuid program.
#[test]
fn what_a_script_leaves_is_as_shut_as_the_rest() {
    let site = Site::new("module_m_roothook=@/root\ndefaultModules=m");
    script(
        &site,
        "root",
        "cp /bin/true opt/setuid; chmod 4755 opt/setuid\n",
    );
    let outcome = site.script(&[], "ls -l /opt/setuid");
    outcome.says("-rwxr-xr-x");
    script(&site, "root", "mknod opt/disk b 7 0\n");
    let outcome = site.shifter().arg("true").expect(125);
    let line = outcome.one_line();
    assert!(line.contains("/opt/disk is neither"), "{line}");
    site.assert_nothing_left(&outcome);
}

#[test]
fn nothing_is_run_for_who_only_looks() {
    let site = Site::new("sitePreMountHook=@/hook\nmodule_m_userhook=/u\ndefaultModules=m");
    let marker = site.path("marker");
    script(&site, "hook", &format!("touch '{}'\n", marker.display()));
    let outcome = site
        .tool("explain", "1234:1234")
        .args(["--image=plain", "true"])
        .expect(0);
    outcome.says("before it: /bin/sh /u, as the same user\n");
    assert!(outcome.stderr.contains("sitePreMountHook"), "{outcome}");
    assert!(!marker.exists());
    site.script(&["--module=none"], "true");
    assert!(marker.exists());
}

#[test]
fn the_user_runs_user_hooks_inside_before_the_command_without_any_right() {
    let site = Site::new(
        "siteFs=@/scripts:/scripts\nmodule_m_userhook=/scripts/m\nmodule_n_userhook=/scripts/n\ndefaultModules=n,m",
    );
    site.bench.directory("scripts");
    for name in ["m", "n"] {
        script(
            &site,
            &format!("scripts/{name}"),
            &format!("echo {name}; id -u; pwd; grep -E '^(CapEff|CapBnd|NoNew|Seccomp:)' /proc/self/status; env\n")
                .replace("id -u", "/bin/id -u")
                .replace("; env", "; /bin/env")
                .replace("grep", "/bin/grep"),
        );
    }
    let run = |hooks: &[&str]| {
        let outcome = site
            .shifter()
            .args(hooks)
            .args(["-w=/data", "sh", "-c", "echo command; exit 4"])
            .env("MINE", "1")
            .run();
        site.assert_nothing_left(&outcome);
        outcome
    };
    let outcome = run(&[]);
    let one = "1234\n/data\nCapEff:\t0000000000000000\nCapBnd:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n";
    let lines: Vec<&str> = outcome
        .stdout
        .lines()
        // The shell's own.
        .filter(|line| {
            let own = ["PATH=/sbin:", "PWD=", "SHLVL="];
            !own.iter().any(|own| line.starts_with(own))
        })
        .collect();
    let found = lines.join("\n") + "\n";
    assert_eq!(found, format!("n\n{one}m\n{one}command\n"), "{outcome}");
    assert_eq!(outcome.code, Some(4), "{outcome}");
    script(&site, "scripts/m", "exit 3\n");
    let outcome = run(&[]);
    assert_eq!(outcome.code, Some(125), "{outcome}");
    assert!(!outcome.stdout.contains("command"), "{outcome}");
    let line = outcome.one_line();
    assert!(
        line.contains("user hook /scripts/m: exit status 3"),
        "{line}"
    );
    let outcome = run(&["--module=none"]);
    assert_eq!(outcome.stdout, "command\n", "{outcome}");
}
