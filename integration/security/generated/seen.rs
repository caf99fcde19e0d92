//! A created process as anybody may see it in `/proc`, and what must be true of it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use serde_json::Value;

/// A line of mountinfo.
#[derive(Debug, Clone)]
struct Mount {
    root: String,
    path: String,
    options: Vec<String>,
    is_shared: bool,
    kind: String,
}

impl Mount {
    fn read(line: &str) -> Self {
        let (own, file_system) = line.split_once(" - ").expect("a separator");
        let fields: Vec<&str> = own.split(' ').collect();
        Self {
            root: fields[3].to_owned(),
            path: fields[4].to_owned(),
            options: fields[5].split(',').map(str::to_owned).collect(),
            is_shared: fields[6..].iter().any(|field| field.starts_with("shared:")),
            kind: file_system.split(' ').next().expect("a type").to_owned(),
        }
    }

    fn has(&self, option: &str) -> bool {
        self.options.iter().any(|have| have == option)
    }
}

/// A created process, and the specification that it was created from.
#[derive(Debug)]
pub struct Seen {
    process: PathBuf,
    spec: Value,
    status: BTreeMap<String, String>,
    mounts: Vec<Mount>,
}

/// Kernel interfaces that tell of the host, and those that change it.
const MASKED: [&str; 8] = [
    "/proc/kcore",
    "/proc/keys",
    "/proc/timer_list",
    "/proc/kallsyms",
    "/proc/modules",
    "/proc/acpi",
    "/proc/scsi",
    "/proc/interrupts",
];
const READ_ONLY: [&str; 4] = ["/proc/sys", "/proc/irq", "/proc/bus", "/proc/sysrq-trigger"];

/// The one way to write a path: mountinfo's.
fn plain(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    format!("/{}", parts.join("/"))
}

/// Where a mount of a specification is.
fn destination(mount: &Value) -> String {
    plain(mount["destination"].as_str().expect("a path"))
}

impl Seen {
    /// Reads what `/proc` says of it.
    pub fn of(pid: i64, spec: &Value) -> Self {
        let process = PathBuf::from(format!("/proc/{pid}"));
        let read = |name: &str| fs::read_to_string(process.join(name)).expect("it is there");
        let fields = |line: &str| {
            let (name, value) = line.split_once(':').expect("a field");
            (name.to_owned(), value.trim().to_owned())
        };
        Self {
            status: read("status").lines().map(fields).collect(),
            mounts: read("mountinfo").lines().map(Mount::read).collect(),
            spec: spec.clone(),
            process,
        }
    }

    /// As if what the runtime itself mounts were closed, as it is where there is a promise: no `config.json` says it, and
    /// so it can't be taken out of one.
    pub fn with_the_runtimes_own_closed(mut self) -> Self {
        let specs: Vec<String> = self.mounts_of_spec().iter().map(destination).collect();
        let own = self.mounts.iter_mut();
        for mount in own.filter(|mount| !specs.contains(&mount.path)) {
            mount.options.extend(["nosuid", "nodev"].map(str::to_owned));
        }
        self
    }

    fn kind(&self) -> &str {
        self.spec["annotations"]["org.opt-runtime.sealed"]
            .as_str()
            .expect("a promise")
    }

    fn namespaces(&self) -> Vec<&str> {
        let all = self.spec["linux"]["namespaces"]
            .as_array()
            .expect("namespaces");
        all.iter()
            .filter_map(|namespace| namespace["type"].as_str())
            .collect()
    }

    fn mounts_of_spec(&self) -> &[Value] {
        self.spec["mounts"].as_array().expect("mounts")
    }

    /// The mount on a path that is seen there: the last one.
    fn top(&self, path: &str) -> Option<&Mount> {
        self.mounts.iter().rev().find(|mount| mount.path == path)
    }

    /// The whole promise, as its documentation puts it.
    pub fn is_sealed(&self) {
        self.has_no_privilege();
        self.is_nobody();
        self.has_its_own_world();
        self.has_harmless_mounts();
        self.hides_the_kernel();
        self.inherits_nothing();
    }

