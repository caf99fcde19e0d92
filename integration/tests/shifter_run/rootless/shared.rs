//! Tasks of one program on a node see each other's processes, and nobody else's; a keeper that belongs to none of them holds
//! what they share.

use std::fs;
use std::path::PathBuf;

use integration::{Outcome, Running, Tool, host, require_program, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::Home;
use crate::site::{SOON, USER};

/// Programs of the host's, for the images have none that ask for another process's memory.
const MODULE: &str = "module_host_siteFs=/usr:/usr;/usr/lib64:/lib64";

/// Tells the pid namespace, and how many processes of it are called `sleep`.
const LOOK: &str =
    "ls -l /proc/self/ns/pid | grep -o pid:.*; cat /proc/[0-9]*/comm | grep -c sleep";

impl Home {
    /// A task of this step of job 17, of several on this node.
    pub(super) fn task(&self, step: &str, script: &str) -> Tool {
        self.task_with(step, &[], script)
    }

    fn task_with(&self, step: &str, options: &[&str], script: &str) -> Tool {
        of_step(self.shifter("plain"), step)
            .args(options)
            .args(["sh", "-c", script])
    }

    /// What a task that waits has told.
    fn told(&self) -> String {
        fs::read_to_string(self.site.path("home/user/told")).expect("what a task has told")
    }

    /// What keepers are found by.
    fn sockets(&self) -> Vec<String> {
        let mut names = host::names_in(&self.state());
        names.retain(|name| name.ends_with(".keeper"));
        names
    }

    #[track_caller]
    pub(super) fn assert_nothing_left_of(&self, outcome: &Outcome) {
        wait_until("the keeper has ended", SOON, || {
            host::names_in(&self.state()).is_empty()
        });
        self.assert_nothing_left(outcome);
    }
}

fn of_step(tool: Tool, step: &str) -> Tool {
    tool.env("SLURM_JOB_ID", "17")
        .env("SLURM_STEP_ID", step)
        .env("SLURM_STEP_TASKS_PER_NODE", "1,3")
        .env("SLURM_NODEID", "1")
}

/// The keeper of a task whose output tells its pid namespace.
fn keeper(told: &str) -> Pid {
    let namespace = told.lines().find(|line| line.starts_with("pid:["));
    let namespace = PathBuf::from(namespace.expect("a namespace"));
    let keepers = host::processes(|shown| shown.starts_with("shifter-tasks"));
    let pid = |line: &String| line.split(' ').next().and_then(|pid| pid.parse().ok());
    let mut pids = keepers.iter().filter_map(pid);
    let is_it = |pid: &i32| {
        fs::read_link(format!("/proc/{pid}/ns/pid")).is_ok_and(|found| found == namespace)
    };
    Pid::from_raw(pids.find(is_it).expect("a keeper"))
}

/// A task, once it sleeps.
fn sleeping(tool: Tool) -> Running {
    let mut running = tool.start();
    running.wait_for("ready");
    running
}

const SLEEP: &str = "ls -l /proc/self/ns/pid | grep -o pid:.* >/home/user/told; cat /home/user/told; \
                     echo ready; exec sleep 4321";

#[test]
fn tasks_of_a_step_see_each_other_and_nobody_else_does() {
    let home = Home::new("");
    let mut first = sleeping(home.task("0", SLEEP));
    let told = home.task("0", LOOK).expect(0).stdout;
    assert!(told.ends_with("\n1\n"), "{told}");
    for (other, what) in [
        (home.task("1", LOOK), "another step"),
        (
            home.task("0", LOOK).env("SLURM_JOB_ID", "18"),
            "another job",
        ),
        (
            home.task_with("0", &["--volume=/home/user:/mnt"], LOOK),
            "other volumes",
        ),
        (
            home.task_with("0", &["--no-share-tasks"], LOOK),
            "not shared",
        ),
        (
            home.task("0", LOOK).env("SLURM_NODEID", "0"),
            "the only task of its node",
        ),
        (
            home.task("0", LOOK).env("SLURM_STEP_TASKS_PER_NODE", ""),
            "what Slurm says can't be read",
        ),
    ] {
        let outcome = other.run();
        assert!(!outcome.stdout.ends_with("\n1\n"), "{what}: {outcome}");
    }
    first.kill();
    let outcome = first.wait();
    assert!(
        outcome.stdout.starts_with(told.lines().next().unwrap()),
        "{outcome}"
    );
    home.assert_nothing_left_of(&outcome);
}

/// Who shares without Slurm says so, by a name.
#[test]
fn tasks_share_by_a_name_too() {
    let home = Home::new("");
    let named = |script: &str| {
        home.shifter("plain")
            .args(["--share-tasks=mine", "sh", "-c", script])
    };
    let mut first = sleeping(named(SLEEP));
    assert!(named(LOOK).expect(0).stdout.ends_with("\n1\n"));
    first.kill();
    home.assert_nothing_left_of(&first.wait());
    let refused = home
        .shifter("plain")
        .args(["--share-tasks", "true"])
        .expect(125);
    assert!(
        refused.one_line().contains("no task of a job's step"),
        "{refused}"
    );
}

/// As MPI libraries do, in each direction.
#[test]
fn a_task_copies_from_anothers_memory() {
    require_program("/usr/bin/python3", "python3");
    let home = Home::new(MODULE);
    let options = ["--module=host"];
    let hold = "import ctypes, os, time\nheld = ctypes.create_string_buffer(b'of the other', 16)\n\
                open('/home/user/told', 'w').write(f'{os.getpid()} {ctypes.addressof(held)}')\n\
                print('ready', flush=True)\n\
                while held.value != b'written': time.sleep(0.01)\nprint(held.value.decode())";
    let script = format!("exec /usr/bin/python3 -c \"{hold}\"");
    let first = sleeping(home.task_with("0", &options, &script));
    let told = home.told();
    let mut words = told.split(' ');
    let (pid, address) = (words.next().unwrap(), words.next().unwrap());
    let copy = format!(
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n\
         class Piece(ctypes.Structure): _fields_ = [('at', ctypes.c_void_p), ('size', ctypes.c_size_t)]\n\
         own = ctypes.create_string_buffer(16)\n\
         there, here = Piece({address}, 12), Piece(ctypes.addressof(own), 12)\n\
         got = libc.process_vm_readv({pid}, ctypes.byref(here), 1, ctypes.byref(there), 1, 0)\n\
         print(got, own.value.decode(), ctypes.get_errno())\n\
         own.value = b'written'\nthere.size = here.size = 8\n\
         print(libc.process_vm_writev({pid}, ctypes.byref(here), 1, ctypes.byref(there), 1, 0))\n\
         print(libc.process_vm_readv(1, ctypes.byref(here), 1, ctypes.byref(there), 1, 0), ctypes.get_errno())"
    );
    let script = format!("exec /usr/bin/python3 -c \"{copy}\"");
    let outcome = home.task_with("0", &options, &script).expect(0);
    // The keeper's memory is nobody's.
    assert_eq!(outcome.stdout, "12 of the other 0\n8\n-1 1\n", "{outcome}");
    let outcome = first.finish();
    assert!(outcome.stdout.ends_with("\nwritten\n"), "{outcome}");
    home.assert_nothing_left_of(&outcome);
}

/// The first processes are there for all tasks to see, and would be a way out (CVE-2016-9962).
#[test]
fn nothing_of_the_hosts_is_to_be_had_through_those_that_others_see() {
    let home = Home::new("");
    let mut first = sleeping(home.task("0", SLEEP));
    // 1 is the keeper, 2 the other task's first process, 3 its command.
    let script = "for file in root/etc cwd/etc fd/0 fd/3 environ maps mem; do \
                    for pid in 1 2; do cat /proc/$pid/$file >/dev/null 2>&1 && echo $pid $file; \
                                       ls /proc/$pid/$file/ >/dev/null 2>&1 && echo $pid $file; done; done; \
                  cat /proc/1/cmdline /proc/2/cmdline | grep -c shifter; \
                  grep -h -e ^Cap -e ^NoNew /proc/1/status; ls /proc/3/root/usr";
    let outcome = home.task("0", script).expect(0);
    let nothing = "0000000000000000\n";
    let wanted = format!(
        "0\nCapInh:\t{nothing}CapPrm:\t{nothing}CapEff:\t{nothing}CapBnd:\t{bounds}\nCapAmb:\t{nothing}NoNewPrivs:\t1\nlib\n",
        bounds = outcome
            .stdout
            .lines()
            .find_map(|line| line.strip_prefix("CapBnd:\t"))
            .unwrap_or_default()
    );
    assert_eq!(outcome.stdout, wanted, "{outcome}");
    first.kill();
    home.assert_nothing_left_of(&first.wait());
}

#[test]
fn of_many_tasks_at_once_one_makes_what_they_share() {
    let home = Home::new("");
    let script = "ls -l /proc/self/ns/pid | grep -o pid:.*; read end";
    let tasks: Vec<Running> = (0..12).map(|_| home.task("0", script).start()).collect();
    let told: Vec<String> = tasks
        .into_iter()
        .map(|mut task| {
            task.wait_for("\n");
            task
        })
        // All of them, before one ends.
        .collect::<Vec<_>>()
        .into_iter()
        .map(|task| {
            let outcome = task.finish();
            home.site.assert_nothing_left(&outcome);
            outcome.stdout
        })
        .collect();
    assert!(told.iter().all(|one| one == &told[0]), "{told:?}");
    wait_until("the keeper has ended", SOON, || {
        host::names_in(&home.state()).is_empty()
    });
}

#[test]
fn every_task_ends_with_the_keeper() {
    let home = Home::new("");
    let tasks: Vec<Running> = (0..3).map(|_| sleeping(home.task("0", SLEEP))).collect();
    kill(keeper(&home.told()), Signal::SIGKILL).expect("kill");
    for task in tasks {
        let outcome = task.wait();
        assert_eq!(outcome.code, Some(137), "{outcome}");
    }
    // What a killed keeper leaves is a socket, until the next task comes.
    assert_eq!(home.sockets().len(), 1);
    let outcome = home.task("1", "true").expect(0);
    home.assert_nothing_left_of(&outcome);
}

/// Also what has left its parent and its session, and where the task's own first process was killed.
#[test]
fn what_a_task_leaves_running_ends_with_it_and_the_others_go_on() {
    let home = Home::new("");
    // What a task that goes on has left to itself goes on as well.
    let mut other = sleeping(home.task("0", &format!("(sleep 6543 & ); {SLEEP}")));
    let left = "(sleep 5432 >/dev/null 2>&1 & ) ; sleep 5432 >/dev/null 2>&1 & ";
    let sleeps = |seconds: &'static str| {
        let wanted = format!("sleep sleep {seconds} ");
        move || host::processes(|shown| shown.starts_with(&wanted)).len()
    };
    let running = sleeps("5432");
    let many =
        format!("for number in 1 2 3 4 5 6 7 8 9; do {left} {left} {left} {left} {left} done");
    home.task("0", &format!("{many}; echo done")).expect(0);
    // At once: who waits for the task is told when nothing of it is left.
    assert_eq!(running(), 0);
    // By its command.
    let outcome = home
        .task(
            "0",
            &format!("{left} echo $$; kill -KILL $PPID; sleep 5432"),
        )
        .run();
    assert_eq!(outcome.code, Some(137), "{outcome}");
    wait_until(
        "what a task without first process left has ended",
        SOON,
        || running() == 0,
    );
    // With both of its runtime's processes at once.
    let mut task = sleeping(home.task("0", &format!("{left} echo ready; sleep 5432")));
    let worker = host::child_of(task.pid());
    kill(Pid::from_raw(worker), Signal::SIGKILL).expect("kill");
    task.kill();
    let _ = task.wait();
    wait_until("what a killed task left has ended", SOON, || running() == 0);
    assert!(!other.has_ended());
    assert_eq!(sleeps("6543")(), 1);
    other.kill();
    let _ = other.wait();
    // What two that were killed at once have left, the next run sweeps.
    home.assert_nothing_left_of(&home.task("1", "true").expect(0));
}

