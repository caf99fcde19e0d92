//! A job's container, which root makes beforehand and the job's steps run: `setupRoot`, steps of the user's, `unsetupRoot`.

use std::fs;
use std::os::unix::fs::MetadataExt;

use integration::{Delegated, Outcome, Tool, shifter};

use crate::cache;
use crate::hooks::script;
use crate::site::{Site, USER};

/// Makes the container with these arguments, runs each of `steps` in it by a shell as the user, takes it away, and fails
/// where that leaves a mount. All of it is among mounts of its own.
fn job(site: &Site, arguments: &[&str], steps: &[&str]) -> Outcome {
    let outcome = begin(site, arguments, steps).run();
    site.assert_nothing_left(&outcome);
    outcome
}

fn begin(site: &Site, arguments: &[&str], steps: &[&str]) -> Tool {
    let steps: String = steps
        .iter()
        .map(|text| format!("step '{text}' || exit\n"))
        .collect();
    begin_script(site, arguments, &steps)
}

/// Likewise, with a script in whose place `step TEXT` runs that text in the container, by a shell as the user.
fn begin_script(site: &Site, arguments: &[&str], script: &str) -> Tool {
    let program = site.path("shifter");
    if !program.exists() {
        // The build directory need not be open to everybody.
        fs::copy(shifter(), &program).expect("copy the program");
    }
    let place = site.path("").display().to_string();
    let place = place.trim_end_matches('/');
    let of_root = format!("--config '{place}/udiRoot.conf' --state '{place}/node'");
    let begin =
        format!("'{place}/shifter' setupRoot {of_root} -U {USER} -G {USER} \"$@\" id plain");
    let user = format!("setpriv --reuid={USER} --regid={USER} --clear-groups '{place}/shifter'");
    let step = format!("{user} --config '{place}/udiRoot.conf' /bin/sh -c");
    let text = format!(
        "step() {{ {step} \"$1\"; }}\n{begin} || exit\n( {script} true )\ncode=$?\n'{place}/shifter' unsetupRoot {of_root} || exit\n\
         ! grep '{place}/udi' /proc/self/mountinfo || exit 99\nexit $code"
    );
    let private = [
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-c",
        &text,
        "sh",
    ];
    Tool::new("unshare")
        .args(private)
        .args(arguments)
        .current_dir(&site.path(""))
}

#[test]
fn hooks_of_roots_run_once_for_the_job_and_the_users_before_each_step() {
    let site = Site::new(
        "sitePreMountHook=@/pre\nsitePostMountHook=@/post\nmodule_m_roothook=@/root\nmodule_m_userhook=/scripts/user\n\
         defaultModules=m\nsiteFs=@/scripts:/scripts",
    );
    site.bench.directory("scripts");
    let told = "echo $0 $(id -u) $(pwd) >>'@/told'\n";
    script(&site, "pre", &format!("{told}mkdir scratch\n"));
    script(
        &site,
        "post",
        &format!("{told}cp /bin/true scratch/setuid; chmod 4755 scratch/setuid\n"),
    );
    script(
        &site,
        "root",
        &format!("{told}echo 192.0.2.9 licences >>etc/hosts\n"),
    );
    script(&site, "scripts/user", "echo hook $(/bin/id -u)\n");
    let step = "cat /etc/hosts | grep licences; ls -l /scratch";
    let outcome = job(&site, &[], &[step, step]);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    let count = |text: &str| outcome.stdout.matches(text).count();
    assert_eq!(count("hook 1234\n"), 2, "{outcome}");
    assert_eq!(count("192.0.2.9 licences\n"), 2, "{outcome}");
    assert_eq!(count("-rwxr-xr-x"), 2, "{outcome}");
    let told = fs::read_to_string(site.path("told")).expect("what the hooks told");
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines.len(), 3, "{told}");
    for (line, name) in lines.iter().zip(["pre", "post", "root"]) {
        assert!(line.contains(&format!("/{name} 0 ")), "{told}");
    }
}

#[test]
fn a_hook_that_fails_makes_no_container_for_the_job_and_leaves_nothing() {
    for key in ["sitePreMountHook", "sitePostMountHook", "module_m_roothook"] {
        let site = Site::new(&format!(
            "{key}=@/fails\ndefaultModules=m\nmodule_m_siteEnv=A=1"
        ));
        script(
            &site,
            "fails",
            "mkdir left; mount -t tmpfs none left; exit 3\n",
        );
        let outcome = job(&site, &[], &["echo ran"]);
        assert_eq!(
            (outcome.code, &*outcome.stdout),
            (Some(125), ""),
            "{outcome}"
        );
        let line = outcome.one_line();
        assert!(
            line.contains(&format!("{key}: ")) && line.contains("exit status: 3"),
            "{line}"
        );
    }
}

