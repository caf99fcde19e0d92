//! The thread that copies a process's standard streams.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};

use super::stream::Stream;

/// How long `finish` waits for whoever has the streams besides the process: as long as containerd's own shim.
const PATIENCE: Duration = Duration::from_secs(10);

/// The stack of the thread, and what it reads at once, bytes.
const STACK: usize = 64 << 10;
const SPACE: usize = 16 << 10;

/// The shim's hold on it.
#[derive(Debug)]
pub struct Copier(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    orders: Mutex<Orders>,
    done: Condvar,
    /// Written to where there are new orders.
    wake: OwnedFd,
}

#[derive(Debug, Default, Clone, Copy)]
struct Orders {
    close_input: bool,
    end_input: bool,
    stop: bool,
    is_done: bool,
}

impl Copier {
    /// Begins to copy.
    ///
    /// # Errors
    /// Where no thread can be had.
    pub fn start(streams: Vec<Stream>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            orders: Mutex::default(),
            done: Condvar::new(),
            wake: eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?,
        });
        let theirs = Arc::clone(&shared);
        thread::Builder::new()
            .name("streams".to_owned())
            .stack_size(STACK)
            .spawn(move || {
                copy(streams, &theirs);
                theirs.orders().is_done = true;
                theirs.done.notify_all();
            })?;
        Ok(Self(shared))
    }

    /// Lets the input end with its last writer.
    pub fn close_input(&self) {
        self.0.order(|orders| orders.close_input = true);
    }

    /// Ends the input.
    pub fn end_input(&self) {
        self.0.order(|orders| orders.end_input = true);
    }

    /// Waits until all is copied, for a while, and stops.
    pub fn finish(&self) {
        self.end_input();
        let waited = self
            .0
            .done
            .wait_timeout_while(self.0.orders(), PATIENCE, |orders| !orders.is_done);
        drop(waited);
        self.0.order(|orders| orders.stop = true);
    }
}

impl Shared {
    fn orders(&self) -> MutexGuard<'_, Orders> {
        self.orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn order(&self, change: impl FnOnce(&mut Orders)) {
        change(&mut self.orders());
        // A counter that is full has been written to.
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }
}

fn copy(mut streams: Vec<Stream>, shared: &Shared) {
    let mut space = vec![0; SPACE];
    while !streams.is_empty() {
        let mut waiting = vec![PollFd::from_borrowed_fd(shared.wake.as_fd(), PollFlags::IN)];
        waiting.extend(streams.iter().map(Stream::poll_fd));
        match poll(&mut waiting, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
        let ready: Vec<bool> = waiting
            .iter()
            .map(|each| !each.revents().is_empty())
            .collect();
        drop(waiting);
        let mut ready = ready.into_iter();
        if ready.next() == Some(true) {
            let mut counted = [0; 8];
            let _ = rustix::io::read(&shared.wake, &mut counted);
        }
        streams.retain_mut(|stream| !ready.next().unwrap_or(false) || stream.turn(&mut space));
        let orders = *shared.orders();
        if orders.stop {
            return;
        }
        if orders.close_input {
            streams.iter_mut().for_each(Stream::let_go);
        }
        if orders.end_input {
            streams.retain(|stream| !stream.is_input());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use rustix::pipe::{PipeFlags, pipe_with};

    use super::super::open::Input;
    use super::*;

    fn pipe() -> (std::fs::File, std::fs::File) {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        (reader.into(), writer.into())
    }

    #[test]
    fn what_was_written_arrives_though_the_process_has_ended() {
        let (from, mut process) = pipe();
        let (mut reader, to) = pipe();
        let copier = Copier::start(vec![Stream::of_output(from.into(), to.into())]).unwrap();
        process.write_all(b"its last words").unwrap();
        drop(process);
        copier.finish();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "its last words");
    }

    #[test]
    fn input_ends_with_its_last_writer_once_it_is_let_go() {
        let (from, writer) = pipe();
        let (mut process, to) = pipe();
        let input = Input {
            from: from.into(),
            holder: Some(writer.try_clone().unwrap().into()),
        };
        let copier = Copier::start(vec![Stream::of_input(input, to.into())]).unwrap();
        let mut writer = writer;
        writer.write_all(b"typed").unwrap();
        copier.close_input();
        let mut text = [0; 5];
        process.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"typed");
        drop(writer);
        let mut rest = vec![];
        process.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"");
    }
}
