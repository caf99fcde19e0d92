//! The guardian of a `run` before its C library's start: most need no more of it than waiting.
//!
//! [`before_libc`](super::before_libc) has to execute the program once more, and a `run` has to be two processes
//! ([`crate::container`]'s guardian): so here a child executes, the worker, and this process stays. It shares nothing with the
//! worker that either would have to copy, and ends with the worker's code. As soon as there is anything else to do (a signal to pass
//! on, a terminal to connect, a worker that was killed) the program begins as usual, and finds in [`worker`] whom it guards.
//!
//! The worker is told of its end of a socket by a variable. It begins with the signals blocked, and leaves this process's group when it
//! begins to run something: until then it may tell the caller's terminal what is wrong. Where anything doesn't go as it should, this
//! process executes itself, and splits later.
//!
//! In assembly for the reasons that are told there.

#[cfg(target_arch = "x86_64")]
use std::arch::global_asm;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::signal::Signal;
use nix::unistd::Pid;

use super::environment::remove_variable;
#[cfg(target_arch = "x86_64")]
use super::signal::{FAULTS, OWN};

/// Tells the worker its end of the guardian's socket: eight letters from `a` on, each four bits of the number.
const GUARDIAN_VARIABLE: &str = "OPT_RUNTIME_GUARDIAN";

static WORKER: AtomicI32 = AtomicI32::new(0);
static SOCKET: AtomicI32 = AtomicI32::new(0);

/// The worker that this process guards since before it began, and the socket on which that one asks; once.
pub(crate) fn worker() -> Option<(Pid, OwnedFd)> {
    let worker = WORKER.swap(0, Ordering::Relaxed);
    if worker == 0 {
        return None;
    }
    // SAFETY: the descriptor was made for this, and it is asked for once.
    let socket = unsafe { OwnedFd::from_raw_fd(SOCKET.load(Ordering::Relaxed)) };
    Some((Pid::from_raw(worker), socket))
}

