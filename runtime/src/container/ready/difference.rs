//! What the bundle of a request may have that the ready sandbox hasn't: nothing but what can be put right.

use std::mem;

use bundles::promise::{is_bind, why_key};
use oci_spec::runtime::{LinuxMemory, LinuxResources, LinuxSeccomp, Mount, Spec};

const OTHER_BUNDLE: &str = "its bundle would be another one";

/// What makes the ready sandbox the one that is asked for.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Difference {
    /// The mount at the working directory.
    pub project: Mount,
    /// A limit of memory, where it is another one.
    pub memory: Option<LinuxResources>,
}

impl Difference {
    /// Between the spec of a ready sandbox and a `wanted` one. They may differ in the command line, in one bind
    /// mount, at the working directory, and in a limit of memory. Both are what they were afterwards.
    ///
    /// # Errors
    /// What else they differ in.
    pub(super) fn between(ready: &mut Spec, wanted: &mut Spec) -> Result<Self, &'static str> {
        // Most of a spec, and copied with it if it were left in.
        let [of_ready, of_wanted] = [&mut *ready, &mut *wanted].map(|spec| set_filter(spec, None));
        let is_same_filter = of_ready == of_wanted;
        let found = Self::but_for_filters(ready, wanted);
        set_filter(ready, of_ready);
        set_filter(wanted, of_wanted);
        match is_same_filter {
            true => found,
            false => Err(OTHER_BUNDLE),
        }
    }

    fn but_for_filters(ready: &Spec, wanted: &Spec) -> Result<Self, &'static str> {
        let project = project(ready, wanted)?;
        let memory = memory(ready, wanted)?;
        let mut rest = wanted.clone();
        let why = why_key(project.destination());
        if let Some(annotations) = rest.annotations_mut() {
            annotations.remove(&why);
        }
        if let Some(mounts) = rest.mounts_mut() {
            mounts.retain(|mount| mount != project);
        }
        if let (Some(process), Some(other)) = (rest.process_mut(), ready.process()) {
            process.set_args(other.args().clone());
        }
        let limits = resources(ready).map(|resources| *resources.memory());
        let linux = rest.linux_mut().as_mut();
        let resources = linux.and_then(|linux| linux.resources_mut().as_mut());
        if let (Some(resources), Some(memory)) = (resources, limits) {
            resources.set_memory(memory);
        }
        if rest != *ready {
            return Err(OTHER_BUNDLE);
        }
        Ok(Self {
            project: project.clone(),
            memory,
        })
    }
}

/// Exchanges the system call filter; what it was.
fn set_filter(spec: &mut Spec, filter: Option<LinuxSeccomp>) -> Option<LinuxSeccomp> {
    let linux = spec.linux_mut().as_mut()?;
    mem::replace(linux.seccomp_mut(), filter)
}

fn resources(spec: &Spec) -> Option<&LinuxResources> {
    let linux = spec.linux().as_ref();
    linux.and_then(|linux| linux.resources().as_ref())
}

fn project<'a>(ready: &Spec, wanted: &'a Spec) -> Result<&'a Mount, &'static str> {
    let had = ready.mounts().as_deref().unwrap_or_default();
    let mut lacking = wanted
        .mounts()
        .iter()
        .flatten()
        .filter(|mount| !had.contains(mount));
    let (Some(project), None) = (lacking.next(), lacking.next()) else {
        return Err("it isn't one mount that is lacking");
    };
    let directory = wanted.process().as_ref().map(|process| process.cwd());
    if !is_bind(project) || Some(project.destination()) != directory {
        return Err("it isn't its working directory that is lacking");
    }
    Ok(project)
}