#[test]
fn a_users_hook_that_fails_ends_the_step_and_not_the_job() {
    let site =
        Site::new("siteFs=@/scripts:/scripts\nmodule_m_userhook=/scripts/user\ndefaultModules=m");
    site.bench.directory("scripts");
    script(&site, "scripts/user", "exit 3\n");
    let outcome = job(&site, &[], &["echo ran"]);
    assert_eq!(
        (outcome.code, &*outcome.stdout),
        (Some(125), ""),
        "{outcome}"
    );
    assert!(
        outcome
            .one_line()
            .contains("user hook /scripts/user: exit status 3"),
        "{outcome}"
    );
}

#[test]
fn a_cache_lasts_as_long_as_the_job() {
    let Some(site) = cache::site("") else {
        return;
    };
    let volume = "/none:/cache:perNodeCache=size=350M";
    let write = "echo mine >/cache/file; ls -ldn /cache; head -c 500000000 /dev/zero >/cache/large || echo FULL";
    let read = "cat /cache/file; grep -e \" /cache \" /proc/self/mountinfo";
    let site_of_steps = &site;
    let outcome = job(site_of_steps, &["-v", volume], &[write, read]);
    // The step asks for the same volume as the prolog, by its environment.
    assert_eq!(outcome.code, Some(0), "{outcome}");
    outcome.says("drwx------").says("FULL\n").says("mine\n");
    outcome.says("rw,nosuid,nodev");
    cache::assert_gone(&site);
}

#[test]
fn only_root_prepares_a_container() {
    let site = Site::new("");
    let program = site.path("shifter");
    fs::copy(shifter(), &program).expect("copy the program");
    for words in [
        &["setupRoot", "-U", "0", "-G", "0", "id", "plain"][..],
        &["unsetupRoot"],
    ] {
        let outcome = Tool::new("setpriv")
            .args(["--reuid=1234", "--regid=1234", "--clear-groups"])
            .arg(&program)
            .args(&words[..1])
            .arg("--config")
            .arg(site.path("udiRoot.conf"))
            .args(&words[1..])
            .expect(125);
        assert!(
            outcome.one_line().contains("only root prepares containers"),
            "{outcome}"
        );
    }
    assert_eq!(site.path("udi").metadata().expect("metadata").nlink(), 2);
}

/// Slurm's limits and its accounting go by the step's.
#[test]
fn the_cgroup_is_the_steps_even_where_the_user_could_make_another() {
    let site = Site::new("");
    let delegated = Delegated::to(USER, "step");
    let step = "cat /proc/self/cgroup";
    let inside = delegated.hold(begin(&site, &[], &[step])).expect(0);
    site.assert_nothing_left(&inside);
    let outside = delegated.hold(Tool::new("cat").arg("/proc/self/cgroup"));
    let outside = outside.expect(0).stdout;
    assert!(outside.contains("/test-delegated-"), "{outside}");
    assert_eq!(inside.stdout, outside);
}

/// Neither takes anything of the job's container along when it ends.
#[test]
fn tasks_of_a_jobs_step_see_each_other_in_what_was_prepared() {
    let site = Site::new("");
    let told = site.bench.directory("home/user/told");
    std::os::unix::fs::chown(&told, Some(USER), Some(USER)).expect("chown");
    let script = r#"
        first='>/home/user/told/first; while [ ! -e /home/user/told/second ]; do sleep 0.05; done; echo of the first'
        second='while [ ! -e /home/user/told/first ]; do sleep 0.05; done;
                cat /proc/[0-9]*/comm | grep -c init; cat /proc/1/comm; >/home/user/told/second'
        export SLURM_STEP_ID=0 SLURM_STEP_TASKS_PER_NODE=2 SLURM_NODEID=0
        step "$first" & step "$second"; wait
        SLURM_STEP_ID=1 SLURM_STEP_TASKS_PER_NODE=1 step 'cat /proc/1/comm'
        "#;
    let outcome = begin_script(&site, &[], script)
        .env("SLURM_JOB_ID", "17")
        .run();
    site.assert_nothing_left(&outcome);
    assert_eq!(outcome.code, Some(0), "{outcome}");
    outcome.says("2\nshifter-tasks\n").says("of the first\n");
    assert!(outcome.stdout.ends_with("\ninit\n"), "{outcome}");
}
