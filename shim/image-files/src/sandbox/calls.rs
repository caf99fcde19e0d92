//! System calls of programs that read one file and write many, with several threads.

use libc::{c_long, *};

/// Those that every machine has, and those of this one.
#[cfg(target_arch = "x86_64")]
pub(super) const ALL: [&[c_long]; 6] = [FILES, MEMORY, THREADS, SELF, TIME, OLD];
/// Those that every machine has.
#[cfg(not(target_arch = "x86_64"))]
pub(super) const ALL: [&[c_long]; 5] = [FILES, MEMORY, THREADS, SELF, TIME];

#[rustfmt::skip]
const FILES: &[c_long] = &[
    SYS_read, SYS_readv, SYS_pread64, SYS_preadv, SYS_write, SYS_writev, SYS_pwrite64, SYS_pwritev, SYS_lseek, SYS_close,
    SYS_close_range, SYS_openat, SYS_fstat, SYS_newfstatat, SYS_statx, SYS_statfs, SYS_fstatfs, SYS_readlinkat, SYS_faccessat, SYS_faccessat2,
    SYS_getdents64, SYS_getcwd, SYS_chdir, SYS_fchdir, SYS_mkdirat, SYS_mknodat, SYS_symlinkat, SYS_linkat, SYS_unlinkat, SYS_renameat, SYS_renameat2,
    SYS_fchmod, SYS_fchmodat, SYS_fchown, SYS_fchownat, SYS_utimensat, SYS_ftruncate, SYS_fallocate, SYS_fsync, SYS_fdatasync,
    SYS_fadvise64, SYS_copy_file_range, SYS_sendfile, SYS_flock, SYS_fcntl, SYS_ioctl, SYS_dup, SYS_dup3, SYS_pipe2, SYS_ppoll, SYS_pselect6,
    SYS_umask,
];

#[rustfmt::skip]
const MEMORY: &[c_long] = &[
    SYS_brk, SYS_mmap, SYS_munmap, SYS_mremap, SYS_mprotect, SYS_madvise, SYS_mincore, SYS_msync, SYS_membarrier,
];

#[rustfmt::skip]
const THREADS: &[c_long] = &[
    SYS_futex, SYS_set_robust_list, SYS_get_robust_list, SYS_set_tid_address, SYS_rseq, SYS_exit, SYS_exit_group, SYS_sched_yield,
    SYS_sched_getaffinity, SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigtimedwait, SYS_rt_sigsuspend, SYS_sigaltstack,
    SYS_restart_syscall,
];

// execve: the filter is there before the program.
#[rustfmt::skip]
const SELF: &[c_long] = &[
    SYS_execve, SYS_prctl, SYS_getpid, SYS_getppid, SYS_gettid, SYS_getuid, SYS_geteuid, SYS_getgid, SYS_getegid, SYS_getgroups,
    SYS_getrlimit, SYS_prlimit64, SYS_getrusage, SYS_sysinfo, SYS_uname, SYS_getrandom, SYS_getpriority,
];

#[rustfmt::skip]
const TIME: &[c_long] = &[
    SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep, SYS_nanosleep, SYS_gettimeofday, SYS_times, SYS_setitimer, SYS_getitimer,
];

/// What newer machines have others for.
#[cfg(target_arch = "x86_64")]
#[rustfmt::skip]
const OLD: &[c_long] = &[
    SYS_arch_prctl, SYS_open, SYS_creat, SYS_stat, SYS_lstat, SYS_access, SYS_readlink, SYS_mkdir, SYS_mknod, SYS_rmdir, SYS_symlink, SYS_link, SYS_unlink,
    SYS_rename, SYS_chmod, SYS_chown, SYS_lchown, SYS_utime, SYS_utimes, SYS_futimesat, SYS_poll, SYS_select, SYS_pipe, SYS_dup2, SYS_getdents,
    SYS_time, SYS_alarm,
];
