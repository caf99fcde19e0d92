//! The opt-server profile: what is allowed, and why.
//!
//! Also the calls that the runtime itself makes between loading the filter and execve are among them.

use super::profile::{ArgCondition, Rule, RuleAction};

const fn allow(group: &'static str, reason: &'static str, names: &'static [&'static str]) -> Rule {
    Rule {
        group,
        names,
        action: RuleAction::Allow,
        args: &[],
        reason,
    }
}

const fn allow_if(
    group: &'static str,
    reason: &'static str,
    names: &'static [&'static str],
    args: &'static [ArgCondition],
) -> Rule {
    Rule {
        group,
        names,
        action: RuleAction::Allow,
        args,
        reason,
    }
}

#[rustfmt::skip]
pub(super) static RULES: &[Rule] = &[
    // Files.
    allow("files", "reading and writing open files", &[
        "close", "close_range", "copy_file_range", "dup", "dup2", "dup3", "fadvise64", "fallocate", "fcntl",
        "fdatasync", "flock", "fsync", "ftruncate", "lseek", "pipe", "pipe2", "pread64", "preadv", "preadv2",
        "pwrite64", "pwritev", "pwritev2", "read", "readahead", "readv", "sendfile", "splice",
        "sync_file_range", "syncfs", "tee", "write", "writev",
    ]),
    allow("files", "opening, making and removing files, as permissions and mounts allow", &[
        "chdir", "fchdir", "getcwd", "getdents", "getdents64", "link", "linkat", "mkdir", "mkdirat",
        "readlink", "readlinkat", "rename", "renameat", "renameat2", "rmdir", "symlink", "symlinkat",
        "truncate", "umask", "unlink", "unlinkat",
    ]),
    allow_if("files", "opening files that are there", &["open"],
        &[ArgCondition::OneOf { index: 1, mask: MAKING_FLAGS, values: &[0] }]),
    allow_if("files", "opening files that are there", &["openat"],
        &[ArgCondition::OneOf { index: 2, mask: MAKING_FLAGS, values: &[0] }]),
    allow_if("files", "making files, but none with a setuid or setgid bit", &["open"],
        &[ArgCondition::AnyBit { index: 1, mask: MAKING_FLAGS },
          ArgCondition::OneOf { index: 2, mask: SETID_BITS, values: &[0] }]),
    allow_if("files", "making files, but none with a setuid or setgid bit", &["openat"],
        &[ArgCondition::AnyBit { index: 2, mask: MAKING_FLAGS },
          ArgCondition::OneOf { index: 3, mask: SETID_BITS, values: &[0] }]),
    allow_if("files", "making files, but none with a setuid or setgid bit", &["creat"],
        &[ArgCondition::OneOf { index: 1, mask: SETID_BITS, values: &[0] }]),
    allow_if("files", "modes of own files, but no setuid or setgid bit", &["chmod", "fchmod"],
        &[ArgCondition::OneOf { index: 1, mask: SETID_BITS, values: &[0] }]),
    allow_if("files", "modes of own files, but no setuid or setgid bit", &["fchmodat", "fchmodat2"],
        &[ArgCondition::OneOf { index: 2, mask: SETID_BITS, values: &[0] }]),
    allow("files", "asking about files", &[
        "access", "cachestat", "faccessat", "faccessat2", "file_getattr", "fstat", "fstatfs", "lstat",
        "newfstatat", "stat", "statfs", "statx",
    ]),
    allow("files", "owner and times of own files; without capabilities no way up", &[
        "chown", "fchown", "fchownat", "futimesat", "lchown", "utime", "utimensat", "utimes",
    ]),
    allow("files", "extended attributes: cp -a and tar keep them; the security ones need capabilities", &[
        "fgetxattr", "flistxattr", "fremovexattr", "fsetxattr", "getxattr", "getxattrat", "lgetxattr",
        "listxattr", "listxattrat", "llistxattr", "lremovexattr", "lsetxattr", "removexattr",
        "removexattrat", "setxattr", "setxattrat",
    ]),
    allow("files", "being told of changes to files that the program can read", &[
        "inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch",
    ]),
    allow_if("files", "regular files, pipes and sockets only: no device nodes", &["mknod"],
        &[ArgCondition::OneOf { index: 1, mask: S_IFMT | SETID_BITS, values: HARMLESS_NODES }]),
    allow_if("files", "regular files, pipes and sockets only: no device nodes", &["mknodat"],
        &[ArgCondition::OneOf { index: 2, mask: S_IFMT | SETID_BITS, values: HARMLESS_NODES }]),
    allow_if("files", "terminals, pipes and files; line disciplines and typing for others are refused", &["ioctl"],
        &[ArgCondition::NoneOf { index: 1, values: BANNED_IOCTLS }]),

    // Memory.
    allow("memory", "own memory: allocators, the dynamic loader, just-in-time compilers (julia, java)", &[
        "brk", "madvise", "memfd_create", "mincore", "mlock", "mlock2", "mlockall", "mmap", "mprotect",
        "mremap", "mseal", "msync", "munlock", "munlockall", "munmap",
    ]),
    allow("memory", "hardening of own memory by the C library and runtimes", &[
        "map_shadow_stack", "pkey_alloc", "pkey_free", "pkey_mprotect",
    ]),
    allow("memory", "placing own memory on NUMA nodes, within the cpuset: java, OpenBLAS, commercial solvers", &[
        "get_mempolicy", "mbind", "set_mempolicy", "set_mempolicy_home_node",
    ]),

    // Processes and threads.
    allow("processes", "starting programs, waiting for them, ending", &[
        "execve", "execveat", "exit", "exit_group", "fork", "pidfd_open", "pidfd_send_signal", "vfork",
        "wait4", "waitid",
    ]),
    allow_if("processes", "processes and threads, but no new namespaces", &["clone"],
        &[ArgCondition::OneOf { index: 0, mask: NAMESPACE_FLAGS, values: &[0] }]),
    allow("processes", "thread start and thread-local storage in the C library; bits of own process state", &[
        "arch_prctl", "get_robust_list", "prctl", "rseq", "set_robust_list", "set_tid_address",
    ]),
    allow_if("processes", "asking for the personality, resetting it, and looking like Linux 2.6 for old solvers",
        &["personality"],
        &[ArgCondition::OneOf { index: 0, mask: u32::MAX, values: &[0, UNAME26, u32::MAX] }]),
    allow("processes", "process groups and sessions: shells, GNU make, python's subprocess", &[
        "getpgid", "getpgrp", "getpid", "getppid", "getsid", "gettid", "setpgid", "setsid",
    ]),
    allow("processes", "making the own sandbox narrower still: can't be undone and takes nothing from others", &[
        "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self", "seccomp",
    ]),
    allow("processes", "the kernel's own trampolines when an administrator traces a program from outside", &[
        "uprobe", "uretprobe",
    ]),
    allow("threads", "locks between threads and processes", &[
        "futex", "futex_requeue", "futex_wait", "futex_waitv", "futex_wake", "membarrier",
    ]),
    allow("scheduling", "affinity and priority, within the cpuset and without capabilities only downwards", &[
        "getcpu", "getpriority", "ioprio_get", "ioprio_set", "sched_get_priority_max",
        "sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam",
        "sched_getscheduler", "sched_rr_get_interval", "sched_setaffinity", "sched_setattr",
        "sched_setparam", "sched_setscheduler", "sched_yield", "setpriority",
    ]),
    allow("limits", "resource limits and usage; hard limits only go down without capabilities", &[
        "getrlimit", "getrusage", "prlimit64", "setrlimit", "sysinfo", "times",
    ]),
    allow("identity", "asking who one is", &[
        "capget", "getegid", "geteuid", "getgid", "getgroups", "getresgid", "getresuid", "getuid",
    ]),
    allow("identity", "shells and interpreters set the ids that they have; without capabilities nothing else works", &[
        "capset", "setfsgid", "setfsuid", "setgid", "setgroups", "setregid", "setresgid", "setresuid",
        "setreuid", "setuid",
    ]),

    // Signals, time, waiting.
    allow("signals", "handling signals, sending them within the pid namespace", &[
        "kill", "pause", "restart_syscall", "rt_sigaction", "rt_sigpending", "rt_sigprocmask",
        "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo",
        "sigaltstack", "signalfd", "signalfd4", "tgkill", "tkill",
    ]),
    allow("time", "reading clocks, sleeping, timers", &[
        "alarm", "clock_getres", "clock_gettime", "clock_nanosleep", "getitimer", "gettimeofday",
        "nanosleep", "setitimer", "time", "timer_create", "timer_delete", "timer_getoverrun",
        "timer_gettime", "timer_settime", "timerfd_create", "timerfd_gettime", "timerfd_settime",
    ]),
    allow("waiting", "waiting for several files at once", &[
        "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait",
        "eventfd", "eventfd2", "poll", "ppoll", "pselect6", "select",
    ]),

    // Talking to other processes of the same container.
    allow_if("sockets", "unix sockets only: python's multiprocessing, java, the C library's caches",
        &["socket", "socketpair"], &[ArgCondition::Equal { index: 0, value: AF_UNIX }]),
    allow("sockets", "using sockets, of which there are only unix ones", &[
        "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen",
        "recvfrom", "recvmmsg", "recvmsg", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown",
    ]),
    allow("ipc", "System V and POSIX objects, in the container's own ipc namespace", &[
        "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedsend", "mq_unlink", "msgctl",
        "msgget", "msgrcv", "msgsnd", "semctl", "semget", "semop", "semtimedop", "shmat", "shmctl", "shmdt",
        "shmget",
    ]),

    allow("information", "random numbers and the name of the system", &["getrandom", "uname"]),
];