/// Who waits for a task is told when nothing of it is left: the task has the keeper sweep, and waits for that.
#[test]
fn a_task_has_not_ended_before_what_it_left_has() {
    let home = Home::new("");
    let mut other = sleeping(home.task("0", SLEEP));
    let keeper = keeper(&home.told());
    let states = || host::names_in(&home.state()).len();
    let before = states();
    let left = "(sleep 7654 >/dev/null 2>&1 & )";
    let script = format!("{left}; echo ready; read end");
    let mut task = home.task("0", &script).start();
    task.wait_for("ready");
    kill(keeper, Signal::SIGSTOP).expect("stop the keeper");
    task.write(b"\n");
    wait_until("its container is gone", SOON, || states() == before);
    std::thread::sleep(std::time::Duration::from_millis(500));
    let is_left = || !host::processes(|shown| shown.starts_with("sleep sleep 7654 ")).is_empty();
    let has_waited = !task.has_ended();
    kill(keeper, Signal::SIGCONT).expect("let the keeper go on");
    let outcome = task.wait();
    assert!(has_waited && !is_left(), "{has_waited} {outcome}");
    assert_eq!(outcome.code, Some(0), "{outcome}");
    other.kill();
    let _ = other.wait();
    home.assert_nothing_left_of(&outcome);
}

