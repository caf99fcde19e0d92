//! What of ours there is on the host: mounts, cgroups, processes, loop devices, state, scratch.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill as kill_process};
use nix::unistd::Pid;

use crate::bench::PREFIX;
use crate::{Tool, cgroup};

/// The only child of process `pid`: of a foreground run that was called, the guardian, it is the worker.
pub fn child_of(pid: i32) -> i32 {
    let path = format!("/proc/{pid}/task/{pid}/children");
    let children = fs::read_to_string(path).expect("its children");
    children.trim().parse().expect("one child")
}

/// Sends SIGKILL to process `pid`, which must be there.
pub fn kill(pid: i32) {
    kill_process(Pid::from_raw(pid), Signal::SIGKILL).expect("kill");
}

/// Stops process `pid`, which must be there.
pub fn stop(pid: i32) {
    kill_process(Pid::from_raw(pid), Signal::SIGSTOP).expect("stop");
}

/// Lets process `pid`, which must be there, go on.
pub fn go_on(pid: i32) {
    kill_process(Pid::from_raw(pid), Signal::SIGCONT).expect("let go on");
}

/// The state of the process `pid` as proc_pid_stat(5) has it, `T` for a stopped one; `None` where there is no such process.
pub fn state_of(pid: i32) -> Option<char> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind its name, in which there may be anything.
    text.rsplit_once(") ")?.1.chars().next()
}

/// Whether this kernel has Landlock.
pub fn has_landlock() -> bool {
    let (no_attributes, size, tell_version) = (std::ptr::null::<u8>(), 0_usize, 1_u32);
    let number = libc::SYS_landlock_create_ruleset;
    // SAFETY: without attributes, it only tells its version.
    unsafe { libc::syscall(number, no_attributes, size, tell_version) > 0 }
}

/// The names in a directory, sorted; none where it doesn't exist.
pub fn names_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

/// The cgroups of every hierarchy whose name begins with `prefix`, at any depth.
pub fn cgroups(prefix: &str) -> Vec<PathBuf> {
    let mountinfo = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
    let mut waiting: Vec<PathBuf> = mountinfo
        .lines()
        .filter(|line| line.contains(" - cgroup"))
        .filter_map(|line| line.split(' ').nth(4).map(PathBuf::from))
        .collect();
    let mut found = vec![];
    while let Some(directory) = waiting.pop() {
        for name in names_in(&directory) {
            let path = directory.join(&name);
            if !path.is_dir() {
                continue;
            }
            if name.starts_with(prefix) {
                found.push(path.clone());
            }
            waiting.push(path);
        }
    }
    found.sort();
    found
}

/// The cgroups in whose path `mark` is, and not as the beginning of a longer number, those above first.
pub fn cgroups_with(mark: &str) -> Vec<PathBuf> {
    let is_marked = |path: &PathBuf| {
        let path = path.to_string_lossy();
        let mut ends = path.match_indices(mark).map(|(at, _)| at + mark.len());
        ends.any(|end| !path[end..].starts_with(|c: char| c.is_ascii_digit()))
    };
    let mut found = cgroups("");
    found.retain(is_marked);
    found
}

/// Removes the cgroups in whose path `mark` is, as far as nobody is in them.
pub fn remove_cgroups(mark: &str) {
    for path in cgroups_with(mark).iter().rev() {
        let _ = fs::remove_dir(path);
    }
}

/// The cgroups of the container `id`, in whichever state directory it is.
pub fn cgroups_of(id: &str) -> Vec<PathBuf> {
    let mut found = cgroups("opt-runtime-");
    found.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.trim_end_matches(".scope");
        name.ends_with(&format!("-{id}"))
    });
    found
}

/// The cgroups of runs (their ids are `run-PID-…`) whose process is gone.
pub fn orphaned_cgroups() -> Vec<PathBuf> {
    let mut found = cgroups("opt-runtime-");
    found.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let pid = name
            .split_once("-run-")
            .and_then(|(_, rest)| rest.split('-').next());
        let is_gone = pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists());
        // A run that ended since the list was made has taken its cgroup with it.
        is_gone && path.exists()
    });
    found
}

