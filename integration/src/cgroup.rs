//! A process's cgroups on this host, whatever its layout: v1, hybrid or v2.

use std::fs;
use std::path::{Path, PathBuf};

use crate::Tool;

/// How the host's cgroups are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Version 1 only.
    V1,
    /// Version 1, and version 2 beside it.
    Hybrid,
    /// Version 2 only.
    V2,
}

/// This host's.
pub fn layout() -> Layout {
    let has_version_1 = hierarchies().iter().any(|(_, names)| !names.is_empty());
    match (has_version_1, mount_point("").is_some()) {
        (true, false) => Layout::V1,
        (true, true) => Layout::Hybrid,
        (false, _) => Layout::V2,
    }
}

/// Whether this host's limits are version 2's.
pub fn is_v2() -> bool {
    layout() == Layout::V2
}

/// Tells why a test doesn't apply on a host of this layout: see [`crate::skip`].
pub fn skip(why: &str) {
    crate::skip(&format!("{why} (this host: {:?})", layout()));
}

/// The mounted hierarchies, each with the names of its controllers, or `name=NAME`; none for version 2.
fn hierarchies() -> Vec<(PathBuf, Vec<String>)> {
    let text = fs::read_to_string("/proc/self/mountinfo").expect("mountinfo");
    let lines = text.lines().filter_map(|line| {
        let (before, after) = line.split_once(" - ")?;
        let mut after = after.split(' ');
        let names = match after.next()? {
            "cgroup" => after.nth(1)?.split(',').map(str::to_owned).collect(),
            "cgroup2" => vec![],
            _ => return None,
        };
        Some((before.split(' ').nth(4)?.into(), names))
    });
    lines.collect()
}

/// Where the hierarchy with `controller` is mounted; with an empty name, that of version 2.
pub fn mount_point(controller: &str) -> Option<PathBuf> {
    let found = hierarchies()
        .into_iter()
        .find(|(_, names)| match controller {
            "" => names.is_empty(),
            _ => names.iter().any(|name| name == controller),
        });
    found.map(|(mount_point, _)| mount_point)
}

/// Where all hierarchies are mounted.
pub fn mount_points() -> Vec<PathBuf> {
    hierarchies()
        .into_iter()
        .map(|(mount_point, _)| mount_point)
        .collect()
}

/// The lines of `/proc/PID/cgroup` as controllers and path.
pub fn paths(pid: i32) -> Vec<(String, String)> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup")).expect("the process's cgroups");
    let lines = text.lines().map(|line| {
        let mut fields = line.splitn(3, ':').skip(1);
        let mut field = || fields.next().expect("a field").to_owned();
        (field(), field())
    });
    lines.collect()
}

/// The directory of the cgroup of `pid` that has the files of `controller`.
///
/// # Panics
/// Where no hierarchy has it.
pub fn directory(pid: i32, controller: &str) -> PathBuf {
    let name = match mount_point(controller) {
        Some(_) => controller,
        None => "",
    };
    let mount_point = mount_point(name).expect("a hierarchy");
    let path = paths(pid).into_iter().find(|(names, _)| match name {
        "" => names.is_empty(),
        _ => names.split(',').any(|one| one == name),
    });
    let (_, path) = path.expect("the process's cgroup there");
    mount_point.join(path.trim_start_matches('/'))
}

/// What a file of the cgroup of `pid` says; nothing where it isn't there.
pub fn read(pid: i32, controller: &str, file: &str) -> Option<String> {
    read_in(&directory(pid, controller), file)
}

/// What a file in a cgroup's directory says.
pub fn read_in(directory: &Path, file: &str) -> Option<String> {
    let text = fs::read_to_string(directory.join(file)).ok()?;
    Some(text.trim_end().to_owned())
}

/// Joins the cgroups whose lists of processes are named before the two dashes, and becomes what is named after them.
const ENTER: &str = "
    while [ \"$1\" != -- ]; do
        echo $$ >\"$1\" || exit 99
        shift
    done
    shift
    exec \"$@\"
";

/// Has `tool` begin in these cgroups.
#[must_use]
pub fn hold(tool: Tool, cgroups: &[PathBuf]) -> Tool {
    let lists = cgroups.iter().map(|path| path.join("cgroup.procs"));
    let lists: Vec<String> = lists.map(|path| path.display().to_string()).collect();
    let mut words = vec!["-c", ENTER, "sh"];
    words.extend(lists.iter().map(String::as_str));
    words.push("--");
    tool.within("sh", &words)
}

/// A frozen cgroup, thawed and gone when dropped.
#[derive(Debug)]
pub struct Frozen {
    directory: PathBuf,
    file: &'static str,
    thawed: &'static str,
}

impl Frozen {
    /// Makes it, with this name below the root of its hierarchy.
    pub fn new(name: &str) -> Self {
        let (root, file, [frozen, thawed]) = match mount_point("freezer") {
            Some(freezer) => (freezer, "freezer.state", ["FROZEN", "THAWED"]),
            None => (
                mount_point("").expect("version 2"),
                "cgroup.freeze",
                ["1", "0"],
            ),
        };
        let directory = root.join(name);
        fs::create_dir(&directory).expect("make a cgroup");
        let made = Self {
            directory,
            file,
            thawed,
        };
        fs::write(made.directory.join(file), frozen).expect("freeze it");
        made
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // What a runtime has put into it ends once it runs.
        let _ = fs::write(self.directory.join(self.file), self.thawed);
        let _ = fs::remove_dir(&self.directory);
    }
}
