//! `delete`: clears away what the container of a shim that is gone has left.

use std::io::{self, Write};
use std::time::SystemTime;

use anyhow::{Context, Result};
use containerd_shim_protos::api::DeleteResponse;
use containerd_shim_protos::protobuf::Message;
use runtime::container::{self, Store};

use crate::address::Address;
use crate::flags::Flags;
use crate::worker::rootfs;
use crate::{bundle, typed};

/// What containerd is told of a container that nobody waited for: ended by SIGKILL.
const KILLED: u32 = 128 + 9;

/// Deletes the container and prints how it ended, as containerd reads it.
///
/// # Errors
/// Where something of it can't be removed.
pub fn delete(flags: &Flags) -> Result<()> {
    let directory = match &flags.bundle {
        Some(bundle) => bundle.clone(),
        None => std::env::current_dir().context("look at the working directory")?,
    };
    let store = Store::at(Some(bundle::noted_store(&directory, &flags.namespace)));
    let process = store.look(&flags.id).ok().and_then(|state| state.process);
    container::delete(&store, &flags.id, true)?;
    rootfs::unmount(&directory).context("unmount the root file system")?;
    // The socket of a shim that was killed; a pod's may serve others.
    if let Some(address) = Address::noted(&directory)
        && !address.is_served()
    {
        address.forget();
    }
    let response = DeleteResponse {
        pid: process.map_or(0, |process| process.pid.cast_unsigned()),
        exit_status: KILLED,
        exited_at: Some(typed::timestamp(SystemTime::now())).into(),
        ..DeleteResponse::default()
    };
    let bytes = response.write_to_bytes()?;
    io::stdout().write_all(&bytes).context("print the outcome")
}
