//! Files: devices, kernel settings, set-id bits, the host's directories; and the terminal.

use std::ffi::CString;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::errno::Errno;

use super::settings::read_some as read;
use super::{Named, named, outcome};
use crate::calls::{Attempt, call};

const CWD: usize = libc::AT_FDCWD as usize;

/// In a directory that can be written to, on the host's file system: the project.
const NEW: &str = "made-by-probe";

fn errno(error: &std::io::Error) -> Errno {
    Errno::from_raw(error.raw_os_error().unwrap_or(0))
}

/// Opened only: nothing is written.
fn open_to_write(path: &'static str) -> Attempt {
    let opened = OpenOptions::new().write(true).open(path);
    opened.map(|_| String::new()).map_err(|error| errno(&error))
}

fn list(path: &'static str) -> Attempt {
    let entries = fs::read_dir(path).map_err(|error| errno(&error))?;
    match entries.count() {
        0 => Err(Errno::ENODATA),
        count => Ok(format!("{count} entries")),
    }
}

/// What is asked of the file system.
pub fn files() -> Vec<Named> {
    let mut attempts = vec![
        named("mknod character device", || {
            make_node("node-c", libc::S_IFCHR, 0x105)
        }),
        named("mknod block device", || {
            make_node("node-b", libc::S_IFBLK, 0xfe00)
        }),
        named("open character device", || read("node-character")),
        named("open block device", || read("node-block")),
        named("write core_pattern", || {
            open_to_write("/proc/sys/kernel/core_pattern")
        }),
        named("write sysrq-trigger", || {
            open_to_write("/proc/sysrq-trigger")
        }),
        named("write uid_map", || open_to_write("/proc/self/uid_map")),
        named("read kcore", || read("/proc/kcore")),
        named("read keys", || read("/proc/keys")),
        named("read timer_list", || read("/proc/timer_list")),
        named("setuid 0", || outcome(call(libc::SYS_setuid, &[0]))),
        named("setresuid 0", || {
            outcome(call(libc::SYS_setresuid, &[0, 0, 0]))
        }),
        named("setgid 0", || outcome(call(libc::SYS_setgid, &[0]))),
        named("setgroups 0", || {
            let groups = [0_u32];
            outcome(call(libc::SYS_setgroups, &[1, groups.as_ptr().addr()]))
        }),
        named("chmod plain", || chmod(0o700)),
        named("chmod u+s", || chmod(0o4755)),
        named("chmod g+s", || chmod(0o2755)),
        named("fchmodat2 u+s", || {
            new_file(0o755)?;
            let name = name(NEW);
            outcome(call(452, &[CWD, name.as_ptr().addr(), 0o4755, 0]))
        }),
        named("create u+s", || new_file(0o4755)),
        named("create g+s", || new_file(0o2755)),
        named("creat u+s", || {
            let name = name(NEW);
            outcome(call(libc::SYS_creat, &[name.as_ptr().addr(), 0o4755]))
        }),
        named("mknod u+s", || {
            make_node("node-s", libc::S_IFREG | 0o4755, 0)
        }),
        named("mkdir g+s", || {
            let name = name("directory-s");
            call(libc::SYS_mkdir, &[name.as_ptr().addr(), 0o2755])?;
            mode("directory-s")
        }),
        named("openat2 u+s", || {
            let name = name("made-by-openat2");
            let how = [(libc::O_CREAT | libc::O_WRONLY) as u64, 0o4755, 0];
            let (name, how, size) = (name.as_ptr().addr(), how.as_ptr().addr(), size_of_val(&how));
            outcome(call(libc::SYS_openat2, &[CWD, name, how, size]))
        }),
        named("write root", || open_new("/made-by-probe")),
        named("write /proc", || open_new("/proc/made-by-probe")),
        named("write /dev", || open_new("/dev/made-by-probe")),
        named("write /usr/bin", || open_new("/usr/bin/made-by-probe")),
        named("read /etc/passwd", || read("/etc/passwd")),
        named("read /etc/shadow", || read("/etc/shadow")),
    ];
    for path in [
        "/root", "/home", "/var", "/sys", "/boot", "/run", "/opt", "/srv", "/etc",
    ] {
        attempts.push(named(format!("list {path}"), move || list(path)));
    }
    attempts
}

fn name(text: &str) -> CString {
    CString::new(text).unwrap_or_default()
}

fn make_node(path: &str, mode: u32, device: usize) -> Attempt {
    let path = name(path);
    let mode = (mode | 0o600) as usize;
    outcome(call(
        libc::SYS_mknodat,
        &[CWD, path.as_ptr().addr(), mode, device],
    ))
}

/// Makes a file with these bits, and gives those that it then has.
fn new_file(bits: u32) -> Attempt {
    let _ = fs::remove_file(NEW);
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(bits)
        .open(NEW);
    made.map_err(|error| errno(&error))?;
    mode(NEW)
}

fn open_new(path: &str) -> Attempt {
    let made = OpenOptions::new().write(true).create_new(true).open(path);
    made.map(|_| String::new()).map_err(|error| errno(&error))
}

fn chmod(bits: usize) -> Attempt {
    new_file(0o600)?;
    let path = name(NEW);
    call(libc::SYS_chmod, &[path.as_ptr().addr(), bits])?;
    mode(NEW)
}

fn mode(path: &str) -> Attempt {
    let metadata = Path::new(path).metadata().map_err(|error| errno(&error))?;
    Ok(format!("{:o}", metadata.mode() & 0o7777))
}

/// Typing and pasting on the caller's terminal; with none, ENOTTY says that the filter let them pass.
pub fn terminal() -> Vec<Named> {
    const TIOCSTI: usize = 0x5412;
    const TIOCLINUX: usize = 0x541c;
    const TIOCSETD: usize = 0x5423;
    let ioctl = |name: &str, request: usize| {
        named(name, move || {
            let character = b'#';
            outcome(call(
                libc::SYS_ioctl,
                &[0, request, (&raw const character).addr()],
            ))
        })
    };
    vec![
        ioctl("TIOCSTI", TIOCSTI),
        ioctl("TIOCSTI, upper half set", TIOCSTI | 0xdead_beef << 32),
        ioctl("TIOCLINUX", TIOCLINUX),
        ioctl("TIOCSETD", TIOCSETD),
        named("open /dev/tty", || open_to_write("/dev/tty")),
        named("window size", || {
            let mut size = [0_u16; 4];
            let request = libc::TIOCGWINSZ as usize;
            outcome(call(
                libc::SYS_ioctl,
                &[0, request, size.as_mut_ptr().addr()],
            ))
        }),
    ]
}
