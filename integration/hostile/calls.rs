//! System calls by number, and children to make them in.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::FromRawFd;
use std::sync::atomic::{AtomicI32, Ordering};

use nix::errno::Errno;
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

/// How an attempt ended: what came of it, or why not.
pub type Attempt = Result<String, Errno>;

/// Makes the call `number`; pointers among the arguments must be valid for it.
pub fn call(number: libc::c_long, arguments: &[usize]) -> Result<usize, Errno> {
    let mut all = [0; 6];
    all[..arguments.len()].copy_from_slice(arguments);
    // SAFETY: the callers below pass pointers to live data of the layout that the call reads, or null;
    // this program has one thread and nothing to lose.
    let result = unsafe { libc::syscall(number, all[0], all[1], all[2], all[3], all[4], all[5]) };
    usize::try_from(result).map_err(|_| Errno::last())
}

/// Makes the call of the 32-bit architecture, from 64-bit code.
#[cfg(target_arch = "x86_64")]
pub fn call_32_bit(number: u32, first: u32) -> i32 {
    let mut result = number;
    // SAFETY: `int 0x80` changes eax and memory that its arguments point to, and these calls take none;
    // rbx is the compiler's, so the argument is exchanged into it and back.
    unsafe {
        std::arch::asm!(
            "xchg rbx, {first:r}",
            "int 0x80",
            "xchg rbx, {first:r}",
            first = inout(reg) u64::from(first) => _,
            inout("eax") result,
            out("r8") _, out("r9") _, out("r10") _, out("r11") _,
        );
    }
    result.cast_signed()
}

/// Makes an attempt in a child, so that whatever it does to the process is the child's own business.
pub fn in_child(attempt: impl FnOnce() -> Attempt) -> String {
    let (mut reader, mut writer) = match pipe() {
        Ok(ends) => ends,
        Err(errno) => return format!("no pipe: {errno:?}"),
    };
    // SAFETY: this program has one thread.
    match unsafe { fork() } {
        Ok(ForkResult::Child) => {
            // One that waits for what never comes ends too.
            nix::unistd::alarm::set(10);
            let text = match attempt() {
                Ok(text) => format!("ok {text}").trim().to_owned(),
                Err(errno) => format!("{errno:?}"),
            };
            let _ = writer.write_all(text.as_bytes());
            std::process::exit(0);
        }
        Ok(ForkResult::Parent { child }) => {
            drop(writer);
            let mut text = String::new();
            let _ = reader.read_to_string(&mut text);
            match waitpid(child, None) {
                Ok(WaitStatus::Signaled(_, signal, _)) => format!("killed by {signal}"),
                Ok(_) => text,
                Err(errno) => format!("no end: {errno:?}"),
            }
        }
        Err(errno) => format!("no child: {errno:?}"),
    }
}

fn pipe() -> Result<(File, File), Errno> {
    let mut ends = [0_i32; 2];
    call(libc::SYS_pipe2, &[ends.as_mut_ptr().addr(), 0])?;
    // SAFETY: the call has just made both, and nothing else owns them.
    let reader = unsafe { File::from_raw_fd(ends[0]) };
    // SAFETY: as above.
    let writer = unsafe { File::from_raw_fd(ends[1]) };
    Ok((reader, writer))
}

/// Ends as a program with a wild pointer does.
pub fn fault() -> ! {
    // SAFETY: none, that is the point: the page at 8 is never mapped, and the kernel ends the process.
    unsafe { std::ptr::with_exposed_provenance_mut::<u8>(8).write_volatile(1) };
    std::process::exit(0)
}

static CAUGHT: AtomicI32 = AtomicI32::new(0);

extern "C" fn remember(number: i32) {
    CAUGHT.store(number, Ordering::SeqCst);
}

/// Catches the signals that can be, says "ready", and ends with 40 when one came.
pub fn catch_signals() -> ! {
    for number in [
        Signal::SIGTERM,
        Signal::SIGINT,
        Signal::SIGHUP,
        Signal::SIGUSR1,
    ] {
        // SAFETY: the handler only stores to an atomic.
        let set = unsafe { signal(number, SigHandler::Handler(remember)) };
        set.expect("a handler");
    }
    println!("ready");
    loop {
        std::thread::sleep(std::time::Duration::from_millis(5));
        let number = CAUGHT.load(Ordering::SeqCst);
        if number != 0 {
            println!("caught {number}");
            std::process::exit(40);
        }
    }
}

/// Uses so much memory.
pub fn fill(megabytes: usize) {
    let mut block = vec![0_u8; megabytes << 20];
    for page in block.chunks_mut(4096) {
        page[0] = 1;
    }
    println!("filled {} MB", std::hint::black_box(&block).len() >> 20);
}
