//! Whose container it is.

use std::fs;

use anyhow::{Context, Result, bail};
use bundles::shifter::accounts::{User, groups_of, named_groups};
use bundles::shifter::image::Caller;
use nix::unistd::geteuid;
use rustix::thread::{Gid, Uid};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

/// Not through the name service: it loads whatever library nsswitch.conf(5) names, as root.
const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";

/// Whose container it is.
#[derive(Debug, Clone)]
pub(super) struct Asker {
    pub caller: Caller,
    /// Their line in the host's `passwd`, where it has one.
    pub user: Option<User>,
}

impl Asker {
    /// Who `--user` names.
    pub(super) fn find(named: Option<&str>) -> Result<Self> {
        if !geteuid().is_root() {
            bail!(
                "this version makes containers as root only; hint: as root, shifter --user NAME …"
            );
        }
        let named =
            named.context("root can't have a container; hint: say whose it is, --user NAME")?;
        let passwd = read(PASSWD)?;
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
            let user = User::find(&passwd, uid);
            return Ok(Self { caller, user });
        }
        let user = User::named(&passwd, named)
            .with_context(|| format!("--user {named}: is not in {PASSWD}; hint: UID:GID"))?;
        let mut groups = vec![user.gid];
        groups.extend(groups_of(&read(GROUP)?, named));
        let caller = Caller {
            uid: user.uid,
            gid: user.gid,
            groups,
        };
        Ok(Self {
            caller,
            user: Some(user),
        })
    }

    /// Does `work` on a thread that is this user, with their rights and none of root's.
    pub(super) fn does<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let caller = &self.caller;
        std::thread::scope(|scope| {
            let thread = scope.spawn(move || -> Result<T> {
                // Of this thread only: these are the system calls, not the C library's functions.
                let groups: Vec<Gid> = caller
                    .groups
                    .iter()
                    .map(|gid| Gid::from_raw(*gid))
                    .collect();
                let gid = Gid::from_raw(caller.gid);
                let uid = Uid::from_raw(caller.uid);
                set_thread_groups(&groups)?;
                set_thread_res_gid(gid, gid, gid)?;
                set_thread_res_uid(uid, uid, uid)?;
                Ok(work())
            });
            let done = thread.join();
            done.unwrap_or_else(|_| bail!("the thread that is the user ended early"))
        })
        .with_context(|| format!("become uid {}", caller.uid))
    }
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
        let passwd = read(PASSWD)?;
        let named = |name: &String| {
            User::named(&passwd, name)
                .with_context(|| format!("usersToImport: {name} is not in {PASSWD}"))
        };
        let imported = names.iter().map(named).collect::<Result<Vec<_>>>()?;
        let group = read(GROUP)?;
        let mut gids = asker.caller.groups.clone();
        gids.push(asker.caller.gid);
        for user in &imported {
            gids.push(user.gid);
            gids.extend(groups_of(&group, &user.name));
        }
        let groups = named_groups(&group, &gids);
        Ok(Self { imported, groups })
    }
}

fn read(path: &str) -> Result<String> {
    let text = fs::read(path).with_context(|| format!("read {path}"))?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_is_the_user_and_the_others_are_not() {
        if !geteuid().is_root() {
            return;
        }
        let asker = Asker {
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