/// This process's end of its guardian's socket, where it has been told of one; once, and nobody else is told.
pub(crate) fn guardian() -> Option<OwnedFd> {
    let letters = std::env::var(GUARDIAN_VARIABLE).ok()?;
    remove_variable(GUARDIAN_VARIABLE);
    let number = number_of(&letters)?;
    fcntl(number, FcntlArg::F_GETFD).ok()?;
    // SAFETY: it is open, but nothing is yet that this program has opened: nothing of its own owns it.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}

/// What the worker is told in letters.
fn number_of(letters: &str) -> Option<RawFd> {
    letters.bytes().try_fold(0_i32, |number, letter| {
        let bits = letter.checked_sub(b'a').filter(|bits| *bits < 16)?;
        number.checked_mul(16)?.checked_add(bits.into())
    })
}

/// What a worker that asks sends: any program but a guardian that has only signals to wait for ignores it.
pub(crate) const WAKING: Signal = Signal::SIGURG;

/// All that is passed on ([`crate::container`]'s supervision blocks the same), the worker's end, and [`WAKING`].
#[cfg(target_arch = "x86_64")]
const BLOCKED: u64 = !(bits(&OWN) | bits(&FAULTS)) | bits(&[Signal::SIGCHLD, WAKING]);

#[cfg(target_arch = "x86_64")]
const fn bits(mut signals: &[Signal]) -> u64 {
    let mut bits = 0;
    while let [signal, rest @ ..] = signals {
        bits |= 1 << (*signal as i32 - 1);
        signals = rest;
    }
    bits
}

// From `opt_runtime_start_guarding`, which gives: rbp and r12, the stack and what is in rdx at `_start`; r13, the arguments; r14, the
// environment, before which there is room; rbx, the view to execute.
#[cfg(target_arch = "x86_64")]
global_asm!(
    ".globl opt_runtime_guard",
    ".hidden opt_runtime_guard",
    "opt_runtime_guard:",
    // Room for, from rsp on: a siginfo, or a sigaction; the socket's ends; the mask, and the one before; the variable.
    "sub rsp, {room}",
    "mov edi, {unix}",
    "mov esi, {seqpacket}",
    "xor edx, edx",
    "lea r10, [rsp + {ends}]",
    "mov eax, {socketpair}",
    "syscall",
    "test rax, rax",
    "jnz opt_runtime_execute",
    // In the place of a standard descriptor that the caller has closed it would be taken for one.
    "cmp dword ptr [rsp + {ends}], 2",
    "jle 7f",
    "cmp dword ptr [rsp + {ends} + 4], 2",
    "jle 7f",
    "mov rax, {blocked}",
    "mov [rsp + {mask}], rax",
    "xor edi, edi",
    "lea rsi, [rsp + {mask}]",
    "lea rdx, [rsp + {old_mask}]",
    "mov r10d, 8",
    "mov eax, {rt_sigprocmask}",
    "syscall",
    "test rax, rax",
    "jnz 7f",
    // The worker's end is kept for us, whatever the caller does with his children's.
    "mov rdi, rsp",
    "mov ecx, 4",
    "rep stosq",
    "mov edi, {sigchld}",
    "mov rsi, rsp",
    "xor edx, edx",
    "mov eax, {rt_sigaction}",
    "syscall",
    "test rax, rax",
    "jnz 6f",
    // What a killed worker leaves becomes ours.
    "mov edi, {set_child_subreaper}",
    "mov esi, 1",
    "mov eax, {prctl}",
    "syscall",
    "test rax, rax",
    "jnz 6f",
    // The variable, before the others.
    "lea rdi, [rsp + {variable}]",
    "mov [r14 - 8], rdi",
    "lea rsi, [rip + 20f]",
    "mov ecx, {variable_length}",
    "rep movsb",
    "mov eax, [rsp + {ends} + 4]",
    "mov ecx, 8",
    "1:",
    "rol eax, 4",
    "mov edx, eax",
    "and edx, 15",
    "add edx, 97",
    "mov [rdi], dl",
    "inc rdi",
    "dec ecx",
    "jnz 1b",
    "mov byte ptr [rdi], 0",
    // The child has this process's memory until it executes, and this one waits for that.
    "mov eax, {vfork}",
    "syscall",
    "test rax, rax",
    "js 6f",
    "jnz 3f",
    // The worker.
    "mov edi, [rsp + {ends} + 4]",
    "mov esi, {setfd}",
    "xor edx, edx",
    "mov eax, {fcntl}",
    "syscall",
    "mov rdi, rbx",
    "lea rsi, [rip + 21f]",
    "mov rdx, r13",
    "lea r10, [r14 - 8]",
    "mov r8d, {empty_path}",
    "mov eax, {execveat}",
    "syscall",
    // In memory that is the guardian's, too: there is no worker.
    "mov dword ptr [rsp + {ends} + 4], 0",
    "mov edi, 1",
    "mov eax, {exit}",
    "syscall",
    // The guardian. r13: the worker.
    "3:",
    "cmp dword ptr [rsp + {ends} + 4], 0",
    "je 5f",
    "mov r13d, eax",
    "mov [rip + {worker}], eax",
    // Nothing of the caller's is held open by this process. Where it is the third descriptor already, the call fails.
    "mov edi, [rsp + {ends}]",
    "mov esi, 3",
    "mov edx, {close_on_exec}",
    "mov eax, {dup3}",
    "syscall",
    "mov dword ptr [rip + {socket}], 3",
    "mov edi, 4",
    "mov esi, -1",
    "xor edx, edx",
    "mov eax, {close_range}",
    "syscall",
    "4:",
    "lea rdi, [rsp + {mask}]",
    "xor esi, esi",
    "xor edx, edx",
    "mov r10d, 8",
    "mov eax, {rt_sigtimedwait}",
    "syscall",
    "cmp eax, {sigchld}",
    "jne 2f",
    // Has the worker ended? It stays to be waited for where it was killed.
    "mov edi, 1",
    "mov esi, r13d",
    "mov rdx, rsp",
    "mov r10d, {ended}",
    "xor r8d, r8d",
    "mov eax, {waitid}",
    "syscall",
    "test rax, rax",
    "jnz opt_runtime_begin",
    "cmp dword ptr [rsp + {si_pid}], 0",
    "je 4b",
    "cmp dword ptr [rsp + {si_code}], {exited}",
    "jne opt_runtime_begin",
    "mov edi, r13d",
    "xor esi, esi",
    "xor edx, edx",
    "xor r10d, r10d",
    "mov eax, {wait4}",
    "syscall",
    "mov edi, [rsp + {si_status}]",
    "mov eax, {exit}",
    "syscall",
    // Interrupted, or a signal, which is put back for the program to find.
    "2:",
    "test eax, eax",
    "js 4b",
    "cmp eax, {waking}",
    "je opt_runtime_begin",
    "mov r14d, eax",
    "mov eax, {getpid}",
    "syscall",
    "mov edi, eax",
    "mov esi, r14d",
    "mov eax, {kill}",
    "syscall",
    "jmp opt_runtime_begin",
    // It couldn't be executed: then not from here either, but that is told by the program.
    "5:",
    "mov edi, eax",
    "xor esi, esi",
    "xor edx, edx",
    "xor r10d, r10d",
    "mov eax, {wait4}",
    "syscall",
    // As if nothing had been tried.
    "6:",
    "mov edi, 2",
    "lea rsi, [rsp + {old_mask}]",
    "xor edx, edx",
    "mov r10d, 8",
    "mov eax, {rt_sigprocmask}",
    "syscall",
    "7:",
    "mov edi, [rsp + {ends}]",
    "mov eax, {close}",
    "syscall",
    "mov edi, [rsp + {ends} + 4]",
    "mov eax, {close}",
    "syscall",
    "jmp opt_runtime_execute",
    "20: .ascii \"OPT_RUNTIME_GUARDIAN=\"",
    "21: .byte 0",
    room = const 128 + 24 + 40,
    variable = const 128 + 24,
    ends = const 128,
    mask = const 128 + 8,
    old_mask = const 128 + 16,
    variable_length = const "OPT_RUNTIME_GUARDIAN=".len(),
    worker = sym WORKER,
    socket = sym SOCKET,
    blocked = const BLOCKED,
    waking = const WAKING as i32,
    unix = const libc::AF_UNIX,
    seqpacket = const libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC,
    sigchld = const libc::SIGCHLD,
    set_child_subreaper = const libc::PR_SET_CHILD_SUBREAPER,
    setfd = const libc::F_SETFD,
    empty_path = const libc::AT_EMPTY_PATH,
    close_on_exec = const libc::O_CLOEXEC,
    ended = const libc::WEXITED | libc::WNOHANG | libc::WNOWAIT,
    exited = const libc::CLD_EXITED,
    // sigaction(2)'s siginfo_t, of which libc names the first three only.
    si_code = const 8,
    si_pid = const 16,
    si_status = const 24,
    socketpair = const libc::SYS_socketpair,
    rt_sigprocmask = const libc::SYS_rt_sigprocmask,
    rt_sigaction = const libc::SYS_rt_sigaction,
    prctl = const libc::SYS_prctl,
    vfork = const libc::SYS_vfork,
    fcntl = const libc::SYS_fcntl,
    execveat = const libc::SYS_execveat,
    exit = const libc::SYS_exit_group,
    dup3 = const libc::SYS_dup3,
    close_range = const libc::SYS_close_range,
    rt_sigtimedwait = const libc::SYS_rt_sigtimedwait,
    waitid = const libc::SYS_waitid,
    wait4 = const libc::SYS_wait4,
    getpid = const libc::SYS_getpid,
    kill = const libc::SYS_kill,
    close = const libc::SYS_close,
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_from_letters() {
        for (letters, number) in [
            ("aaaaaaaa", Some(0)),
            ("aaaaaaad", Some(3)),
            ("aaaaaeap", Some(0x40f)),
            ("aaaaaaaq", None),
            ("aaaaaaa3", None),
            ("pppppppp", None),
        ] {
            assert_eq!(number_of(letters), number, "{letters}");
        }
    }
}
