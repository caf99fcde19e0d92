//! What of a FIFO's contents nobody has read yet.
//!
//! Clients with containerd's library of before 1.7 close their ends as soon as they are told of a container's end, whatever
//! there is to read yet; so its end is told when all has been read ([`super::copier`]).

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::ioctl_fionread;

use super::open::Output;

/// How many bytes are in there; of what isn't a FIFO, none.
pub fn unread(output: &Output) -> u64 {
    match output.holder {
        Some(_) => ioctl_fionread(&output.to).unwrap_or(0),
        None => 0,
    }
}

/// Whether somebody else has it open to read.
pub fn has_reader(output: &mut Output) -> bool {
    // The kernel tells who writes when nobody reads any more. What is in there stays while one end is open.
    if output.holder.take().is_none() {
        return false;
    }
    let mut waiting = [PollFd::new(&output.to, PollFlags::empty())];
    let polled = poll(&mut waiting, Some(&Timespec::default()));
    let is_alone = polled.is_ok() && waiting[0].revents().contains(PollFlags::ERR);
    output.holder = reader(&output.to);
    !is_alone
}

/// By way of the descriptor: the name may be gone.
fn reader(to: &OwnedFd) -> Option<OwnedFd> {
    let path = format!("/proc/self/fd/{}", to.as_raw_fd());
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    open(path, flags, Mode::empty()).ok()
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};

    use rustix::fs::{CWD, FileType, mknodat};

    use super::super::open::output;
    use super::*;

    #[test]
    fn it_is_known_who_reads_and_what_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fifo");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let mut output = output(path.to_str().unwrap()).unwrap().unwrap();
        assert!(!has_reader(&mut output));
        rustix::io::write(&output.to, b"words").unwrap();
        let mut reader = File::open(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(has_reader(&mut output) && unread(&output) == 5);
        reader.read_exact(&mut [0; 4]).unwrap();
        assert!(has_reader(&mut output) && unread(&output) == 1);
        drop(reader);
        assert!(!has_reader(&mut output) && unread(&output) == 1);
        // Nobody reads, and writing doesn't fail.
        rustix::io::write(&output.to, b"!").unwrap();
        assert_eq!(unread(&output), 2);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"words").unwrap();
        let mut file = Output {
            to: file.into(),
            holder: None,
        };
        assert!(!has_reader(&mut file) && unread(&file) == 0);
    }
}
