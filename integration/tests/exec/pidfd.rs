//! `--pidfd-socket`, of `exec` and of `run`.

use std::fs;
use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixListener;

use integration::Bench;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

use super::bundle;

/// Engines get a handle of the process that can't become another's.
#[test]
fn a_pidfd_is_sent_of_the_first_process_and_of_another() {
    let bench = Bench::new();
    let path = bench.path("pidfd.sock");
    let listener = UnixListener::bind(&path).expect("a socket");
    let socket = ["--pidfd-socket", path.to_str().expect("UTF-8")];
    let bundle = bundle(&bench, "pidfd");
    let id = format!("pidfd-{}", std::process::id());
    let output = bench.path("pidfd.output");
    let run = bench
        .runtime()
        .args(["run", "--detach"])
        .args(socket)
        .arg("-b");
    let outcome = run
        .arg(&bundle.directory)
        .arg(&id)
        .run_into(&output, &output);
    assert_eq!(
        outcome.code,
        Some(0),
        "{}",
        fs::read_to_string(&output).expect("read")
    );
    let (name, first) = passed(&listener);
    assert_eq!(name, b"pidfd");
    let pid_file = bench.path("pid");
    let exec = bench
        .runtime()
        .args(["exec", "--detach"])
        .args(socket)
        .arg("--pid-file");
    let exec = exec.arg(&pid_file).args([&id, "sleep", "100"]);
    assert_eq!(exec.run_into(&output, &output).code, Some(0));
    let (_, other) = passed(&listener);
    assert_eq!(
        pid_of(&other).to_string(),
        fs::read_to_string(&pid_file).expect("read")
    );
    assert_ne!(pid_of(&other), pid_of(&first));
    bench.runtime().args(["delete", "--force", &id]).expect(0);
    // It becomes readable when the process has ended: pidfd_open(2).
    let mut waiting = [PollFd::new(first.as_fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut waiting, 5000_u16), Ok(1), "it runs on");
    // Nothing is made where nobody waits for it.
    drop(listener);
    let run = bench
        .runtime()
        .args(["run", "--detach"])
        .args(socket)
        .arg("-b");
    let refused = run.arg(&bundle.directory).arg(&id).run();
    bench.assert_refused(&refused, "pidfd socket");
}

/// The next descriptor that somebody sends to `listener`, with the text that comes along.
fn passed(listener: &UnixListener) -> (Vec<u8>, OwnedFd) {
    let (stream, _) = listener.accept().expect("a connection");
    let mut text = [0; 64];
    let mut space = nix::cmsg_space!([i32; 1]);
    let mut parts = [IoSliceMut::new(&mut text)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let message =
        recvmsg::<()>(stream.as_raw_fd(), &mut parts, Some(&mut space), flags).expect("a message");
    let number = message
        .cmsgs()
        .expect("control messages")
        .find_map(|part| match part {
            ControlMessageOwned::ScmRights(numbers) => numbers.first().copied(),
            _ => None,
        });
    let length = message.bytes;
    // SAFETY: the kernel has just given this process the descriptor.
    let descriptor = unsafe { OwnedFd::from_raw_fd(number.expect("a descriptor")) };
    (text[..length].to_vec(), descriptor)
}

/// What the kernel says of a pidfd.
fn pid_of(descriptor: &OwnedFd) -> i32 {
    let path = format!("/proc/self/fdinfo/{}", descriptor.as_raw_fd());
    let text = fs::read_to_string(path).expect("read fdinfo");
    let line = text.lines().find_map(|line| line.strip_prefix("Pid:"));
    line.expect("a pidfd").trim().parse().expect("a number")
}