/// The wanted limit of memory, where it isn't the ready one.
fn memory(ready: &Spec, wanted: &Spec) -> Result<Option<LinuxResources>, &'static str> {
    let of = |spec| resources(spec).and_then(|resources| *resources.memory());
    let (had, wanted): (Option<LinuxMemory>, Option<LinuxMemory>) = (of(ready), of(wanted));
    match wanted {
        _ if wanted == had => Ok(None),
        None => Err("its memory would not be limited"),
        Some(wanted) => {
            let mut resources = LinuxResources::default();
            resources.set_memory(Some(wanted));
            Ok(Some(resources))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    /// With a change to what is wanted.
    type Change = fn(&mut Value);

    fn ready() -> Value {
        json!({
            "ociVersion": "1.2.1",
            "root": { "path": "rootfs", "readonly": true },
            "process": {
                "user": { "uid": 1, "gid": 1 }, "cwd": "/project", "args": ["/bin/solve"], "env": ["A=1"],
                "rlimits": [{ "type": "RLIMIT_CORE", "soft": 0, "hard": 0 }],
            },
            "mounts": [{ "destination": "/proc", "type": "proc", "source": "proc", "options": ["nosuid"] }],
            "linux": {
                "resources": { "memory": { "limit": 100, "swap": 100 }, "pids": { "limit": 5 } },
                "uidMappings": [{ "containerID": 0, "hostID": 70_000, "size": 64 }],
                "seccomp": { "defaultAction": "SCMP_ACT_ERRNO", "syscalls": [{ "names": ["read"], "action": "SCMP_ACT_ALLOW" }] },
            },
            "annotations": { "org.example.a": "b" },
        })
    }

    /// The same with a project and arguments.
    fn wanted() -> Value {
        let mut wanted = ready();
        wanted["process"]["args"] = json!(["/bin/solve", "model"]);
        let project = json!({
            "destination": "/project", "type": "bind", "source": "/srv/p", "options": ["bind", "rw", "nosuid"],
        });
        wanted["mounts"].as_array_mut().unwrap().push(project);
        wanted["annotations"][why_key("/project".as_ref())] = json!("the project");
        wanted
    }

    fn between(change: Change) -> Result<Option<i64>, &'static str> {
        let mut wanted = wanted();
        change(&mut wanted);
        let of = |value| serde_json::from_value::<Spec>(value).expect("a spec");
        let [ready, wanted] = [ready(), wanted].map(of);
        let (mut one, mut other) = (ready.clone(), wanted.clone());
        let found = Difference::between(&mut one, &mut other);
        assert_eq!((one, other), (ready, wanted), "both are as they were");
        let difference = found?;
        assert_eq!(difference.project.destination().to_str(), Some("/project"));
        let memory = difference.memory.and_then(|resources| *resources.memory());
        Ok(memory.and_then(|memory| memory.limit()))
    }

    #[test]
    fn a_project_arguments_and_memory_may_differ() {
        assert_eq!(between(|_| {}), Ok(None));
        let narrower: Change = |wanted| {
            wanted["linux"]["resources"]["memory"] = json!({ "limit": 50, "swap": 50 });
        };
        assert_eq!(between(narrower), Ok(Some(50)));
    }

    #[test]
    fn nothing_else_may() {
        let changes: [(&str, Change); 16] = [
            ("the filter", |wanted| {
                wanted["linux"]["seccomp"]["syscalls"][0]["names"] = json!(["read", "ptrace"])
            }),
            ("no filter", |wanted| {
                wanted["linux"].as_object_mut().unwrap().remove("seccomp");
            }),
            ("no project", |wanted| {
                wanted["mounts"].as_array_mut().unwrap().pop();
            }),
            ("another mount", |wanted| {
                let other = json!({ "destination": "/etc", "type": "bind", "source": "/etc", "options": ["bind"] });
                wanted["mounts"].as_array_mut().unwrap().push(other);
            }),
            ("a mount less", |wanted| {
                wanted["mounts"].as_array_mut().unwrap().remove(0);
            }),
            ("a mount's options", |wanted| {
                wanted["mounts"][0]["options"] = json!([])
            }),
            ("another place", |wanted| {
                wanted["mounts"][1]["destination"] = json!("/tmp")
            }),
            ("no bind mount", |wanted| {
                wanted["mounts"][1]["type"] = json!("tmpfs");
                wanted["mounts"][1]["options"] = json!(["nosuid"]);
            }),
            ("ids", |wanted| {
                wanted["linux"]["uidMappings"][0]["hostID"] = json!(0)
            }),
            ("the user", |wanted| {
                wanted["process"]["user"]["uid"] = json!(0)
            }),
            ("environment", |wanted| {
                wanted["process"]["env"] = json!(["A=2"])
            }),
            ("rlimits", |wanted| wanted["process"]["rlimits"] = json!([])),
            ("the root", |wanted| {
                wanted["root"]["readonly"] = json!(false)
            }),
            ("processes", |wanted| {
                wanted["linux"]["resources"]["pids"]["limit"] = json!(6)
            }),
            ("unlimited memory", |wanted| {
                wanted["linux"]["resources"]
                    .as_object_mut()
                    .unwrap()
                    .remove("memory");
            }),
            ("an annotation", |wanted| {
                wanted["annotations"]["org.example.a"] = json!("c")
            }),
        ];
        for (what, change) in changes {
            assert!(between(change).is_err(), "{what}");
        }
    }
}
