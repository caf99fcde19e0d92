//! Tasks of parallel programs: their process manager's socket, and their job's hosts.

use integration::{Tool, require_program};

use crate::site::Site;

/// `tool` as the task of a process manager that names `what` to it.
fn managed(tool: Tool, what: &str) -> Tool {
    require_program("/usr/bin/python3", "python3");
    let manager = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/shifter_run/manager.py");
    tool.within("python3", &[manager, what])
}

#[test]
fn the_socket_of_a_process_manager_is_kept_and_nothing_else() {
    let site = Site::new("");
    let script = "echo task $PMI_RANK of $PMI_SIZE >&$PMI_FD; read line <&$PMI_FD; echo \"$line on $PMI_FD\"; \
                  ls /proc/self/fd";
    let task = site.shifter().args(["sh", "-c", script]);
    let outcome = managed(task, "socket").expect(0);
    // The last is that of ls.
    assert_eq!(
        outcome.stdout, "welcome, task 0 of 1 on 3\n0\n1\n2\n3\n4\n",
        "{outcome}"
    );
    site.assert_nothing_left(&outcome);
}

/// CVE-2024-21626: a directory of the host's is a way out.
#[test]
fn what_is_no_socket_is_not_kept_whatever_names_it() {
    let site = Site::new("");
    let script = "ls /proc/self/fd";
    for (what, options) in [
        ("directory", &[][..]),
        // Whose variables don't come in has no use for it.
        ("socket", &["--clearenv"]),
    ] {
        let task = site.shifter().args(options).args(["sh", "-c", script]);
        let outcome = managed(task, what).expect(0);
        assert_eq!(outcome.stdout, "0\n1\n2\n3\n", "{what}: {outcome}");
        site.assert_nothing_left(&outcome);
    }
}

#[test]
fn a_jobs_hosts_are_told() {
    let site = Site::new("");
    let told = |variables: &[(&str, &str)]| {
        let mut tool = site.shifter().args(["cat", "/var/hostsfile"]);
        for (name, value) in variables {
            tool = tool.env(name, value);
        }
        tool.run()
    };
    let job = [
        ("SLURM_JOB_NODELIST", "n[1-2],m"),
        ("SLURM_TASKS_PER_NODE", "2(x2),1"),
    ];
    assert_eq!(told(&job).stdout, "n1\nn1\nn2\nn2\nm\n");
    let step = [
        ("SLURM_STEP_NODELIST", "m"),
        ("SLURM_STEP_TASKS_PER_NODE", "1"),
    ];
    assert_eq!(told(&[job, step].concat()).stdout, "m\n");
    assert_ne!(told(&[]).code, Some(0));
    let wrong = told(&[job[0], ("SLURM_TASKS_PER_NODE", "1")]);
    assert_ne!(wrong.code, Some(0));
    assert!(
        wrong.stderr.contains("no /var/hostsfile: \"1\" is no list"),
        "{wrong}"
    );
}
