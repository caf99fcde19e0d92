//! Which process `exec` is to make: the bundle's own with what the command line changes, or another whole.

use std::collections::HashSet;
use std::path::PathBuf;

use libcontainer::oci_spec::runtime::{Capability, LinuxCapabilities, Process, Spec};

use super::super::{Error, Result};
use super::user::UserArgument;

/// What is asked for.
#[derive(Debug, Clone)]
pub enum ExecRequest {
    /// A process as an engine wrote it down; nothing of the bundle's is taken over.
    Whole(Box<Process>),
    /// The bundle's process, changed.
    Changed(Changes),
}

/// Changes to the bundle's process. What is absent stays as the bundle has it.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// The command and its arguments.
    pub args: Vec<String>,
    /// Variables, `NAME=value`, each in the place of the bundle's or added.
    pub env: Vec<String>,
    /// The working directory.
    pub cwd: Option<PathBuf>,
    /// The user, and perhaps the group.
    pub user: Option<UserArgument>,
    /// Supplementary groups to add.
    pub additional_gids: Vec<u32>,
    /// Capabilities to add.
    pub capabilities: Vec<Capability>,
    /// Whether the process may never gain privileges, whatever the bundle says.
    pub no_new_privileges: bool,
    /// The AppArmor profile.
    pub apparmor: Option<String>,
    /// The SELinux label.
    pub label: Option<String>,
    /// Whether the process gets a terminal; the bundle's isn't taken over.
    pub terminal: bool,
}

impl ExecRequest {
    /// Whether the process is to have a terminal.
    pub(super) fn wants_terminal(&self) -> bool {
        match self {
            Self::Whole(process) => process.terminal() == Some(true),
            Self::Changed(changes) => changes.terminal,
        }
    }

    /// `spec` with the process that is asked for in the place of its own.
    ///
    /// # Errors
    /// [`Error::Argument`] where a change can't be made.
    pub(super) fn apply(&self, mut spec: Spec) -> Result<Spec> {
        let process = match self {
            Self::Whole(process) => (**process).clone(),
            Self::Changed(changes) => changes.apply(spec.process().clone())?,
        };
        spec.set_process(Some(process));
        Ok(spec)
    }
}

impl Changes {
    fn apply(&self, own: Option<Process>) -> Result<Process> {
        let mut process = own.unwrap_or_else(nobodys);
        process
            .set_args(Some(self.args.clone()))
            .set_terminal(Some(self.terminal))
            .set_console_size(None);
        self.apply_environment(&mut process)?;
        self.apply_identity(&mut process);
        self.apply_capabilities(&mut process);
        if let Some(cwd) = &self.cwd {
            process.set_cwd(cwd.clone());
        }
        if self.no_new_privileges {
            process.set_no_new_privileges(Some(true));
        }
        if self.apparmor.is_some() {
            process.set_apparmor_profile(self.apparmor.clone());
        }
        if self.label.is_some() {
            process.set_selinux_label(self.label.clone());
        }
        Ok(process)
    }

    fn apply_environment(&self, process: &mut Process) -> Result<()> {
        let mut env = process.env().clone().unwrap_or_default();
        for entry in &self.env {
            let name = match entry.split_once('=') {
                Some((name, _)) if !name.is_empty() => name,
                _ => {
                    return Err(Error::Argument(format!(
                        "--env \"{entry}\": not NAME=value"
                    )));
                }
            };
            let begins = format!("{name}=");
            match env.iter_mut().find(|own| own.starts_with(&begins)) {
                Some(own) => own.clone_from(entry),
                None => env.push(entry.clone()),
            }
        }
        process.set_env(Some(env));
        Ok(())
    }

    fn apply_identity(&self, process: &mut Process) {
        let user = process.user_mut();
        if let Some(UserArgument { uid, gid }) = self.user {
            let gid = gid.unwrap_or(user.gid());
            user.set_uid(uid).set_gid(gid);
        }
        if !self.additional_gids.is_empty() {
            let mut all = user.additional_gids().clone().unwrap_or_default();
            all.extend(&self.additional_gids);
            user.set_additional_gids(Some(all));
        }
    }

