//! An ordinary user with a bundle and a state directory of his own: a user namespace instead of root.

use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::{Bench, Bundle, Tool, cgroup, plain};

/// An ordinary user.
#[derive(Debug)]
pub struct Ordinary {
    /// His place.
    pub bench: Bench,
    /// His bundle.
    pub bundle: Bundle,
    /// His uid, and gid.
    pub uid: u32,
    /// The cgroups that he is in, where he isn't in the test's.
    pub cgroups: Vec<PathBuf>,
    /// The groups that he is in beside his own.
    pub groups: Vec<u32>,
    runtime: PathBuf,
}

impl Ordinary {
    /// The user `uid`, whose bundle runs `arguments` as its root.
    pub fn new(uid: u32, arguments: &[&str]) -> Self {
        let bench = Bench::new();
        let bundle = plain::bundle(&bench, "mine", arguments);
        let runtime = bench.everybodys_runtime();
        for directory in [&bench.directory("state"), &bundle.rootfs()] {
            chown(directory, Some(uid), Some(uid)).expect("chown");
        }
        let ordinary = Self {
            bench,
            bundle,
            uid,
            cgroups: vec![],
            groups: vec![],
            runtime,
        };
        ordinary.map(json!([{ "containerID": 0, "hostID": uid, "size": 1 }]));
        ordinary
    }

    /// Gives the bundle a user namespace with these mappings, for users and groups.
    pub fn map(&self, mappings: Value) {
        self.bundle.edit(|spec| {
            let linux = &mut spec["linux"];
            linux["uidMappings"] = mappings.clone();
            linux["gidMappings"] = mappings;
            let namespaces = linux["namespaces"].as_array_mut().expect("namespaces");
            namespaces.retain(|namespace| namespace["type"] != "user");
            namespaces.push(json!({ "type": "user" }));
        });
    }

    /// `opt-runtime` on his state directory.
    pub fn runtime(&self) -> Tool {
        let uid = self.uid.to_string();
        let groups: Vec<String> = self.groups.iter().map(u32::to_string).collect();
        let groups = match &groups[..] {
            [] => "--clear-groups".to_owned(),
            some => format!("--groups={}", some.join(",")),
        };
        let tool = Tool::new("setpriv")
            .args(["--reuid", &uid, "--regid", &uid, &groups])
            .arg(&self.runtime)
            .arg("--root")
            .arg(self.bench.root())
            .current_dir(Path::new("/"));
        cgroup::hold(tool, &self.cgroups)
    }

    /// `opt-runtime run BUNDLE`.
    pub fn run(&self) -> Tool {
        self.runtime().arg("run").arg(&self.bundle.directory)
    }

    /// Creates the container `id`, with `globals` before the command. What it leaves running must not hold the
    /// test's pipes.
    #[track_caller]
    pub fn create(&self, globals: &[&str], id: &str) {
        let create = self.runtime().args(globals).args(["create", "--bundle"]);
        let create = create.arg(&self.bundle.directory).arg(id);
        let file = |name| self.bench.path(name);
        let outcome = create.run_into(&file("created.output"), &file("created.errors"));
        assert_eq!(outcome.code, Some(0), "{outcome}");
    }

    /// The state of the container `id`.
    #[track_caller]
    pub fn state(&self, id: &str) -> Value {
        let outcome = self.runtime().args(["state", id]).expect(0);
        serde_json::from_str(&outcome.stdout).expect("JSON")
    }

    /// Its status.
    #[track_caller]
    pub fn status(&self, id: &str) -> String {
        self.state(id)["status"]
            .as_str()
            .expect("a status")
            .to_owned()
    }

    /// Fails where one of his containers has left state.
    #[track_caller]
    pub fn assert_nothing_left(&self) {
        let left = self.bench.state_names();
        assert!(left.is_empty(), "{left:?}");
    }
}
