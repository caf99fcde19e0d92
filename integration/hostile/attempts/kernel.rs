//! Into the kernel: other processes, socket families, large interfaces, other architectures' calls.

use nix::errno::Errno;

use super::{Named, named, outcome};
use crate::calls::{Attempt, call, call_32_bit};

fn simple(name: &'static str, number: libc::c_long, arguments: &'static [usize]) -> Named {
    named(name, move || outcome(call(number, arguments)))
}

/// Taking over another process.
pub fn tracing() -> Vec<Named> {
    vec![
        named("ptrace parent", || {
            let parent = nix::unistd::getppid().as_raw() as usize;
            outcome(call(
                libc::SYS_ptrace,
                &[libc::PTRACE_SEIZE as usize, parent, 0, 0],
            ))
        }),
        simple("ptrace traceme", libc::SYS_ptrace, &[0, 0, 0, 0]),
        named("process_vm_readv", || copy(libc::SYS_process_vm_readv)),
        named("process_vm_writev", || copy(libc::SYS_process_vm_writev)),
        named("pidfd_getfd", || {
            let process = call(libc::SYS_pidfd_open, &[1, 0])?;
            outcome(call(libc::SYS_pidfd_getfd, &[process, 0, 0]))
        }),
        simple("kcmp", libc::SYS_kcmp, &[1, 1, 0, 0, 0]),
    ]
}

/// Copies a byte between this process's memory and the first one's, where nothing is: that is told only to who may.
fn copy(number: libc::c_long) -> Attempt {
    let mut byte = [0_u8];
    let here = [byte.as_mut_ptr() as usize, 1];
    let there = [0_usize, 1];
    let pieces = [&here, &there].map(|piece| piece.as_ptr() as usize);
    match call(number, &[1, pieces[0], 1, pieces[1], 1, 0]) {
        Err(Errno::EFAULT) => outcome(Ok(0)),
        other => outcome(other),
    }
}

/// Socket families, of which only unix ones are for solvers.
pub fn sockets() -> Vec<Named> {
    const STREAM: usize = libc::SOCK_STREAM as usize;
    const SEQPACKET: usize = libc::SOCK_SEQPACKET as usize;
    const DATAGRAM: usize = libc::SOCK_DGRAM as usize;
    vec![
        simple(
            "socket unix",
            libc::SYS_socket,
            &[libc::AF_UNIX as usize, STREAM, 0],
        ),
        simple(
            "socket inet",
            libc::SYS_socket,
            &[libc::AF_INET as usize, STREAM, 0],
        ),
        simple(
            "socket inet6",
            libc::SYS_socket,
            &[libc::AF_INET6 as usize, STREAM, 0],
        ),
        simple(
            "socket netlink",
            libc::SYS_socket,
            &[libc::AF_NETLINK as usize, DATAGRAM, 0],
        ),
        simple(
            "socket packet",
            libc::SYS_socket,
            &[libc::AF_PACKET as usize, DATAGRAM, 0],
        ),
        simple(
            "socket alg",
            libc::SYS_socket,
            &[libc::AF_ALG as usize, SEQPACKET, 0],
        ),
        simple(
            "socket alg, upper half set",
            libc::SYS_socket,
            &[libc::AF_ALG as usize | 0xdead_beef << 32, SEQPACKET, 0],
        ),
        simple(
            "socket vsock",
            libc::SYS_socket,
            &[libc::AF_VSOCK as usize, STREAM, 0],
        ),
    ]
}

/// Large interfaces and the host's own affairs; arguments that change nothing where they are allowed.
pub fn kernel() -> Vec<Named> {
    vec![
        named("io_uring_setup", || {
            let mut parameters = [0_u8; 120];
            outcome(call(
                libc::SYS_io_uring_setup,
                &[1, parameters.as_mut_ptr().addr()],
            ))
        }),
        simple("bpf", libc::SYS_bpf, &[0, 0, 0]),
        named("perf_event_open", || {
            let mut attr = [0_u8; 128];
            attr[..8].copy_from_slice(&[1, 0, 0, 0, 128, 0, 0, 0]);
            let nobody = usize::MAX;
            outcome(call(
                libc::SYS_perf_event_open,
                &[attr.as_ptr().addr(), 0, nobody, nobody, 0],
            ))
        }),
        simple("userfaultfd", libc::SYS_userfaultfd, &[1]),
        simple("keyctl", libc::SYS_keyctl, &[0, usize::MAX, 0]),
        simple("add_key", libc::SYS_add_key, &[0, 0, 0, 0, 0]),
        simple("request_key", libc::SYS_request_key, &[0, 0, 0, 0]),
        simple("init_module", libc::SYS_init_module, &[0, 0, 0]),
        simple("finit_module", libc::SYS_finit_module, &[0, 0, 0]),
        simple("delete_module", libc::SYS_delete_module, &[0, 0]),
        simple("kexec_load", libc::SYS_kexec_load, &[0, 0, 0, usize::MAX]),
        simple("reboot", libc::SYS_reboot, &[0, 0, 0, 0]),
        simple("swapon", libc::SYS_swapon, &[0, 0]),
        simple("syslog", libc::SYS_syslog, &[10, 0, 0]),
        simple("clock_settime", libc::SYS_clock_settime, &[99, 0]),
        simple("settimeofday", libc::SYS_settimeofday, &[1, 1]),
        simple("sethostname", libc::SYS_sethostname, &[1, 99999]),
        simple("unknown call", 999, &[]),
    ]
}

const X32: libc::c_long = 0x4000_0000;

/// Calls of the other two architectures that an x86_64 kernel may know.
pub fn foreign() -> Vec<Named> {
    let old = |name: &str, number, first| {
        named(name, move || {
            let result = call_32_bit(number, first);
            if result < 0 {
                Err(Errno::from_raw(-result))
            } else {
                Ok(result.to_string())
            }
        })
    };
    vec![
        old("int 0x80 getpid", 20, 0),
        old("int 0x80 socketcall", 102, 1),
        old("int 0x80 mount", 21, 0),
        simple("x32 getpid", X32 + libc::SYS_getpid, &[]),
        simple("x32 mount", X32 + libc::SYS_mount, &[0, 0, 0, 0, 0]),
        simple("x32 ptrace", X32 + 521, &[0, 0, 0, 0]),
    ]
}