/// Somebody else than a keeper who answers at its place: a command that reaches the directory could, and would have a task
/// join its own.
#[test]
fn who_is_no_keeper_is_not_believed() {
    require_program("/usr/bin/python3", "python3");
    let home = Home::new("");
    let task = sleeping(home.task("0", SLEEP));
    let name = home.sockets().remove(0);
    kill(keeper(&home.told()), Signal::SIGKILL).expect("kill");
    let _ = task.wait();
    let mut other = sleeping(home.task("1", SLEEP));
    let mut names = home.sockets();
    names.retain(|other| *other != name);
    let ids = [&format!("--reuid={USER}"), &format!("--regid={USER}")];
    let script = home
        .site
        .file("imposter.py", include_str!("../imposter.py"));
    let imposter = Tool::new("setpriv")
        .args(ids)
        .args(["--clear-groups", "/usr/bin/python3"])
        .arg(script)
        .arg(home.state().join(name))
        .arg(home.state().join(names.remove(0)));
    let mut imposter = sleeping(imposter);
    let outcome = home.task("0", "echo ran").run();
    assert_eq!(
        (outcome.code, &*outcome.stdout),
        (Some(125), ""),
        "{outcome}"
    );
    assert!(outcome.one_line().contains("is no keeper"), "{outcome}");
    imposter.kill();
    let _ = imposter.wait();
    other.kill();
    let _ = other.wait();
    let outcome = home.task("0", "echo ran").expect(0);
    home.assert_nothing_left_of(&outcome);
}

