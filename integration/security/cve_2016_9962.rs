//! A process that joins a container is traced before what it has of the host's is gone. CVE-2019-5736 is looked for
//! on the way: the runtime's program, opened to be written.

use std::collections::BTreeSet;
use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::time::Duration;

use integration::{Bench, Bundle, Container, Runtime, plain, wait_until};
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(10);

/// CAP_SYS_PTRACE, as `/proc/PID/status` writes it.
const SYS_PTRACE: u64 = 1 << 19;

/// A bundle whose first process looks into every other, with these capabilities.
fn lurking(bench: &Bench, name: &str, capabilities: &[&str]) -> Bundle {
    let bundle = plain::bundle(bench, name, &["probe", "lurk"]);
    bundle.edit(|spec| {
        spec["process"]["capabilities"] = json!({
            "bounding": capabilities, "permitted": capabilities, "effective": capabilities,
        });
    });
    bundle
}

/// What the lurker has seen of `times` processes of `exec`.
fn seen_by_lurker(
    bench: &Bench,
    runtime: Runtime,
    bundle: &Bundle,
    times: usize,
    options: &[&str],
) -> Value {
    let container = Container::started(bench, runtime, bundle);
    let inside = bundle.rootfs().join("tmp");
    wait_until("it lurks", SOON, || inside.join("lurking").exists());
    let directory = fs::File::open("/etc").expect("open /etc");
    for _ in 0..times {
        let mut tool = container
            .exec_with(options, &["true"])
            .env("SECRET", "of-the-host");
        let number = directory.as_raw_fd();
        // SAFETY: fcntl(2) allocates nothing.
        unsafe {
            tool.command().pre_exec(move || {
                // A copy without the close-on-exec flag.
                nix::fcntl::fcntl(number, nix::fcntl::FcntlArg::F_DUPFD(40))?;
                Ok(())
            });
        }
        tool.expect(0);
    }
    fs::write(inside.join("stop"), "").expect("stop it");
    wait_until("it tells", SOON, || container.output().ends_with("}\n"));
    fs::remove_file(inside.join("stop")).expect("remove");
    fs::remove_file(inside.join("lurking")).expect("remove");
    serde_json::from_str(&container.output()).expect("JSON")
}

fn strings(report: &Value, key: &str) -> BTreeSet<String> {
    let list = report[key].as_array().expect("a list").iter();
    list.map(|text| text.as_str().expect("a string").to_owned())
        .collect()
}

fn masks(report: &Value) -> BTreeSet<u64> {
    let masks = strings(report, "capabilities");
    let parsed = masks.iter().map(|mask| u64::from_str_radix(mask, 16));
    parsed.map(|mask| mask.expect("a mask")).collect()
}

/// Pipes, sockets and devices that hold nothing: what a command of any kind may have.
fn is_harmless(target: &str) -> bool {
    ["pipe:", "socket:", "/dev/null", "/dev/pts/"]
        .iter()
        .any(|begins| target.starts_with(begins))
}

#[track_caller]
fn assert_nothing_to_see(report: &Value) {
    let descriptors = strings(report, "descriptors");
    assert!(
        descriptors.iter().all(|target| is_harmless(target)),
        "{report:#}"
    );
    assert_eq!(report["written"], json!([]), "{report:#}");
    let environments = strings(report, "environments");
    assert!(
        !environments
            .iter()
            .any(|entry| entry.contains("of-the-host")),
        "{report:#}"
    );
}

/// CVE-2016-9962, CVE-2019-5736: whoever may look into every process of the container finds nothing of the
/// host's in those that `exec` makes, and no right that the container hasn't.
#[test]
fn a_process_that_traces_others_finds_nothing_to_take() {
    let bench = Bench::new();
    let bundle = lurking(&bench, "tracer", &["CAP_SYS_PTRACE"]);
    let report = seen_by_lurker(&bench, Runtime::Ours, &bundle, 30, &[]);
    assert!(report["processes"].as_u64() > Some(10), "{report:#}");
    // It did see ours before it executed the command.
    let programs = strings(&report, "programs");
    assert!(
        programs.iter().any(|program| !program.starts_with("/bin")),
        "{report:#}"
    );
    assert_nothing_to_see(&report);
    let own = BTreeSet::from([0, SYS_PTRACE]);
    assert!(masks(&report).is_subset(&own), "{report:#}");
}