    fn has_no_privilege(&self) {
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(self.status[set], "0000000000000000", "{set}");
        }
        assert_eq!(self.status["NoNewPrivs"], "1");
        assert_eq!(self.status["Seccomp"], "2");
        assert_ne!(self.status["Seccomp_filters"], "0");
    }

    /// The id on the host of one inside.
    fn on_host(&self, id: u64, key: &str) -> u64 {
        if !self.namespaces().contains(&"user") {
            return id;
        }
        let maps = self.spec["linux"][key].as_array().expect("mappings");
        let mapped = maps.iter().find_map(|map| {
            let offset = id.checked_sub(map["containerID"].as_u64()?)?;
            (offset < map["size"].as_u64()?)
                .then(|| map["hostID"].as_u64().map(|first| first + offset))?
        });
        mapped.expect("an id that is mapped")
    }

    fn is_nobody(&self) {
        let user = &self.spec["process"]["user"];
        for (name, key, maps) in [("Uid", "uid", "uidMappings"), ("Gid", "gid", "gidMappings")] {
            let wanted = self.on_host(user[key].as_u64().expect("an id"), maps);
            assert_ne!(wanted, 0, "{name}");
            for seen in self.status[name].split_whitespace() {
                assert_eq!(seen, wanted.to_string(), "{name}");
            }
        }
        let listed = user["additionalGids"].as_array().into_iter().flatten();
        let mut wanted: Vec<u64> = listed
            .map(|gid| self.on_host(gid.as_u64().expect("a group"), "gidMappings"))
            .collect();
        let groups = self.status["Groups"].split_whitespace();
        let mut seen: Vec<u64> = groups.map(|gid| gid.parse().expect("a group")).collect();
        // Two that are the same give no more than one.
        for groups in [&mut wanted, &mut seen] {
            groups.sort_unstable();
            groups.dedup();
        }
        assert_eq!(seen, wanted, "groups");
    }

    fn has_its_own_world(&self) {
        let wanted: &[&str] = match self.kind() {
            "opt-server" => &["mnt", "pid", "ipc", "uts", "net", "cgroup", "user"],
            _ => &["mnt", "pid"],
        };
        for name in wanted {
            let path = format!("ns/{name}");
            let theirs = fs::read_link(self.process.join(&path)).expect("a namespace");
            let ours = fs::read_link(Path::new("/proc/self").join(&path)).expect("a namespace");
            assert_ne!(theirs, ours, "{name}");
        }
        let root = fs::metadata(self.process.join("root")).expect("a root");
        let ours = fs::metadata("/").expect("a root");
        assert_ne!(
            (root.dev(), root.ino()),
            (ours.dev(), ours.ino()),
            "its root is the host's"
        );
    }

    /// Paths that the specification lists below `linux`.
    fn listed(&self, key: &str) -> Vec<String> {
        let paths = self.spec["linux"][key].as_array().into_iter().flatten();
        paths.filter_map(|path| path.as_str()).map(plain).collect()
    }

    /// Whether a line is what the runtime hides a directory by.
    fn is_mask(line: &Mount, masked: &[String]) -> bool {
        masked.contains(&line.path) && line.kind == "tmpfs" && line.has("ro")
    }

    /// Whether a mask is there or above, over all else.
    fn hides(&self, path: &str, masked: &[String]) -> bool {
        let above = Path::new(path).ancestors().filter_map(Path::to_str);
        let mut tops = above.filter_map(|path| self.top(path));
        tops.any(|line| Self::is_mask(line, masked) || line.root == "/null")
    }

    fn has_harmless_mounts(&self) {
        let masked = self.listed("maskedPaths");
        for mount in &self.mounts {
            assert!(mount.has("nosuid"), "{mount:?}");
            assert!(!mount.is_shared, "{mount:?}");
            assert!(!mount.kind.starts_with("cgroup"), "{mount:?}");
            let may_have_devices = mount.path == "/dev"
                || mount.path.starts_with("/dev/")
                || mount.kind == "devpts"
                || masked.contains(&mount.path);
            assert!(mount.has("nodev") || may_have_devices, "{mount:?}");
            if mount.kind == "proc" && mount.path != "/proc" {
                assert!(
                    mount.has("ro") && mount.path == format!("/proc{}", mount.root),
                    "{mount:?}"
                );
            }
        }
        for mount in self.mounts_of_spec() {
            let path = destination(mount);
            let is_own_dev = path == "/dev" || mount["type"] == "devpts";
            let mut lines = self
                .mounts
                .iter()
                .filter(|line| line.path == path && !Self::is_mask(line, &masked));
            assert!(
                is_own_dev || lines.all(|line| line.has("nodev") || line.kind == "devpts"),
                "{mount}"
            );
        }
        let is_read_only = self.spec["root"]["readonly"] == true;
        assert!(!is_read_only || self.top("/").expect("a root").has("ro"));
    }

    fn hides_the_kernel(&self) {
        if self.top("/proc").is_none() {
            return;
        }
        let inside = |path: &str| self.process.join("root").join(&path[1..]);
        for path in MASKED {
            let Ok(found) = fs::metadata(inside(path)) else {
                continue;
            };
            let is_null = found.file_type().is_char_device() && found.rdev() == libc::makedev(1, 3);
            let is_empty =
                found.is_dir() && fs::read_dir(inside(path)).expect("a directory").count() == 0;
            let is_file = self.top(path).is_some_and(|mount| mount.kind != "proc");
            assert!((is_null || is_empty) && is_file, "{path} shows through");
        }
        for path in READ_ONLY {
            if inside(path).exists() {
                let line = self
                    .top(path)
                    .unwrap_or_else(|| panic!("{path} is no mount"));
                assert!(line.has("ro"), "{path} can be written to");
            }
        }
    }

    fn inherits_nothing(&self) {
        for entry in fs::read_dir(self.process.join("fdinfo")).expect("descriptors") {
            let entry = entry.expect("a descriptor");
            let number: u32 = entry
                .file_name()
                .to_string_lossy()
                .parse()
                .expect("a number");
            // It may have been closed just now.
            let Ok(text) = fs::read_to_string(entry.path()) else {
                continue;
            };
            let flags = text
                .lines()
                .find_map(|line| line.strip_prefix("flags:"))
                .expect("flags");
            let flags = i32::from_str_radix(flags.trim(), 8).expect("flags");
            assert!(
                number <= 2 || flags & libc::O_CLOEXEC != 0,
                "descriptor {number}: {text}"
            );
        }
    }

    /// What `explain` lists is what is mounted, and nothing else is but the root, and what the specification hides or
    /// closes.
    pub fn is_explained(&self, explained: &Value) {
        let listed = explained["mounts"].as_array().expect("mounts");
        let mut left = self.mounts.clone();
        let masked = self.listed("maskedPaths");
        let is_listed = |line: &Mount| {
            let mut listed = listed.iter();
            listed.any(|mount| {
                mount["path"]
                    .as_str()
                    .is_some_and(|path| plain(path) == line.path)
            })
        };
        // Where both are, the mask is the last.
        for path in &masked {
            let is_it = |line: &Mount| {
                line.path == *path && Self::is_mask(line, &masked) && is_listed(line)
            };
            if let Some(at) = left.iter().rposition(is_it) {
                left.remove(at);
            }
        }
        let mut on_dev = self.mounts_of_spec().iter();
        let on_dev = on_dev.rfind(|mount| destination(mount) == "/dev");
        let is_dev_bound = on_dev.is_some_and(|mount| mount["type"] != "tmpfs");
        // What a bind mount on /dev covers is taken away by the runtime; all else that is covered is in mountinfo still.
        let is_taken_away = |mount: &&Value| is_dev_bound && mount["covered_by"] == "/dev";
        for mount in listed.iter().filter(|mount| !is_taken_away(mount)) {
            let path = plain(mount["path"].as_str().expect("a path"));
            let mut lines = left.iter();
            // The last one is what is seen there.
            let at = match mount["covered_by"].is_null() {
                true => lines.rposition(|line| line.path == path),
                false => lines.position(|line| line.path == path),
            };
            let at = at.unwrap_or_else(|| panic!("{path} is explained, and no mount: {left:#?}"));
            let line = left.remove(at);
            let access = if self.hides(&path, &masked) {
                "hidden"
            } else if line.has("ro") {
                "read-only"
            } else {
                "read-write"
            };
            assert_eq!(mount["access"], access, "{line:?}");
            assert_eq!(
                mount["hidden_by"].is_string(),
                access == "hidden",
                "{mount}"
            );
        }
        let closed = [masked, self.listed("readonlyPaths")].concat();
        let recursive: Vec<String> = self
            .mounts_of_spec()
            .iter()
            .filter(|mount| {
                mount["options"]
                    .as_array()
                    .is_some_and(|all| all.iter().any(|one| one == "rbind"))
            })
            .map(destination)
            .collect();
        for line in left {
            // Where libcontainer makes devices, below what is mounted on /dev.
            let is_scratch = line.path == "/dev" && is_dev_bound;
            let is_device = line.path.starts_with("/dev/") && line.path.matches('/').count() == 2;
            let comes_along = recursive
                .iter()
                .any(|path| line.path.starts_with(&format!("{path}/")));
            // A path is made read-only by a mount of it on itself, with all that is below.
            let is_below_closed = closed
                .iter()
                .any(|path| line.path.starts_with(&format!("{path}/")));
            let is_it = |other: &&Mount| (&other.path, &other.root) == (&line.path, &line.root);
            let comes_twice = is_below_closed && self.mounts.iter().filter(is_it).count() > 1;
            let is_known = line.path == "/"
                || closed.contains(&line.path)
                || is_device
                || is_scratch
                || comes_along
                || comes_twice;
            assert!(is_known, "mounted, and not explained: {line:?}");
        }
    }
}
