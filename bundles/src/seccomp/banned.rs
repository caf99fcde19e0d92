//! Calls that no sealed bundle may let pass.

use std::collections::{BTreeSet, HashSet};
use std::sync::LazyLock;

use super::profile::{EPERM, RuleAction, opt_server};
use super::simulate::Call;
use super::table::{Machine, X32_BIT, machine};

/// Garbage in the upper half of a register: the kernel ignores it where an argument is 32 bits wide.
const GARBAGE: u64 = 0xdead_beef_0000_0000;

const CLONE_NEWUSER: u64 = 0x1000_0000;
const CLONE_NEWNS: u64 = 0x0002_0000;
const CLONE_NEWCGROUP: u64 = 0x0200_0000;
const CLONE_NEWUTS: u64 = 0x0400_0000;
const CLONE_NEWIPC: u64 = 0x0800_0000;
const CLONE_NEWPID: u64 = 0x2000_0000;
const CLONE_NEWNET: u64 = 0x4000_0000;
const SIGCHLD: u64 = 17;
const PTRACE_ATTACH: u64 = 16;
const FINIT_MODULE_FD: u64 = 3;

/// Name of the call, arguments, and why it is banned.
type Row = (&'static str, [u64; 6], &'static str);

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("mount", [0; 6], "mount: changes what the process sees"),
    ("umount2", [0; 6], "umount2: uncovers what a mount masks"),
    ("pivot_root", [0; 6], "pivot_root: leaves the root"),
    ("chroot", [0; 6], "chroot: leaves the root"),
    ("fsopen", [0; 6], "fsopen: mounts by the new interface"),
    ("fsmount", [0; 6], "fsmount: mounts by the new interface"),
    ("open_tree", [0; 6], "open_tree: mounts by the new interface"),
    ("open_tree_attr", [0; 6], "open_tree_attr: mounts by the new interface"),
    ("move_mount", [0; 6], "move_mount: mounts by the new interface"),
    ("mount_setattr", [0; 6], "mount_setattr: takes nosuid off a mount"),
    ("unshare", [CLONE_NEWUSER, 0, 0, 0, 0, 0], "unshare(NEWUSER): all capabilities in a namespace of its own"),
    ("unshare", [CLONE_NEWUSER | GARBAGE, 0, 0, 0, 0, 0], "unshare(NEWUSER), upper half set"),
    ("clone", [CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0, 0], "clone(NEWUSER): all capabilities in a namespace of its own"),
    ("clone", [CLONE_NEWUSER | SIGCHLD | GARBAGE, 0, 0, 0, 0, 0], "clone(NEWUSER), upper half set"),
    ("clone", [CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0, 0], "clone(NEWNS): a namespace to mount in"),
    ("clone", [CLONE_NEWCGROUP | SIGCHLD, 0, 0, 0, 0, 0], "clone(NEWCGROUP)"),
    ("clone", [CLONE_NEWUTS | SIGCHLD, 0, 0, 0, 0, 0], "clone(NEWUTS)"),
    ("clone", [CLONE_NEWIPC | SIGCHLD, 0, 0, 0, 0, 0], "clone(NEWIPC)"),
    ("clone", [CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0, 0], "clone(NEWPID)"),
    ("clone", [CLONE_NEWNET | SIGCHLD, 0, 0, 0, 0, 0], "clone(NEWNET)"),
    ("clone3", [0; 6], "clone3: its flags are in memory, where a filter can't see them"),
    ("setns", [0; 6], "setns: joins a namespace"),
    ("bpf", [0; 6], "bpf: programs in the kernel"),
    ("perf_event_open", [0; 6], "perf_event_open: a way into the kernel, and out of the sandbox by timing"),
    ("userfaultfd", [0; 6], "userfaultfd: makes races in the kernel easy to win"),
    ("io_uring_setup", [0; 6], "io_uring_setup: makes calls that no filter sees"),
    ("io_uring_enter", [0; 6], "io_uring_enter: makes calls that no filter sees"),
    ("io_uring_register", [0; 6], "io_uring_register: makes calls that no filter sees"),
    ("ptrace", [PTRACE_ATTACH, 1, 0, 0, 0, 0], "ptrace(ATTACH): takes over another process"),
    ("process_vm_readv", [1, 0, 0, 0, 0, 0], "process_vm_readv: reads another process"),
    ("process_vm_writev", [1, 0, 0, 0, 0, 0], "process_vm_writev: writes another process"),
    ("pidfd_getfd", [0; 6], "pidfd_getfd: takes files of another process"),
    ("keyctl", [0; 6], "keyctl: keyrings are not in any namespace"),
    ("add_key", [0; 6], "add_key: keyrings are not in any namespace"),
    ("request_key", [0; 6], "request_key: keyrings are not in any namespace"),
    ("init_module", [0; 6], "init_module: code in the kernel"),
    ("finit_module", [FINIT_MODULE_FD, 0, 0, 0, 0, 0], "finit_module: code in the kernel"),
    ("delete_module", [0; 6], "delete_module: code out of the kernel"),
    ("kexec_load", [0; 6], "kexec_load: another kernel"),
    ("kexec_file_load", [0; 6], "kexec_file_load: another kernel"),
    ("reboot", [0; 6], "reboot: the host's end"),
    ("swapon", [0; 6], "swapon: the host's memory"),
    ("settimeofday", [0; 6], "settimeofday: the host's clock"),
    ("clock_settime", [0; 6], "clock_settime: the host's clock"),
    ("open_by_handle_at", [0; 6], "open_by_handle_at: opens files outside of the root"),
    ("chmod", [0, 0o4755, 0, 0, 0, 0], "chmod(u+s): a setuid file that works on the host"),
    ("fchmod", [0, 0o2755 | GARBAGE, 0, 0, 0, 0], "fchmod(g+s): a setgid file that works on the host"),
    ("fchmodat", [0, 0, 0o4755, 0, 0, 0], "fchmodat(u+s): a setuid file that works on the host"),
    ("fchmodat2", [0, 0, 0o4755, 0, 0, 0], "fchmodat2(u+s): a setuid file that works on the host"),
    ("creat", [0, 0o4755, 0, 0, 0, 0], "creat(u+s): a setuid file that works on the host"),
    ("openat", [0, 0, 0o101, 0o4755, 0, 0], "openat(O_CREAT, u+s): a setuid file that works on the host"),
    ("openat", [0, 0, 0o20_200_001, 0o4755, 0, 0], "openat(O_TMPFILE, u+s): a setuid file that works on the host"),
    ("openat2", [0; 6], "openat2: its mode is in memory, where a filter can't see it"),
    ("mknodat", [0, 0, 0o104_755, 0, 0, 0], "mknodat(u+s): a setuid file that works on the host"),
    ("mknodat", [0, 0, 0o020_666, 0, 0, 0], "mknodat(S_IFCHR): a device file"),
    ("mknodat", [0, 0, 0o060_666 | GARBAGE, 0, 0, 0], "mknodat(S_IFBLK), upper half set"),
    ("personality", [0x0040_0000, 0, 0, 0, 0, 0], "personality(READ_IMPLIES_EXEC): makes holes in the program easy to use"),
    ("socket", [38, 5, 0, 0, 0, 0], "socket(AF_ALG): writes to read-only files' page cache (CVE-2026-31431)"),
    ("socket", [38 | GARBAGE, 5, 0, 0, 0, 0], "socket(AF_ALG), upper half set"),
    ("socket", [40, 1, 0, 0, 0, 0], "socket(AF_VSOCK): talks to the hypervisor past the network namespace"),
    ("socket", [40 | GARBAGE, 1, 0, 0, 0, 0], "socket(AF_VSOCK), upper half set"),
    ("socket", [17, 3, 0, 0, 0, 0], "socket(AF_PACKET): raw network"),
    ("socket", [17 | GARBAGE, 3, 0, 0, 0, 0], "socket(AF_PACKET), upper half set"),
    ("ioctl", [0, 0x5412, 0, 0, 0, 0], "ioctl(TIOCSTI): types on the caller's terminal (CVE-2017-5226)"),
    ("ioctl", [0, 0x5412 | GARBAGE, 0, 0, 0, 0], "ioctl(TIOCSTI), upper half set (CVE-2019-10063)"),
    ("ioctl", [0, 0x541c, 0, 0, 0, 0], "ioctl(TIOCLINUX): pastes on the caller's console"),
    ("ioctl", [0, 0x541c | GARBAGE, 0, 0, 0, 0], "ioctl(TIOCLINUX), upper half set"),
];

