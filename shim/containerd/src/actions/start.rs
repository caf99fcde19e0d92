//! `start`: has a shim serve the container of the working directory, and prints where.

use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use runtime::own_executable;

use crate::address::{Address, Claimed};
use crate::bundle;
use crate::flags::Flags;

/// Prints the address of the shim of this container, or of its pod, which may run already.
///
/// # Errors
/// Where none can be started.
pub fn start(flags: &Flags) -> Result<()> {
    let directory = std::env::current_dir().context("look at the working directory")?;
    let group = bundle::group(&directory)?;
    let group = group.as_deref().unwrap_or(&flags.id);
    let address = Address::of(&flags.address, &flags.namespace, group);
    let claimed = address.claim()?;
    address.note(&directory)?;
    if let Claimed::New(listener) = claimed
        && let Err(error) = start_shim(flags, listener.into())
    {
        address.forget();
        return Err(error);
    }
    let mut stdout = io::stdout();
    stdout
        .write_all(address.url().as_bytes())
        .and_then(|()| stdout.flush())
        .context("print the address")
}

/// The shim is this program, executed from where no container can write to it (CVE-2019-5736); it gets the socket as
/// its standard input. containerd reads this process's output to its end, so the shim mustn't have it.
fn start_shim(flags: &Flags, listener: OwnedFd) -> Result<()> {
    let view = own_executable::view().context("protect the shim's own executable")?;
    let name = std::env::args_os().next().unwrap_or_default();
    let mut shim = Command::new(format!("/proc/self/fd/{}", view.as_raw_fd()));
    shim.arg0(name)
        .args(["-namespace", &flags.namespace, "-id", &flags.id])
        .args(["-address", &flags.address])
        .args(flags.debug.then_some("-debug"))
        // Its threads share what memory they have: one heap a thread would be most of what a shim takes.
        .env("MALLOC_ARENA_MAX", "1")
        .stdin(Stdio::from(listener))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    let shim = shim.spawn().context("start the shim")?;
    adjust_oom_score(shim.id());
    Ok(())
}

/// The kernel takes the shim for a victim after containerd and before the containers, as with containerd's own.
fn adjust_oom_score(shim: u32) {
    let path = format!(
        "/proc/{}/oom_score_adj",
        rustix::process::getppid().map_or(0, |pid| pid.as_raw_pid())
    );
    let Ok(text) = std::fs::read_to_string(path) else {
        return;
    };
    if let Ok(score) = text.trim().parse::<i32>() {
        // Where it may not be lowered, it stays.
        let _ = std::fs::write(
            format!("/proc/{shim}/oom_score_adj"),
            (score + 1).min(1000).to_string(),
        );
    }
}
