//! Over ssh, with the programs of this host: copied under another name, synced, renamed.
//!
//! The other side takes what it is told apart with a shell. Names and directories are of plain characters
//! (the configuration sees to it), and are quoted nevertheless.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use image_files::spawn_mortal;

use super::{NEW, TransferError};
use crate::configuration::Remote;

pub(super) fn put(remote: &Remote, name: &str, file: &Path) -> Result<(), TransferError> {
    let new = at(remote, &format!("{NEW}{name}"));
    let mut scp = command("scp", remote, &remote.scp_options);
    scp.arg("-q").arg("--").arg(file);
    scp.arg(format!("{}@{}:{new}", remote.user, remote.host));
    run(scp, "scp", remote, b"")?;
    settle(remote, name)
}

pub(super) fn put_text(remote: &Remote, name: &str, text: &[u8]) -> Result<(), TransferError> {
    let new = at(remote, &format!("{NEW}{name}"));
    ssh(remote, &format!("umask 077 && cat > {}", quote(&new)), text)?;
    settle(remote, name)
}

/// Gives what was copied its name.
fn settle(remote: &Remote, name: &str) -> Result<(), TransferError> {
    let new = quote(&at(remote, &format!("{NEW}{name}")));
    let path = quote(&at(remote, name));
    let script = format!("chmod 0600 {new} && sync {new} && mv -f {new} {path}");
    ssh(remote, &script, b"").map(drop)
}

pub(super) fn has(remote: &Remote, name: &str, size: u64) -> bool {
    let script = format!("stat -c %s {}", quote(&at(remote, name)));
    let output = ssh(remote, &script, b"");
    output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim() == size.to_string())
}

pub(super) fn remove(remote: &Remote, names: &[String]) -> Result<(), TransferError> {
    let paths: Vec<String> = names.iter().map(|name| quote(&at(remote, name))).collect();
    ssh(remote, &format!("rm -f {}", paths.join(" ")), b"").map(drop)
}

fn at(remote: &Remote, name: &str) -> String {
    format!("{}/{name}", remote.directory.display())
}

fn quote(text: &str) -> String {
    // Only what has a NUL in it can't be quoted.
    shlex::try_quote(text).map_or_else(|_| "''".to_owned(), std::borrow::Cow::into_owned)
}

fn ssh(remote: &Remote, script: &str, input: &[u8]) -> Result<Output, TransferError> {
    let mut ssh = command("ssh", remote, &remote.ssh_options);
    ssh.arg("--")
        .arg(format!("{}@{}", remote.user, remote.host))
        .arg(script);
    run(ssh, "ssh", remote, input)
}

/// The program, the key and the site's options. Nobody is there to answer questions.
fn command(program: &str, remote: &Remote, options: &[String]) -> Command {
    let mut command = Command::new(program);
    command.args(["-o", "BatchMode=yes"]);
    if let Some(key) = &remote.key {
        command.arg("-i").arg(key);
    }
    command.args(options);
    command
}

fn run(
    mut command: Command,
    program: &'static str,
    remote: &Remote,
    input: &[u8],
) -> Result<Output, TransferError> {
    let failed = |reason: String| TransferError::Remote {
        program,
        host: remote.host.clone(),
        reason,
    };
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // One that outlived this gateway would go on writing beside the next one's.
    let mut child = spawn_mortal(&mut command).map_err(|error| failed(error.to_string()))?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that doesn't read says by its end why.
        let _ = stdin.write_all(input);
    }
    let output = child
        .wait_with_output()
        .map_err(|error| failed(error.to_string()))?;
    match output.status.success() {
        true => Ok(output),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().rfind(|line| !line.trim().is_empty());
            Err(failed(match last {
                Some(line) => format!("{line} ({})", output.status),
                None => output.status.to_string(),
            }))
        }
    }
}