pub(super) const AF_UNIX: u64 = 1;

/// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. Not CLONE_NEWTIME (0x80): in clone's
/// flags that bit is part of the exit signal, and only clone3 and unshare know it.
pub(super) const NAMESPACE_FLAGS: u32 = 0x7e02_0000;

/// O_CREAT and the bit that O_TMPFILE adds to O_DIRECTORY: with either, open makes a file and its mode
/// argument counts.
pub(super) const MAKING_FLAGS: u32 = 0o100 | 0o20_000_000;

/// S_ISUID and S_ISGID. Files that a command makes in the project belong to the project's owner on the
/// host, where no nosuid holds: a setuid bit would be the owner's privilege for whoever runs the file.
pub(super) const SETID_BITS: u32 = 0o6_000;

pub(super) const S_IFMT: u32 = 0o170_000;
/// No type (the kernel makes a regular file), regular, pipe, socket.
const HARMLESS_NODES: &[u32] = &[0, 0o100_000, 0o010_000, 0o140_000];

/// Makes uname() say 2.6.x: for old licence managers. Not allowed: PER_LINUX32 (there are no 32-bit
/// programs here), ADDR_NO_RANDOMIZE and READ_IMPLIES_EXEC (they take protections off).
const UNAME26: u32 = 0x0002_0000;

/// TIOCSTI types on a terminal, TIOCLINUX pastes on a console, TIOCSETD loads line disciplines (the
/// kernel modules behind them have had one hole after the other) on any pseudoterminal.
pub(super) const BANNED_IOCTLS: &[u32] = &[0x5412, 0x541c, 0x5423];
