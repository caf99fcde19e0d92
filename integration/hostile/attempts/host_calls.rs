//! Calls on the host's own affairs, on other processes, and on what everybody shares. Arguments change nothing where the
//! call is allowed.

use nix::errno::Errno;

use super::{Named, named, outcome};
use crate::calls::{Attempt, call};

const ALL: usize = usize::MAX;

fn simple(name: &str, number: libc::c_long, arguments: &'static [usize]) -> Named {
    named(name.to_owned(), move || outcome(call(number, arguments)))
}

/// The host as a whole.
pub fn machine() -> Vec<Named> {
    vec![
        simple(
            "reboot: another key",
            libc::SYS_reboot,
            &[0xfee1_dead, 1, 0, 0],
        ),
        simple(
            "kexec_file_load",
            libc::SYS_kexec_file_load,
            &[ALL, ALL, 0, 0, 0],
        ),
        simple("create_module", 174, &[0, 0]),
        simple("query_module", 178, &[0, 0, 0, 0, 0]),
        simple("get_kernel_syms", 177, &[0]),
        named("init_module of nothing", || {
            outcome(call(
                libc::SYS_init_module,
                &[c"".as_ptr().addr(), 0, c"".as_ptr().addr()],
            ))
        }),
        named("finit_module of this program", || {
            let file = std::fs::File::open("/proc/self/exe").map_err(|_| Errno::ENOENT)?;
            let number = std::os::fd::AsRawFd::as_raw_fd(&file) as usize;
            outcome(call(
                libc::SYS_finit_module,
                &[number, c"".as_ptr().addr(), 0],
            ))
        }),
        simple("swapoff", libc::SYS_swapoff, &[0]),
        simple("acct", libc::SYS_acct, &[0]),
        simple("quotactl", libc::SYS_quotactl, &[0, 0, 0, 0]),
        simple("quotactl_fd", 443, &[ALL, 0, 0, 0]),
        simple("setdomainname", libc::SYS_setdomainname, &[1, 99_999]),
        named("read the kernel's log", || {
            let mut bytes = [0_u8; 64];
            outcome(call(
                libc::SYS_syslog,
                &[3, bytes.as_mut_ptr().addr(), bytes.len()],
            ))
        }),
        simple("clear the kernel's log", libc::SYS_syslog, &[5, 0, 0]),
        simple("console log level", libc::SYS_syslog, &[8, 0, 9]),
        simple("iopl", libc::SYS_iopl, &[3]),
        simple("ioperm", libc::SYS_ioperm, &[0x70, 2, 1]),
        named("adjtimex", || {
            let mut timex = [0_u64; 26];
            // ADJ_TICK with a tick that no kernel takes.
            timex[0] = 0x4000;
            outcome(call(libc::SYS_adjtimex, &[timex.as_mut_ptr().addr()]))
        }),
        named("clock_settime of the host's time", || {
            // Nanoseconds that no kernel takes: EINVAL says that it would have been allowed.
            let time = [0_i64, i64::MAX];
            let set = outcome(call(libc::SYS_clock_settime, &[0, time.as_ptr().addr()]));
            set.or_else(|errno| match errno {
                Errno::EINVAL => Ok("looked at".to_owned()),
                other => Err(other),
            })
        }),
        simple("vhangup", libc::SYS_vhangup, &[]),
        simple("lookup_dcookie", libc::SYS_lookup_dcookie, &[0, 0, 0]),
        simple("nfsservctl", libc::SYS_nfsservctl, &[0, 0, 0]),
        simple("uselib", libc::SYS_uselib, &[0]),
        simple("_sysctl", libc::SYS__sysctl, &[0]),
        simple("fanotify_init", libc::SYS_fanotify_init, &[0, 0]),
        simple(
            "fanotify_init with file ids",
            libc::SYS_fanotify_init,
            &[0x200, 0],
        ),
        simple("modify_ldt", libc::SYS_modify_ldt, &[0, 0, 0]),
        simple(
            "personality without randomness",
            libc::SYS_personality,
            &[0x004_0000],
        ),
        simple(
            "personality that executes what it reads",
            libc::SYS_personality,
            &[0x040_0000],
        ),
        simple(
            "remap_file_pages",
            libc::SYS_remap_file_pages,
            &[0, 0, 0, 0, 0],
        ),
        simple("memfd_secret", 447, &[0]),
        simple("lsm_set_self_attr", 460, &[0, 0, 0, 0]),
        simple("lsm_list_modules", 461, &[0, 0, 0]),
        simple("map_shadow_stack", 453, &[0, 4096, 0]),
        simple("cachestat", 451, &[0, 0, 0, 0]),
        simple("uretprobe", 335, &[]),
        simple("mount of an unknown number", 998, &[]),
        simple("the largest number of a call", 0x3fff_ffff, &[]),
    ]
}