/// Representative calls that the filter of a sealed bundle refuses (`Decision::refuses`), each with its
/// name and the reason. Made for the native architecture; empty where there are no filters.
pub fn banned_calls() -> Vec<(Call, &'static str)> {
    machine().map(calls).unwrap_or_default()
}

/// Whether no entry of a sealed bundle's profile may let this call pass, whatever its arguments: those that
/// [`opt_server`] refuses always and with EPERM, and those above that it refuses always.
///
/// The rest of what it refuses with ENOSYS is only of no use, and other profiles may well allow it.
pub fn is_banned_name(name: &str) -> bool {
    static BANNED: LazyLock<HashSet<&str>> = LazyLock::new(banned_names);
    BANNED.contains(name)
}

fn banned_names() -> HashSet<&'static str> {
    let tried: BTreeSet<&str> = ROWS.iter().map(|(name, ..)| *name).collect();
    let rules = opt_server().rules.iter();
    let refused = rules.filter(|rule| rule.action != RuleAction::Allow && rule.args.is_empty());
    refused
        .flat_map(|rule| rule.names.iter().map(move |name| (rule, *name)))
        .filter(|(rule, name)| rule.action == RuleAction::Errno(EPERM) || tried.contains(name))
        .map(|(_, name)| name)
        .collect()
}

