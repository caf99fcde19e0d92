//! What the caller says of the host, for every step that meets its cgroups or lacks a right on it.

use clap::ValueEnum;

/// Who makes a container's cgroups.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CgroupManager {
    /// The runtime itself, in the mounted cgroup file systems.
    #[default]
    Cgroupfs,
    /// systemd, asked for a scope over D-Bus; `cgroupsPath` is then `SLICE:PREFIX:NAME`.
    Systemd,
    /// Nobody: the container stays in its caller's cgroup, and what asks for a limit is refused.
    Disabled,
}

/// Whether missing rights on the host's cgroups are expected.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Rootless {
    /// Where the caller isn't root on the host.
    #[default]
    Auto,
    /// Yes, whoever the caller is.
    #[value(name = "true", aliases = ["1", "t", "T", "TRUE", "True"])]
    Yes,
    /// No: they are errors.
    #[value(name = "false", aliases = ["0", "f", "F", "FALSE", "False"])]
    No,
}

/// What the caller says of the host.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct HostOptions {
    /// `--cgroup-manager`, `--systemd-cgroup`.
    pub cgroup_manager: CgroupManager,
    /// `--rootless`.
    pub rootless: Rootless,
}
