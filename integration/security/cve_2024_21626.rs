//! A directory of the host's that the runtime, or its caller, leaves open, and a working directory that is a way to it.
//! `exec` is in `tests/exec/descriptors.rs`.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;

use integration::{Bench, Outcome, Probe, Tool, plain};
use nix::fcntl::{FcntlArg, fcntl};
use serde_json::json;

/// Descriptors that a careless caller leaves open.
const LEAKS: std::ops::Range<i32> = 3..30;

/// Runs `tool` with the host's `/` and `/etc` open at all of these.
fn with_leaks(mut tool: Tool) -> Outcome {
    let open = |path: &str| {
        let file = fs::File::open(path).expect("open");
        // Beyond those that are filled with it: dup2(2) to the same number keeps the close-on-exec flag.
        fcntl(file.as_raw_fd(), FcntlArg::F_DUPFD_CLOEXEC(100)).expect("fcntl")
    };
    let directories = [open("/"), open("/etc")];
    // SAFETY: dup2(2) allocates nothing.
    unsafe {
        tool.command().pre_exec(move || {
            for leak in LEAKS {
                nix::unistd::dup2(directories[usize::from(leak % 2 == 0)], leak)?;
            }
            Ok(())
        });
    }
    let outcome = tool.run();
    for directory in directories {
        nix::unistd::close(directory).expect("close");
    }
    outcome
}

#[test]
fn no_descriptor_is_a_working_directory() {
    let bench = Bench::new();
    let bundle = plain::bundle(&bench, "image", &["ls"]);
    let whole = bundle.spec();
    for number in LEAKS {
        let direct = format!("/proc/self/fd/{number}");
        let link = bundle.rootfs().join(format!("work-{number}"));
        symlink(&direct, &link).expect("a link");
        for directory in [
            direct.clone(),
            format!("{direct}/../../etc"),
            format!("/work-{number}"),
            format!("/proc/thread-self/fd/{number}"),
        ] {
            // A quarter of them is enough for the long way round.
            if number % 4 != 0 && directory != direct {
                continue;
            }
            bundle
                .set_spec(&whole)
                .edit(|spec| spec["process"]["cwd"] = json!(directory));
            let outcome = with_leaks(bundle.run(&bench));
            assert_eq!(outcome.code, Some(125), "{directory}: {outcome}");
            assert_eq!(outcome.stdout, "", "{directory}: {outcome}");
            bench.assert_nothing_left_by(&outcome);
        }
    }
}

#[test]
fn inside_there_are_three_descriptors_and_a_working_directory_below_the_root() {
    let bench = Bench::new();
    let sealed = bench.sealed("sealed", &Probe::on(&bench).command(), &["look"]);
    for bundle in [plain::bundle(&bench, "plain", &["probe", "look"]), sealed] {
        let report = Probe::report(&with_leaks(bundle.run(&bench)));
        let numbers: Vec<_> = report["descriptors"]
            .as_object()
            .expect("them")
            .keys()
            .collect();
        assert_eq!(numbers, ["0", "1", "2"], "{}", report["descriptors"]);
        let directory = report["cwd"].as_str().expect("a path");
        assert!(
            directory.starts_with('/') && !directory.contains("unreachable"),
            "{directory}"
        );
    }
}