#[test]
fn sharing_is_told_before() {
    let home = Home::new("");
    let told = home.task_with("0", &["--dry-run"], "true").expect(0);
    let spec: Value = serde_json::from_str(&told.stdout).expect("JSON");
    let why = &spec["annotations"]["org.opt-runtime.exception.shared-tasks"];
    let why = why.as_str().expect("an exception");
    assert!(
        why.contains("step 17.0") && why.contains("see each other's processes"),
        "{why}"
    );
    let alone = home
        .task_with("0", &["--no-share-tasks", "--dry-run"], "true")
        .expect(0);
    assert!(!alone.stdout.contains("shared-tasks"), "{alone}");
    // Nobody was made for it.
    assert_eq!(home.sockets(), [""; 0]);
    home.assert_nothing_left(&told);
}

/// Others' bundles can't ask for it, whatever namespace they name.
#[test]
fn root_shares_nothing() {
    let home = Home::new("");
    let outcome = home
        .site
        .shifter()
        .args(["--share-tasks=mine", "true"])
        .expect(125);
    assert!(
        outcome.one_line().contains("containers that root makes"),
        "{outcome}"
    );
    let step = of_step(home.site.shifter(), "0").args(["sh", "-c", LOOK]);
    let outcome = step.run();
    assert!(outcome.stdout.ends_with("\n0\n"), "{outcome}");
    assert_eq!(home.sockets(), [""; 0]);
    home.site.assert_nothing_left(&outcome);
}
