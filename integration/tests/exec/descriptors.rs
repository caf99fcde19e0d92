//! The files that a command has open.

use std::fs;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;

use integration::{Bench, Container, Probe, Runtime};
use nix::fcntl::{FcntlArg, fcntl};

use super::bundle;

/// Descriptors that a careless caller leaves open.
const LEAKS: std::ops::Range<i32> = 3..12;

/// CVE-2024-21626.
#[test]
fn no_descriptor_of_the_callers_comes_in_and_none_is_a_way_out() {
    let bench = Bench::new();
    let container = Container::started(&bench, Runtime::Ours, &bundle(&bench, "plain"));
    // Beyond those that are filled with it: dup2(2) to the same number keeps the close-on-exec flag.
    let directory = fs::File::open("/").expect("open /");
    let directory = fcntl(directory.as_raw_fd(), FcntlArg::F_DUPFD_CLOEXEC(100)).expect("fcntl");
    // SAFETY: just made, and nobody else's.
    let directory = unsafe { OwnedFd::from_raw_fd(directory) };
    let with_leaks = |options: &[&str], words: &[&str]| {
        let mut tool = container.exec_with(options, words);
        let number = directory.as_raw_fd();
        // SAFETY: dup2(2) allocates nothing.
        unsafe {
            tool.command().pre_exec(move || {
                for leak in LEAKS {
                    nix::unistd::dup2(number, leak)?;
                }
                Ok(())
            });
        }
        tool.run()
    };
    let report = Probe::report(&with_leaks(&[], &["probe", "look"]));
    assert_eq!(report["descriptors"].as_object().expect("a map").len(), 3);
    for number in 0..LEAKS.end {
        let path = format!("/proc/self/fd/{number}");
        let refused = with_leaks(&["--cwd", &path], &["ls"]);
        assert_eq!(refused.code, Some(125), "{refused}");
        assert_eq!(refused.stdout, "", "{refused}");
    }
    // One that is asked for stays, but is no working directory either.
    let kept = with_leaks(&["--preserve-fds", "1"], &["probe", "look"]);
    let kept = Probe::report(&kept);
    assert_eq!(kept["descriptors"].as_object().expect("a map").len(), 4);
    let refused = with_leaks(
        &["--preserve-fds", "1", "--cwd", "/proc/self/fd/3"],
        &["ls"],
    );
    assert_eq!(refused.code, Some(125), "{refused}");
    let missing = container
        .exec_with(&["--preserve-fds", "5"], &["true"])
        .expect(125);
    assert!(missing.one_line().contains("/proc/self/fd/"), "{missing}");
}
