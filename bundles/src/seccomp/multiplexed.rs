//! Calls that 32-bit x86 makes through `socketcall` and `ipc`.
//!
//! Their first argument says which call is meant. The call's own arguments are in memory, where no filter
//! can see them: a rule with conditions on them allows or refuses the call as a whole there. So a profile
//! that names `SCMP_ARCH_X86` and restricts, say, `socket` by its family restricts 64-bit programs only.

use super::table::Architecture;

/// A number, and the first argument by which it makes the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Multiplexer {
    pub number: u32,
    pub selector: u64,
}

const SOCKETCALL: u32 = 102;
const IPC: u32 = 117;

/// How `architecture` makes the call `name` beside its own number, if it has one.
pub(super) fn multiplexer(architecture: Architecture, name: &str) -> Option<Multiplexer> {
    if architecture != Architecture::X86 {
        return None;
    }
    let socketcall = |selector| (SOCKETCALL, selector);
    let ipc = |selector| (IPC, selector);
    // linux/net.h and linux/ipc.h.
    let (number, selector) = match name {
        "socket" => socketcall(1),
        "bind" => socketcall(2),
        "connect" => socketcall(3),
        "listen" => socketcall(4),
        "accept" => socketcall(5),
        "getsockname" => socketcall(6),
        "getpeername" => socketcall(7),
        "socketpair" => socketcall(8),
        "send" => socketcall(9),
        "recv" => socketcall(10),
        "sendto" => socketcall(11),
        "recvfrom" => socketcall(12),
        "shutdown" => socketcall(13),
        "setsockopt" => socketcall(14),
        "getsockopt" => socketcall(15),
        "sendmsg" => socketcall(16),
        "recvmsg" => socketcall(17),
        "accept4" => socketcall(18),
        "recvmmsg" => socketcall(19),
        "sendmmsg" => socketcall(20),
        "semop" => ipc(1),
        "semget" => ipc(2),
        "semctl" => ipc(3),
        "semtimedop" => ipc(4),
        "msgsnd" => ipc(11),
        "msgrcv" => ipc(12),
        "msgget" => ipc(13),
        "msgctl" => ipc(14),
        "shmat" => ipc(21),
        "shmdt" => ipc(22),
        "shmget" => ipc(23),
        "shmctl" => ipc(24),
        _ => return None,
    };
    Some(Multiplexer { number, selector })
}
