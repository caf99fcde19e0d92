//! What `x-opt-runtime` says, as values.

use std::path::PathBuf;

use super::limits::Limits;

/// Extensions of one command, with what the top of the file says for all of them worked in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extensions {
    /// `mount-writable`: what of the host's the command can write besides the project.
    pub mount_writable: Vec<Writable>,
    /// `network`.
    pub network: Network,
    /// `limits`: the smaller of the command's own and the file's.
    pub limits: Limits,
    /// `seccomp`: calls to allow besides, none of which breaks the promise.
    pub seccomp: Vec<String>,
    /// `devices`: absolute, below /dev, without `..`.
    pub devices: Vec<PathBuf>,
    /// `dlopen`: absolute paths, or names for the dynamic loader to search.
    pub dlopen: Vec<PathBuf>,
    /// `output`.
    pub output: AtOutputLimit,
    /// `pool`: how many sandboxes to keep ready.
    pub pool: u32,
}

/// An entry of `mount-writable`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Writable {
    /// Absolute, without `..`.
    pub path: PathBuf,
    /// Why the administrator wants it.
    pub why: Option<String>,
}

/// Which network a command has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Network {
    /// A network namespace of its own, without an address.
    #[default]
    None,
    /// The host's.
    Host,
}

/// What happens to a command that has printed as much as it may.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AtOutputLimit {
    /// It is ended.
    #[default]
    End,
    /// It goes on, and the rest of its output is dropped.
    Truncate,
}

/// Extensions that hold for the server as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerExtensions {
    /// `limits` at the top of the file. They are in those of each command as well; `max_parallel_processes`
    /// is of all commands together.
    pub limits: Limits,
    /// `identity`.
    pub identity: Option<IdRange>,
    /// `user-groups`, in the file's order; no user is in two.
    pub user_groups: Vec<UserGroup>,
}

/// Host ids that executions get theirs from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdRange {
    /// The first, uid and gid alike.
    pub first: u32,
    /// How many; the last is below 2^32 - 1.
    pub count: u32,
}

/// A user group, as PIFOP's Opt-Server has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserGroup {
    /// Its name.
    pub name: String,
    /// Its members.
    pub users: Vec<String>,
    /// Limits on what each member runs.
    pub limits: Limits,
    /// `monitoring-rights`.
    pub monitoring_rights: bool,
    /// `admin-rights`.
    pub admin_rights: bool,
}

/// What one `x-opt-runtime` says, before the top of the file and a command are put together.
#[derive(Debug, Clone, Default)]
pub(super) struct Said {
    pub mount_writable: Vec<Writable>,
    pub network: Option<Network>,
    pub limits: Limits,
    pub seccomp: Vec<String>,
    pub devices: Vec<PathBuf>,
    pub dlopen: Vec<PathBuf>,
    pub output: Option<AtOutputLimit>,
    pub pool: Option<u32>,
    pub identity: Option<IdRange>,
    pub user_groups: Vec<UserGroup>,
}

impl Said {
    /// A command's extensions: lists are the file's and its own, limits the smaller ones; anything else is
    /// its own where it says something.
    pub(super) fn over(self, file: &Self) -> Extensions {
        Extensions {
            mount_writable: joined(&file.mount_writable, self.mount_writable),
            network: self.network.or(file.network).unwrap_or_default(),
            limits: self.limits.narrowed(&file.limits),
            seccomp: joined(&file.seccomp, self.seccomp),
            devices: joined(&file.devices, self.devices),
            dlopen: joined(&file.dlopen, self.dlopen),
            output: self.output.or(file.output).unwrap_or_default(),
            pool: self.pool.or(file.pool).unwrap_or_default(),
        }
    }

    pub(super) fn of_server(&self) -> ServerExtensions {
        ServerExtensions {
            limits: self.limits,
            identity: self.identity,
            user_groups: self.user_groups.clone(),
        }
    }
}

fn joined<T: Clone + PartialEq>(first: &[T], second: Vec<T>) -> Vec<T> {
    let mut all = first.to_vec();
    for one in second {
        if !all.contains(&one) {
            all.push(one);
        }
    }
    all
}