fn calls(machine: &Machine) -> Vec<(Call, &'static str)> {
    let plain = |nr: u32, args: [u64; 6]| Call {
        arch: machine.native.audit(),
        nr,
        args,
    };
    let mut calls: Vec<(Call, &'static str)> = ROWS
        .iter()
        .filter_map(|(name, args, reason)| Some((plain(machine.number(name)?, *args), *reason)))
        .collect();
    calls.push((plain(999, [0; 6]), "number 999: a call that no table knows"));
    if let (true, Some(mount), Some(ptrace)) = (
        machine.has_x32(),
        machine.number("mount"),
        machine.number("ptrace"),
    ) {
        calls.push((plain(mount | X32_BIT, [0; 6]), "mount by its x32 number"));
        calls.push((
            plain(ptrace | X32_BIT, [PTRACE_ATTACH, 1, 0, 0, 0, 0]),
            "ptrace by its x32 number",
        ));
        calls.push((
            plain(521 | X32_BIT, [PTRACE_ATTACH, 1, 0, 0, 0, 0]),
            "ptrace by its own x32 number",
        ));
    }
    // socketcall (102) and mount (21) of both 32-bit architectures.
    let foreign = |nr: u32, args: [u64; 6]| Call {
        arch: machine.foreign_audit(),
        nr,
        args,
    };
    calls.push((
        foreign(102, [1, 0, 0, 0, 0, 0]),
        "socketcall of the 32-bit architecture: arguments in memory",
    ));
    calls.push((foreign(21, [0; 6]), "mount of the 32-bit architecture"));
    calls.push((
        Call {
            arch: 0,
            nr: 0,
            args: [0; 6],
        },
        "an architecture that doesn't exist",
    ));
    calls
}
