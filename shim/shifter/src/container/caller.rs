//! Whose container it is.

use std::path::PathBuf;
use std::thread::Builder;

use anyhow::{Context, Result, bail};
use bundles::shifter::accounts::{User, named_groups};
use bundles::shifter::image::Caller;
use nix::unistd::{Gid, getgid, getgroups, getuid};
use rustix::thread::{
    self, CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_thread_groups,
    set_thread_res_gid, set_thread_res_uid,
};

use super::mode::Mode;
use super::names::{self, PASSWD};

/// Whose container it is.
#[derive(Debug, Clone)]
pub(super) struct Asker {
    /// With whose rights it is made.
    pub mode: Mode,
    pub caller: Caller,
    /// Their line in the host's `passwd`, where it has one.
    pub user: Option<User>,
}

impl Asker {
    /// Who this process is, or, where that is root, whom `--user` names.
    pub(super) fn find(named: Option<&str>) -> Result<Self> {
        let mode = Mode::of_this_process();
        if mode == Mode::Rootless {
            return Self::this_process(named);
        }
        let named =
            named.context("root can't have a container; hint: say whose it is, --user NAME")?;
        if let Some((uid, gid)) = named.split_once(':') {
            let number = |text: &str| {
                text.parse()
                    .with_context(|| format!("--user {named}: {text:?} is no number"))
            };
            let (uid, gid) = (number(uid)?, number(gid)?);
            let caller = Caller {
                uid,
                gid,
                groups: vec![gid],
            };
            let user = User::find(&names::passwd(&uid.to_string())?, uid);
            return Ok(Self { mode, caller, user });
        }
        let user = User::named(&names::passwd(named)?, named).with_context(|| {
            format!("--user {named}: neither getent nor {PASSWD} knows them; hint: UID:GID")
        })?;
        let mut groups = vec![user.gid];
        groups.extend(names::groups_of_user(named)?);
        let caller = Caller {
            uid: user.uid,
            gid: user.gid,
            groups,
        };
        Ok(Self {
            mode,
            caller,
            user: Some(user),
        })
    }

    /// Their home directory on this host.
    pub(super) fn home(&self) -> Result<PathBuf> {
        let own = std::env::var_os("HOME").filter(|_| self.mode == Mode::Rootless);
        let known = || self.user.as_ref().map(|user| user.home.clone().into());
        let home = own.or_else(known).map(PathBuf::from);
        home.filter(|home| home.is_absolute())
            .with_context(|| format!("uid {} has no home directory here", self.caller.uid))
    }

    /// The user who calls, as the kernel knows them.
    fn this_process(named: Option<&str>) -> Result<Self> {
        let groups = getgroups().context("ask for this process's groups")?;
        let caller = Caller {
            uid: getuid().as_raw(),
            gid: getgid().as_raw(),
            groups: groups.into_iter().map(Gid::as_raw).collect(),
        };
        if caller.groups.contains(&0) {
            bail!(
                "you are in root's group, which nobody leaves without root; hint: root makes the container, --user"
            );
        }
        let user = User::find(&names::passwd(&caller.uid.to_string())?, caller.uid);
        if let Some(named) = named {
            let ids = format!("{}:{}", caller.uid, caller.gid);
            let is_callers = named == ids || user.as_ref().is_some_and(|user| user.name == named);
            if !is_callers {
                bail!("--user {named}: only root makes containers for others");
            }
        }
        Ok(Self {
            mode: Mode::Rootless,
            caller,
            user,
        })
    }

    /// Does `work` on a thread with this user's rights: none of root's, nor of the user namespace's.
    pub(super) fn does<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        if self.mode == Mode::Rootless && capabilities(None)?.effective.is_empty() {
            // No thread: there is no user namespace yet, and only a process without any can enter one.
            return Ok(work());
        }
        std::thread::scope(|scope| {
            let thread = Builder::new().spawn_scoped(scope, move || -> Result<T> {
                match self.mode {
                    Mode::Rootful => self.become_caller()?,
                    Mode::Rootless => drop_capabilities()?,
                }
                Ok(work())
            });
            // Few processes (`ulimit -u`) are few threads.
            let done = thread.context("start a thread")?.join();
            done.unwrap_or_else(|_| bail!("the thread that is the user ended early"))
        })
        .with_context(|| format!("become uid {}", self.caller.uid))
    }

    /// Of this thread only: these are the system calls, not the C library's functions.
    fn become_caller(&self) -> Result<()> {
        let Caller { uid, gid, groups } = &self.caller;
        let groups: Vec<thread::Gid> = groups.iter().copied().map(thread::Gid::from_raw).collect();
        let (uid, gid) = (thread::Uid::from_raw(*uid), thread::Gid::from_raw(*gid));
        set_thread_groups(&groups)?;
        set_thread_res_gid(gid, gid, gid)?;
        set_thread_res_uid(uid, uid, uid)?;
        Ok(())
    }
}

/// Of this thread only.
fn drop_capabilities() -> Result<()> {
    let none = CapabilitySets {
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
    };
    Ok(set_capabilities(None, none)?)
}

/// Who and what is in a `passwd` and a `group` that are made.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    /// The site's `usersToImport`.
    pub imported: Vec<User>,
    /// Names and gids of all that they and the asker are in.
    pub groups: Vec<(String, u32)>,
}

impl Accounts {
    /// With the users of these names.
    pub(super) fn find(names: &[String], asker: &Asker) -> Result<Self> {
        let named = |name: &String| {
            User::named(&names::passwd(name)?, name)
                .with_context(|| format!("usersToImport: neither getent nor {PASSWD} knows {name}"))
        };
        let imported = names.iter().map(named).collect::<Result<Vec<_>>>()?;
        let mut gids = asker.caller.groups.clone();
        gids.push(asker.caller.gid);
        for user in &imported {
            gids.push(user.gid);
            gids.extend(names::groups_of_user(&user.name)?);
        }
        let groups = named_groups(&names::group(&gids)?, &gids);
        Ok(Self { imported, groups })
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use nix::unistd::geteuid;

    use super::*;

    #[test]
    fn a_thread_is_the_user_and_the_others_are_not() {
        if !geteuid().is_root() {
            return;
        }
        let asker = Asker {
            mode: Mode::Rootful,
            caller: Caller {
                uid: 4242,
                gid: 4343,
                groups: vec![4343, 4444],
            },
            user: None,
        };
        let status = |_| fs::read_to_string("/proc/thread-self/status").unwrap();
        let theirs = asker.does(|| status(())).unwrap();
        for line in [
            "Uid:\t4242\t4242\t4242\t4242",
            "Gid:\t4343\t4343\t4343\t4343",
            "Groups:\t4343 4444",
            "CapEff:\t0000000000000000",
        ] {
            assert!(theirs.contains(line), "{theirs}");
        }
        assert!(status(()).contains("Uid:\t0\t0\t0\t0"));
    }
}
