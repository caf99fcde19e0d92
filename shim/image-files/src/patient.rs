//! A program of this host's that may take its time: run to its end, or for as long as somebody wants it.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::sys::spawn_mortal;

/// How often it is asked whether somebody wants it.
const A_WHILE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 500_000_000,
};

/// Runs a program with `input` as its standard input until it ends: what it wrote. None where `should_stop` says so
/// before: then it is killed, with whatever it has started itself, as scp has its ssh. It doesn't outlive this process.
///
/// # Errors
/// Those of starting it and of waiting for it.
pub fn run_while_wanted(
    command: &mut Command,
    input: &[u8],
    should_stop: &dyn Fn() -> bool,
) -> io::Result<Option<Output>> {
    // Files, not pipes: nothing waits for one that neither reads nor writes nor ends.
    let mut given = file()?;
    given.write_all(input)?;
    given.rewind()?;
    let (mut stdout, mut stderr) = (file()?, file()?);
    command
        .process_group(0)
        .stdin(given)
        .stdout(Stdio::from(stdout.try_clone()?))
        .stderr(Stdio::from(stderr.try_clone()?));
    let mut child = spawn_mortal(command)?;
    let Some(status) = wait(&mut child, should_stop)? else {
        return Ok(None);
    };
    Ok(Some(Output {
        status,
        stdout: content(&mut stdout)?,
        stderr: content(&mut stderr)?,
    }))
}

/// Waits for the child's end, or kills it with its group.
fn wait(child: &mut Child, should_stop: &dyn Fn() -> bool) -> io::Result<Option<ExitStatus>> {
    let pid = Pid::from_child(child);
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if should_stop() {
            // It isn't waited for yet: the number is still its own.
            kill_process_group(pid, Signal::KILL)?;
            child.wait()?;
            return Ok(None);
        }
        match poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&A_WHILE)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

fn file() -> io::Result<File> {
    Ok(memfd_create("standard", MemfdFlags::CLOEXEC)?.into())
}

/// All that was written, wherever the position is that the program had in common with this one.
fn content(file: &mut File) -> io::Result<Vec<u8>> {
    let mut content = vec![];
    file.rewind()?;
    file.read_to_end(&mut content)?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::{fs, thread};

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn what_it_reads_and_writes_has_any_length() {
        let input = vec![b'x'; 300_000];
        let script = "cat; head -c 300000 /dev/zero >&2; exit 3";
        let output = run_while_wanted(&mut shell(script), &input, &|| false).unwrap();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(3));
        assert!(output.stdout == input && output.stderr == vec![0; 300_000]);
        // One that doesn't read it says by its end why.
        let output = run_while_wanted(&mut shell("exit 4"), &input, &|| false).unwrap();
        assert_eq!(output.unwrap().status.code(), Some(4));
        assert!(run_while_wanted(&mut Command::new("/nowhere"), b"", &|| false).is_err());
    }

    #[test]
    fn one_that_nobody_wants_ends_with_all_that_it_has_started() {
        let directory = tempfile::tempdir().unwrap();
        let [held, begun, ended] =
            ["held", "begun", "ended"].map(|name| directory.path().join(name));
        nix::unistd::mkfifo(&held, nix::sys::stat::Mode::S_IRWXU).unwrap();
        let script = "sh -c 'exec 9>held; : >begun; sleep 20; : >ended'; :";
        let output = thread::scope(|scope| {
            // Read to its end, which comes when whoever has it open for writing has ended.
            let reading = scope.spawn(|| fs::read(&held).unwrap());
            let mut command = shell(script);
            command.current_dir(&directory);
            let output = run_while_wanted(&mut command, b"", &|| begun.exists()).unwrap();
            reading.join().unwrap();
            output
        });
        assert!(output.is_none());
        assert!(!ended.exists());
    }
}
