//! The opt-server profile: what is refused, how, and why.
//!
//! EPERM says "banned". ENOSYS, the default, is also written down for all known calls: nothing here is
//! forgotten, and a reader of `config.json` sees that it was meant.

use super::allowed::{AF_UNIX, BANNED_IOCTLS, MAKING_FLAGS, NAMESPACE_FLAGS, S_IFMT, SETID_BITS};
use super::profile::{ArgCondition, EAFNOSUPPORT, ENOSYS, EPERM, Rule, RuleAction};

const fn refuse(group: &'static str, reason: &'static str, names: &'static [&'static str]) -> Rule {
    Rule {
        group,
        names,
        action: RuleAction::Errno(EPERM),
        args: &[],
        reason,
    }
}

const fn refuse_if(
    group: &'static str,
    reason: &'static str,
    errno: u32,
    names: &'static [&'static str],
    args: &'static [ArgCondition],
) -> Rule {
    Rule {
        group,
        names,
        action: RuleAction::Errno(errno),
        args,
        reason,
    }
}

const fn absent(group: &'static str, reason: &'static str, names: &'static [&'static str]) -> Rule {
    Rule {
        group,
        names,
        action: RuleAction::Errno(ENOSYS),
        args: &[],
        reason,
    }
}

#[rustfmt::skip]
pub(super) static RULES: &[Rule] = &[
    // EPERM: the way out of a sandbox.
    refuse("mounts", "the container's view of files is made once, outside", &[
        "chroot", "fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount",
        "open_tree", "open_tree_attr", "pivot_root", "umount2",
    ]),
    refuse("mounts", "file handles name files outside of the root", &["name_to_handle_at", "open_by_handle_at"]),
    refuse("mounts", "watches and quotas of whole file systems are the host's", &[
        "fanotify_init", "fanotify_mark", "quotactl", "quotactl_fd",
    ]),
    refuse_if("mounts", "device nodes", EPERM, &["mknod"],
        &[ArgCondition::OneOf { index: 1, mask: S_IFMT, values: DEVICE_NODES }]),
    refuse_if("mounts", "device nodes", EPERM, &["mknodat"],
        &[ArgCondition::OneOf { index: 2, mask: S_IFMT, values: DEVICE_NODES }]),
    refuse_if("files", "setuid and setgid bits, which would hold on the host", EPERM, &["chmod", "creat", "fchmod"],
        &[ArgCondition::AnyBit { index: 1, mask: SETID_BITS }]),
    refuse_if("files", "setuid and setgid bits, which would hold on the host", EPERM, &["fchmodat", "fchmodat2"],
        &[ArgCondition::AnyBit { index: 2, mask: SETID_BITS }]),
    refuse_if("files", "setuid and setgid bits, which would hold on the host", EPERM, &["open"],
        &[ArgCondition::AnyBit { index: 1, mask: MAKING_FLAGS },
          ArgCondition::AnyBit { index: 2, mask: SETID_BITS }]),
    refuse_if("files", "setuid and setgid bits, which would hold on the host", EPERM, &["openat"],
        &[ArgCondition::AnyBit { index: 2, mask: MAKING_FLAGS },
          ArgCondition::AnyBit { index: 3, mask: SETID_BITS }]),
    absent("files", "its mode is in memory, where a filter can't see a setuid bit; programs fall back to openat", &[
        "openat2",
    ]),
    refuse("namespaces", "a namespace of one's own gives all capabilities in it, and most kernel holes need that", &[
        "setns", "unshare",
    ]),
    refuse_if("namespaces", "a namespace of one's own gives all capabilities in it", EPERM, &["clone"],
        &[ArgCondition::AnyBit { index: 0, mask: NAMESPACE_FLAGS }]),
    refuse("tracing", "other processes' memory, files and registers: debugging isn't for sandboxed commands", &[
        "kcmp", "pidfd_getfd", "process_madvise", "process_mrelease", "ptrace",
    ]),
    refuse("tracing", "copies between processes' memories: only parallel programs do so", &[
        "process_vm_readv", "process_vm_writev",
    ]),
    refuse("tracing", "moves pages of other processes, and tells where pages physically are", &[
        "migrate_pages", "move_pages",
    ]),
    refuse("kernel", "large and often broken ways into the kernel, with no use for a solver", &[
        "bpf", "perf_event_open", "userfaultfd",
    ]),
    refuse("kernel", "code in the kernel", &[
        "create_module", "delete_module", "finit_module", "init_module", "kexec_file_load", "kexec_load",
    ]),
    refuse("kernel", "keyrings are in no namespace: they would be shared with the host", &[
        "add_key", "keyctl", "request_key",
    ]),
    refuse("host", "the host's clock", &["adjtimex", "clock_adjtime", "clock_settime", "settimeofday"]),
    refuse("host", "the host's name, swap, accounting, log, terminals and power", &[
        "acct", "reboot", "setdomainname", "sethostname", "swapoff", "swapon", "syslog", "vhangup",
    ]),
    refuse("host", "hardware ports, and profiles of what other processes look at", &[
        "ioperm", "iopl", "lookup_dcookie",
    ]),
    refuse_if("terminals", "types or pastes on the caller's terminal, or loads a line discipline", EPERM, &["ioctl"],
        &[ArgCondition::OneOf { index: 1, mask: u32::MAX, values: BANNED_IOCTLS }]),

    // EAFNOSUPPORT is what a kernel without the family says. Python, java and R take it as "no IPv6" or
    // "no network" and go on; EPERM makes some of them end, and ENOSYS reads as a broken kernel.
    refuse_if("sockets", "no network (AF_INET, AF_NETLINK), no kernel crypto (AF_ALG), no hypervisor (AF_VSOCK)",
        EAFNOSUPPORT, &["socket", "socketpair"], &[ArgCondition::NotEqual { index: 0, value: AF_UNIX }]),

    // ENOSYS: as on a kernel without.
    absent("processes", "its flags are in memory, where no filter sees them: the C library falls back to clone", &[
        "clone3",
    ]),
    absent("files", "makes calls that no filter sees; programs fall back to epoll or threads", &[
        "io_uring_enter", "io_uring_register", "io_uring_setup",
    ]),
    absent("files", "kernel asynchronous I/O: databases use it, and fall back; the C library's aio uses threads", &[
        "io_cancel", "io_destroy", "io_getevents", "io_pgetevents", "io_setup", "io_submit",
    ]),
    absent("files", "pages given to a pipe can change under the reader: rarely used, often attacked", &["vmsplice"]),
    absent("files", "makes the host write back all its file systems; it can't fail, so nobody notices", &["sync"]),
    absent("files", "newest interface to file flags: programs fall back to ioctl", &["file_setattr"]),
    absent("memory", "memory that even the kernel can't map: off by default, programs fall back", &["memfd_secret"]),
    absent("memory", "superseded by mmap since Linux 3.16", &["remap_file_pages"]),
    absent("mounts", "newest interfaces to mounts and namespaces: programs fall back to /proc/self/mountinfo", &[
        "listmount", "listns", "statmount",
    ]),
    absent("processes", "an extension of restartable sequences: of no use without their new interface", &["rseq_slice_yield"]),
    absent("kernel", "security modules' attributes: programs fall back to /proc/self/attr", &[
        "lsm_get_self_attr", "lsm_list_modules", "lsm_set_self_attr",
    ]),
    absent("kernel", "segments for 16-bit programs; a kernel can be built without", &["modify_ldt"]),
    absent("obsolete", "not implemented on 64-bit machines, or gone from the kernel, or of no use any more", &[
        "_sysctl", "afs_syscall", "epoll_ctl_old", "epoll_wait_old", "get_kernel_syms", "get_thread_area",
        "getpmsg", "nfsservctl", "putpmsg", "query_module", "security", "set_thread_area", "sysfs",
        "tuxcall", "uselib", "ustat", "vserver",
    ]),
];

/// Character and block devices. Other types than these and the allowed ones don't exist for mknod.
const DEVICE_NODES: &[u32] = &[0o020_000, 0o060_000];
