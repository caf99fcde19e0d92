//! An sshd of the user's own, between the nodes of a job.

use integration::{Tool, host};
use nix::sys::signal::Signal;

use super::Home;
use crate::sshd::{LINES, add_image, address, assert_found, look_around, nobody_listens};

/// `shifter` as task `task` of job `job` on the node of this name, of two.
fn on(home: &Home, job: &str, [node, other]: [&str; 2], task: &str) -> Tool {
    home.shifter("debian")
        .env(
            "HOME",
            home.site.path("home/user").to_str().expect("a path"),
        )
        .env("SLURM_JOB_ID", job)
        .env("SLURM_JOB_NODELIST", &format!("{node},{other}"))
        .env("SLURM_TASKS_PER_NODE", "1(x2)")
        .env("SLURMD_NODENAME", node)
        .env("SLURM_LOCALID", task)
}

fn home() -> Home {
    let home = Home::new(LINES);
    add_image(&home.site);
    home
}

#[test]
fn a_user_gets_into_a_container_by_ssh_with_no_more_rights_than_its_command() {
    let home = home();
    let node = address();
    let tool = home.shifter("debian").env("SLURMD_NODENAME", &node);
    let outcome = tool.args(["sh", "-c", &look_around(&node)]).expect(0);
    assert_found(&outcome);
    nobody_listens(&node);
    home.assert_nothing_left(&outcome);
    // Without a job no secret is kept.
    assert_eq!(host::names_in(&home.site.path("home/user")), ["work"]);
}

#[test]
fn the_containers_of_a_job_reach_each_other_and_those_of_another_job_do_not() {
    let home = home();
    let (one, two) = (address(), address());
    let mut first = on(&home, "77", [&one, &two], "0")
        .args(["-V/home/user:/first", "sh", "-c", "echo ready; sleep 1000"])
        .start();
    first.wait_for("ready");
    let script = format!("ssh {one} ls -d /first");
    let second = |job: &str, task: &str| {
        let tool = on(&home, job, [&two, &one], task);
        tool.args(["sh", "-c", &script]).run()
    };
    let outcome = second("77", "0");
    assert_eq!(outcome.stdout, "/first\n", "{outcome}");
    let outcome = second("78", "0");
    assert_eq!(outcome.code, Some(255), "{outcome}");
    assert!(
        outcome.stderr.contains("Host key verification failed"),
        "{outcome}"
    );
    // Of several tasks on a node one has it, and the others are clients as well.
    let outcome = second("77", "1");
    assert_eq!(outcome.stdout, "/first\n", "{outcome}");
    let script = format!("ssh -o ConnectTimeout=5 {two} true");
    let alone = on(&home, "77", [&two, &one], "1")
        .args(["sh", "-c", &script])
        .run();
    assert!(alone.stderr.contains("Connection refused"), "{alone}");
    first.signal(Signal::SIGTERM as i32);
    let outcome = first.finish();
    nobody_listens(&one);
    home.assert_nothing_left(&outcome);
    let kept = home.site.path("home/user/.udiRoot");
    assert_eq!(host::names_in(&kept), ["shifter-ssh-secret"]);
}
