//! Creating a container from containerd's bundle.

use std::os::fd::{AsRawFd, OwnedFd};

use runtime::container::{self, Bundle, CgroupManager, CreateOptions, HostOptions, Store};
use runtime::policy::Policy;

use super::request::{Answer, Create, Failure};
use super::rootfs;

/// Mounts the root file system and creates the container, under the site's policy; where that fails, nothing of
/// either is left.
pub fn create(
    store: &Store,
    id: &str,
    how: &Create,
    console: Option<&OwnedFd>,
) -> Result<Answer, Failure> {
    rootfs::mount(&how.bundle, &how.mounts).map_err(Failure::unknown)?;
    let created = create_mounted(store, id, how, console);
    if created.is_err() {
        // There is an error to report already.
        let _ = rootfs::unmount(&how.bundle);
    }
    created
}

fn create_mounted(
    store: &Store,
    id: &str,
    how: &Create,
    console: Option<&OwnedFd>,
) -> Result<Answer, Failure> {
    let mut bundle = Bundle::load(&how.bundle)?;
    Policy::load(None)
        .and_then(|policy| policy.apply(&mut bundle))
        .map_err(container::Error::from)?;
    let cgroup_manager = if how.systemd_cgroup {
        CgroupManager::Systemd
    } else {
        CgroupManager::default()
    };
    let options = CreateOptions {
        console: console.map(AsRawFd::as_raw_fd),
        no_pivot: how.no_pivot,
        no_new_keyring: how.no_new_keyring,
        host: HostOptions {
            cgroup_manager,
            ..HostOptions::default()
        },
        ..CreateOptions::default()
    };
    let created = container::create(store, id, &bundle, &options)?;
    let state = &created.container.snapshot;
    let process = state
        .process
        .ok_or_else(|| Failure::unknown("the container has no process"))?;
    Ok(Answer::Created {
        pid: process.pid,
        has_pid_namespace: state.has_pid_namespace,
    })
}