/// What loading a filter without noNewPrivileges takes, CAP_SYS_ADMIN, is nobody's to take either.
#[test]
fn a_filter_does_not_bring_a_capability_along() {
    let bench = Bench::new();
    let bundle = lurking(&bench, "filtered", &["CAP_SYS_PTRACE"]);
    bundle.edit(|spec| {
        spec["linux"]["seccomp"] = json!({
            "defaultAction": "SCMP_ACT_ERRNO",
            "syscalls": [
                {
                    // As Docker's profile has it: by its flags.
                    "names": ["clone"], "action": "SCMP_ACT_ALLOW",
                    "args": [{ "index": 0, "value": 2_114_060_288, "op": "SCMP_CMP_MASKED_EQ" }],
                },
                { "names": all_but_clone(), "action": "SCMP_ACT_ALLOW" },
            ],
        });
    });
    let report = seen_by_lurker(&bench, Runtime::Ours, &bundle, 30, &[]);
    let own = BTreeSet::from([0, SYS_PTRACE]);
    assert!(masks(&report).is_subset(&own), "{report:#}");
    assert_nothing_to_see(&report);
}

/// Calls that a small program and what lurks need, and everything that `exec` does.
fn all_but_clone() -> Vec<&'static str> {
    let text = "access arch_prctl brk capset close close_range dup dup2 dup3 execve exit exit_group \
                faccessat faccessat2 fcntl fstat futex getcwd getdents64 getegid geteuid getgid getpid \
                getppid getrandom getuid ioctl lseek madvise mmap mprotect mremap munmap newfstatat \
                openat poll prctl pread64 prlimit64 read readlink readlinkat recvmsg rseq rt_sigaction \
                rt_sigprocmask rt_sigreturn sendmsg set_robust_list set_tid_address setgid setgroups \
                setresgid setresuid setrlimit setsid setuid sigaltstack stat statx write writev \
                clock_nanosleep nanosleep sched_getaffinity sched_yield wait4 uname umask chdir lstat \
                accept accept4 socket connect recvfrom sendto unlink unlinkat mkdir open keyctl";
    text.split_whitespace().collect()
}

/// Without the capability, a process of the same user sees nothing at all until the command is executed.
#[test]
fn a_process_of_the_same_user_sees_the_command_only() {
    let bench = Bench::new();
    let bundle = lurking(&bench, "same-user", &[]);
    bundle.edit(|spec| spec["process"]["user"] = json!({ "uid": 1000, "gid": 1000 }));
    // The lurker's files.
    let inside = bundle.rootfs().join("tmp");
    std::os::unix::fs::chown(&inside, Some(1000), Some(1000)).expect("chown");
    let report = seen_by_lurker(&bench, Runtime::Ours, &bundle, 30, &[]);
    assert!(report["processes"].as_u64() > Some(10), "{report:#}");
    for kind in ["attached", "programs"] {
        let seen = strings(&report, kind);
        assert!(
            seen.iter().all(|program| program.starts_with("/bin/")),
            "{report:#}"
        );
    }
    assert_nothing_to_see(&report);
}

/// That the lurker sees what is there to see.
#[test]
fn under_runc_the_same_process_finds_more() {
    let bench = Bench::new();
    let bundle = lurking(&bench, "control", &["CAP_SYS_PTRACE"]);
    let report = seen_by_lurker(&bench, Runtime::Runc, &bundle, 30, &[]);
    let own = BTreeSet::from([0, SYS_PTRACE]);
    assert!(!masks(&report).is_subset(&own), "{report:#}");
}