/// The first process of the sandbox, which is the runtime's where there is one, and the parent.
pub fn others() -> Vec<Named> {
    vec![
        simple("ptrace peek 1", libc::SYS_ptrace, &[2, 1, 0, 0]),
        simple("ptrace poke 1", libc::SYS_ptrace, &[5, 1, 0, 0]),
        simple("ptrace registers 1", libc::SYS_ptrace, &[12, 1, 0, 0]),
        simple("ptrace seize 1", libc::SYS_ptrace, &[0x4206, 1, 0, 0]),
        simple("process_madvise", 440, &[ALL, 0, 0, 4, 0]),
        simple("process_mrelease", 448, &[ALL, 0]),
        named("get_robust_list 1", || {
            let (mut head, mut length) = (0_u64, 0_u64);
            let head = (&raw mut head).addr();
            outcome(call(
                libc::SYS_get_robust_list,
                &[1, head, (&raw mut length).addr()],
            ))
        }),
        simple("move_pages 1", libc::SYS_move_pages, &[1, 0, 0, 0, 0, 0]),
        simple("migrate_pages 1", libc::SYS_migrate_pages, &[1, 0, 0, 0]),
        simple("prlimit of 1", libc::SYS_prlimit64, &[1, 7, 0, 0]),
        simple("setpriority of 1", libc::SYS_setpriority, &[0, 1, ALL - 19]),
        simple("nice below zero", libc::SYS_setpriority, &[0, 0, ALL - 19]),
        named("sched_setscheduler: fifo", || {
            let priority = 1_i32;
            outcome(call(
                libc::SYS_sched_setscheduler,
                &[0, 1, (&raw const priority).addr()],
            ))
        }),
        named("sched_setscheduler: deadline", || {
            let attr: [u64; 6] = [48 | 6 << 32, 0, 0, 1_000_000, 10_000_000, 10_000_000];
            outcome(call(libc::SYS_sched_setattr, &[0, attr.as_ptr().addr(), 0]))
        }),
        simple(
            "ioprio_set: real time",
            libc::SYS_ioprio_set,
            &[1, 0, 1 << 13],
        ),
        simple("kill 1 with SIGKILL", libc::SYS_kill, &[1, 0]),
        simple(
            "signal group of the host's",
            libc::SYS_kill,
            &[ALL - 1_999_999, 0],
        ),
        simple("tgkill 1", libc::SYS_tgkill, &[1, 1, 0]),
        named("rt_sigqueueinfo 1", || {
            let info = [0_u64; 16];
            outcome(call(
                libc::SYS_rt_sigqueueinfo,
                &[1, 15, info.as_ptr().addr()],
            ))
        }),
        named("pidfd_open of a host's process", || {
            outcome(call(libc::SYS_pidfd_open, &[2_000_000, 0]))
        }),
    ]
}

/// More than one's share.
pub fn shares() -> Vec<Named> {
    let mut attempts: Vec<Named> = [
        ("locked memory", 8),
        ("processes", 6),
        ("open files", 7),
        ("priority", 13),
        ("real-time priority", 14),
        ("message queues", 12),
        ("pending signals", 11),
    ]
    .map(|(name, resource)| {
        named(format!("raise the limit on {name}"), move || {
            raise(resource)
        })
    })
    .into();
    attempts.extend([
        simple("lock all memory, now and later", libc::SYS_mlockall, &[3]),
        named("a pipe of 1 GiB", || {
            let mut ends = [0_i32; 2];
            call(libc::SYS_pipe2, &[ends.as_mut_ptr().addr(), 0])?;
            outcome(call(libc::SYS_fcntl, &[ends[0] as usize, 1031, 1 << 30]))
        }),
        named("huge pages", || {
            // MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, and touched by MAP_POPULATE.
            outcome(call(libc::SYS_mmap, &[0, 2 << 20, 3, 0x4_8022, ALL, 0]))
        }),
        named("shared memory of 1 TiB, locked", || {
            let id = call(libc::SYS_shmget, &[0, 1 << 40, 0o1600])?;
            let locked = outcome(call(libc::SYS_shmctl, &[id, 11, 0]));
            let _ = call(libc::SYS_shmctl, &[id, 0, 0]);
            locked
        }),
        named("a file of 1 EiB in /tmp", || allocate("/tmp/by-probe")),
        named("a file of 1 EiB in /dev/shm", || {
            allocate("/dev/shm/by-probe")
        }),
        named("100,000 open files", || {
            for count in 0..100_000 {
                call(libc::SYS_dup, &[0]).inspect_err(|_| {
                    let _ = count;
                })?;
            }
            Ok("all".to_owned())
        }),
        named("2,000 processes", || {
            let told = super::forks(2_000);
            match told["refusal"].as_str() {
                Some("") => Ok("all".to_owned()),
                _ => Err(Errno::EAGAIN),
            }
        }),
    ]);
    attempts
}

fn raise(resource: usize) -> Attempt {
    let mut now = [0_u64; 2];
    let pointer = now.as_mut_ptr().addr();
    call(libc::SYS_prlimit64, &[0, resource, 0, pointer])?;
    if now[1] == u64::MAX {
        return Ok("without a limit".to_owned());
    }
    let more = [now[1], now[1] + 1];
    outcome(call(
        libc::SYS_prlimit64,
        &[0, resource, more.as_ptr().addr(), 0],
    ))
}