/// The live processes whose command line or name satisfies `wanted`, as "pid name".
pub fn processes(wanted: impl Fn(&str) -> bool) -> Vec<String> {
    names_in(Path::new("/proc"))
        .into_iter()
        .filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))
        .filter_map(|pid| {
            let process = Path::new("/proc").join(&pid);
            let name = fs::read_to_string(process.join("comm")).ok()?;
            let line = fs::read(process.join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let shown = format!("{} {line}", name.trim());
            wanted(&shown).then(|| format!("{pid} {shown}"))
        })
        .collect()
}

/// Everything that a run of ours could leave on the host, one line each.
///
/// Pids are left out, so that a long-lived process of the host's is the same line before and after.
pub fn snapshot() -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    let mut add = |kind: &str, items: Vec<String>| {
        lines.extend(items.into_iter().map(|item| format!("{kind} {item}")));
    };
    add("mount", mounts());
    let shown = |paths: Vec<PathBuf>| {
        paths
            .iter()
            .map(|path| path.display().to_string())
            .collect()
    };
    add("cgroup", shown(cgroups("opt-runtime")));
    add("hidden", below_version_2());
    add("loop", loop_devices());
    add("process", our_processes());
    add("state", names_in(Path::new("/run/opt-runtime")));
    add("state", names_in(Path::new("/run/shifter")));
    for place in ["/tmp", "/var/tmp", "/run", "/root", "/dev/shm"] {
        let mut names = names_in(Path::new(place));
        names.retain(|name| name.starts_with(PREFIX) || name.starts_with("opt-runtime-"));
        add(place, names);
    }
    lines
}

/// The lines of our own mountinfo in which the directory `place`, or a path below it, is.
pub fn mounts_below(place: &Path) -> Vec<String> {
    let place = place.display().to_string();
    let place = place.trim_end_matches('/');
    let text = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
    let lines = text.lines().filter(|line| line.contains(place));
    lines.map(str::to_owned).collect()
}

/// Mount points and file systems of the first process's namespace.
fn mounts() -> Vec<String> {
    let text = fs::read_to_string("/proc/1/mountinfo").expect("mountinfo of pid 1");
    text.lines()
        .filter_map(|line| {
            let (before, after) = line.split_once(" - ")?;
            let fields: Vec<&str> = before.split(' ').collect();
            let file_system = after.split(' ').next()?;
            Some(format!(
                "{} {} {file_system}",
                fields.get(4)?,
                fields.get(3)?
            ))
        })
        .collect()
}

/// What is in the directory that version 2's hierarchy is mounted on, where it is beside version 1's: a peer that is
/// kept from that one makes its directories there.
fn below_version_2() -> Vec<String> {
    let Some(place) = cgroup::mount_point("").filter(|_| !cgroup::is_v2()) else {
        return vec![];
    };
    // In a mount namespace of its own.
    let script = "umount --lazy \"$1\" && ls -A \"$1\"";
    let look = Tool::new("unshare").args(["--mount", "sh", "-c", script, "sh"]);
    let names = look.arg(place).expect(0).stdout;
    names.lines().map(str::to_owned).collect()
}

fn loop_devices() -> Vec<String> {
    names_in(Path::new("/sys/block"))
        .into_iter()
        .filter(|name| name.starts_with("loop"))
        .filter_map(|name| {
            let file = format!("/sys/block/{name}/loop/backing_file");
            Some(format!("{name} {}", fs::read_to_string(file).ok()?.trim()))
        })
        .collect()
}

/// Ours by name (libcontainer names its processes `youki:…`, the watcher is `opt-janitor`) or program.
fn our_processes() -> Vec<String> {
    let found = processes(|shown| {
        let name = shown.split(' ').next().unwrap_or_default();
        name.starts_with("opt-runtime")
            || name.starts_with("opt-server")
            || name.starts_with("opt-janitor")
            || name.starts_with("youki")
            // One that has ended waits for the host's first process, and has no command line any more.
            || name.starts_with("shifter") && shown.trim() != name
    });
    let name = |line: &String| line.split(' ').skip(1).collect::<Vec<_>>().join(" ");
    found.iter().map(name).collect()
}
