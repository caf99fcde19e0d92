//! Cgroups that root gives to an ordinary user.

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{Tool, cgroup, host};

/// What root gives: a cgroup in each hierarchy, with another in it for the user's own processes on version 2,
/// where none may be beside those of the containers.
#[derive(Debug)]
pub struct Delegated {
    /// The cgroups themselves.
    pub roots: Vec<PathBuf>,
    /// Those for the user's own processes.
    pub own: Vec<PathBuf>,
}

impl Delegated {
    /// To the user `uid`; `name` is the test's.
    pub fn to(uid: u32, name: &str) -> Self {
        let name = format!("test-delegated-{}-{name}", std::process::id());
        let mut delegated = Self {
            roots: vec![],
            own: vec![],
        };
        for mount_point in cgroup::mount_points() {
            let root = mount_point.join(&name);
            fs::create_dir(&root).expect("make a cgroup");
            delegated.roots.push(root.clone());
            give(&root, uid);
            // A new one of version 1 is empty, and takes no process.
            for file in ["cpuset.cpus", "cpuset.mems"] {
                let there = fs::read_to_string(root.join(file)).unwrap_or_default();
                if !cgroup::is_v2() && root.join(file).exists() && there.trim().is_empty() {
                    let all = fs::read_to_string(mount_point.join(file)).expect("the root's");
                    fs::write(root.join(file), all.trim()).expect("give processors");
                }
            }
            let is_unified = root.join("cgroup.controllers").exists();
            let own = if is_unified {
                root.join("caller")
            } else {
                root
            };
            if is_unified {
                fs::create_dir(&own).expect("make a cgroup");
                give(&own, uid);
            }
            delegated.own.push(own);
        }
        delegated
    }

    /// Has `tool` begin in the cgroups for the user's own processes.
    #[must_use]
    pub fn hold(&self, tool: Tool) -> Tool {
        cgroup::hold(tool, &self.own)
    }

    /// What is there besides what root made.
    pub fn others(&self) -> Vec<PathBuf> {
        let below = |root: &PathBuf| directories(root);
        let mut all: Vec<PathBuf> = self.roots.iter().flat_map(below).collect();
        all.retain(|path| !self.own.contains(path));
        all
    }
}

impl Drop for Delegated {
    fn drop(&mut self) {
        let others = self.others();
        for directory in others.iter().chain(&self.own).chain(&self.roots) {
            // A process that was killed leaves its cgroup a moment later.
            for _ in 0..100 {
                match fs::remove_dir(directory) {
                    Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                        std::thread::sleep(Duration::from_millis(10));
                    }
                    _ => break,
                }
            }
        }
    }
}

/// What a manager that delegates gives: the directory, and the files by which processes and controllers move.
fn give(directory: &Path, uid: u32) {
    let files = [
        "",
        "cgroup.procs",
        "tasks",
        "cgroup.subtree_control",
        "cgroup.threads",
    ];
    for file in files.map(|file| directory.join(file)) {
        if file.exists() {
            chown(&file, Some(uid), Some(uid)).expect("chown");
        }
    }
}

fn directories(of: &Path) -> Vec<PathBuf> {
    let names = host::names_in(of).into_iter().map(|name| of.join(name));
    names.filter(|path| path.is_dir()).collect()
}