/// Asked for without a size that any disk has: what comes back is a refusal of one kind or the other.
fn allocate(path: &str) -> Attempt {
    let file = std::fs::File::create(path)
        .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(0)))?;
    let number = std::os::fd::AsRawFd::as_raw_fd(&file) as usize;
    let allocated = outcome(call(libc::SYS_fallocate, &[number, 0, 0, 1 << 60]));
    let _ = std::fs::remove_file(path);
    allocated
}

/// What was left open or is shared.
pub fn leftovers() -> Vec<Named> {
    let mut attempts = vec![
        named("a descriptor above 2", || {
            for number in 3..4096 {
                // The two ends of the pipe on which this tells are this program's own.
                let path = format!("/proc/self/fd/{number}");
                if let Ok(target) = std::fs::read_link(path) {
                    let target = target.display().to_string();
                    if !target.starts_with("pipe:") {
                        return Ok(target);
                    }
                }
            }
            Err(Errno::EBADF)
        }),
        named("an abstract socket of somebody's", || {
            let text = std::fs::read_to_string("/proc/net/unix").map_err(|_| Errno::ENOENT)?;
            match text.lines().find(|line| line.contains(" @")) {
                Some(line) => Ok(line.split('@').nth(1).unwrap_or_default().to_owned()),
                None => Err(Errno::ENODATA),
            }
        }),
        named("a process of somebody's", || {
            let own = std::process::id().to_string();
            let parent = nix::unistd::getppid().to_string();
            let mut pids = integration::host::names_in(std::path::Path::new("/proc"));
            pids.retain(|pid| pid.bytes().all(|byte| byte.is_ascii_digit()));
            pids.retain(|pid| *pid != own && *pid != parent && pid != "1");
            match pids.first() {
                Some(pid) => Ok(pid.clone()),
                None => Err(Errno::ESRCH),
            }
        }),
        named("an interface of the host's", || {
            let text = std::fs::read_to_string("/proc/net/dev").map_err(|_| Errno::ENOENT)?;
            let names = text
                .lines()
                .skip(2)
                .filter_map(|line| line.split(':').next());
            match names.map(str::trim).find(|name| *name != "lo") {
                Some(name) => Ok(name.to_owned()),
                None => Err(Errno::ENODEV),
            }
        }),
    ];
    for number in 0..3_usize {
        attempts.push(named(
            format!("a way out by descriptor {number}"),
            move || {
                let up = c"../../../../etc/shadow".as_ptr().addr();
                outcome(call(libc::SYS_openat, &[number, up, 0]))
            },
        ));
    }
    for (name, file) in [
        ("segments", "shm"),
        ("queues", "msg"),
        ("semaphores", "sem"),
    ] {
        attempts.push(named(format!("System V {name} of somebody's"), move || {
            let text = std::fs::read_to_string(format!("/proc/sysvipc/{file}"))
                .map_err(|_| Errno::ENOENT)?;
            match text.lines().count() {
                0 | 1 => Err(Errno::ENODATA),
                count => Ok(format!("{} of them", count - 1)),
            }
        }));
    }
    attempts.push(named("files of somebody's in /dev/shm", || {
        listed("/dev/shm")
    }));
    attempts.push(named("message queues of somebody's", || {
        listed("/dev/mqueue")
    }));
    attempts
}

fn listed(path: &str) -> Attempt {
    match integration::host::names_in(std::path::Path::new(path)).first() {
        Some(name) => Ok(name.clone()),
        None => Err(Errno::ENODATA),
    }
}

/// Calls of the 32-bit architecture by number, with at most one argument.
pub fn old_calls() -> Vec<Named> {
    let calls = [
        ("fork", 2),
        ("umount", 22),
        ("setuid", 23),
        ("stime", 25),
        ("ptrace", 26),
        ("setgid", 46),
        ("umount2", 52),
        ("ioctl", 54),
        ("chroot", 61),
        ("sethostname", 74),
        ("reboot", 88),
        ("iopl", 110),
        ("vm86old", 113),
        ("swapoff", 115),
        ("sysinfo", 116),
        ("ipc", 117),
        ("clone", 120),
        ("modify_ldt", 123),
        ("init_module", 128),
        ("setuid32", 213),
        ("pivot_root", 217),
        ("mbind", 274),
        ("add_key", 286),
        ("keyctl", 288),
        ("unshare", 310),
        ("perf_event_open", 336),
        ("setns", 346),
        ("bpf", 357),
        ("socket", 359),
        ("userfaultfd", 374),
        ("io_uring_setup", 425),
        ("clone3", 435),
    ];
    calls
        .into_iter()
        .map(|(name, number)| {
            named(
                format!("int 0x80 {name}"),
                move || match crate::calls::call_32_bit(number, 0) {
                    result @ -4095..=-1 => Err(Errno::from_raw(-result)),
                    0 if name == "fork" => std::process::exit(0),
                    result => Ok(result.to_string()),
                },
            )
        })
        .collect()
}