    /// As runc: never the inheritable set (CVE-2022-29162), and the ambient one only where there is an
    /// inheritable set for it.
    fn apply_capabilities(&self, process: &mut Process) {
        if self.capabilities.is_empty() {
            return;
        }
        let mut sets = process
            .capabilities()
            .clone()
            .unwrap_or_else(no_capabilities);
        let with = |set: &Option<HashSet<Capability>>| {
            let mut set = set.clone().unwrap_or_default();
            set.extend(&self.capabilities);
            Some(set)
        };
        let ambient = match sets.inheritable() {
            Some(_) => with(sets.ambient()),
            None => sets.ambient().clone(),
        };
        let (bounding, effective, permitted) = (
            with(sets.bounding()),
            with(sets.effective()),
            with(sets.permitted()),
        );
        sets.set_bounding(bounding)
            .set_effective(effective)
            .set_permitted(permitted)
            .set_ambient(ambient);
        process.set_capabilities(Some(sets));
    }
}

fn no_capabilities() -> LinuxCapabilities {
    let mut none = LinuxCapabilities::default();
    none.set_bounding(None)
        .set_effective(None)
        .set_inheritable(None)
        .set_permitted(None)
        .set_ambient(None);
    none
}

/// What a bundle without a process is taken to have.
fn nobodys() -> Process {
    let mut process = Process::default();
    process
        .set_env(None)
        .set_cwd("/".into())
        .set_capabilities(None)
        .set_rlimits(None)
        .set_no_new_privileges(None);
    process
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec() -> Spec {
        let text = json!({
            "ociVersion": "1.0.2",
            "process": {
                "terminal": true,
                "user": { "uid": 1000, "gid": 1000, "additionalGids": [5] },
                "args": ["init"],
                "env": ["PATH=/bin", "A=1"],
                "cwd": "/work",
                "capabilities": { "bounding": ["CAP_KILL"] },
                "noNewPrivileges": true,
            },
            "root": { "path": "rootfs" },
        });
        serde_json::from_value(text).unwrap()
    }

    fn changed(changes: Changes) -> Process {
        let spec = ExecRequest::Changed(changes).apply(spec()).unwrap();
        spec.process().clone().unwrap()
    }

    #[test]
    fn what_is_not_changed_is_the_bundles() {
        let process = changed(Changes {
            args: vec!["ls".into()],
            ..Changes::default()
        });
        assert_eq!(process.args().as_deref(), Some(&["ls".to_owned()][..]));
        assert_eq!((process.user().uid(), process.user().gid()), (1000, 1000));
        assert_eq!(process.cwd(), &PathBuf::from("/work"));
        assert_eq!(process.no_new_privileges(), Some(true));
        // Only --tty gives a terminal.
        assert_eq!(process.terminal(), Some(false));
    }

    #[test]
    fn a_variable_takes_the_place_of_the_bundles() {
        let process = changed(Changes {
            env: vec!["A=2".into(), "B=".into(), "A=3".into()],
            ..Changes::default()
        });
        let expected = ["PATH=/bin", "A=3", "B="].map(str::to_owned);
        assert_eq!(process.env().as_deref(), Some(&expected[..]));
        for entry in ["A", "=x", ""] {
            let changes = Changes {
                env: vec![entry.into()],
                ..Changes::default()
            };
            assert!(
                ExecRequest::Changed(changes).apply(spec()).is_err(),
                "{entry}"
            );
        }
    }

    #[test]
    fn a_user_without_a_group_keeps_the_bundles_group() {
        let process = changed(Changes {
            user: Some("7".parse().unwrap()),
            additional_gids: vec![9],
            ..Changes::default()
        });
        assert_eq!((process.user().uid(), process.user().gid()), (7, 1000));
        assert_eq!(
            process.user().additional_gids().as_deref(),
            Some(&[5, 9][..])
        );
        let process = changed(Changes {
            user: Some("7:8".parse().unwrap()),
            ..Changes::default()
        });
        assert_eq!((process.user().uid(), process.user().gid()), (7, 8));
    }

    #[test]
    fn an_added_capability_is_never_inheritable() {
        let process = changed(Changes {
            capabilities: vec![Capability::Chown],
            ..Changes::default()
        });
        let sets = process.capabilities().clone().unwrap();
        let has = |set: &Option<HashSet<Capability>>| {
            set.as_ref()
                .is_some_and(|set| set.contains(&Capability::Chown))
        };
        assert!(has(sets.bounding()) && has(sets.effective()) && has(sets.permitted()));
        assert!(!has(sets.inheritable()) && !has(sets.ambient()));
    }
}
