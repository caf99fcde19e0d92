//! The thread that copies a process's standard streams.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use super::stream::Stream;

/// How long `finish` waits for whoever has the streams besides the process: as long as containerd's own shim.
const PATIENCE: Duration = Duration::from_secs(10);

/// The stack of the thread, and what it reads at once, bytes.
const STACK: usize = 64 << 10;
const SPACE: usize = 16 << 10;

/// How often it is looked whether a FIFO has been read: at first, and after a while.
const SOON: Duration = Duration::from_millis(1);
const LATER: Duration = Duration::from_millis(32);

/// What is to be done when all that an ended process wrote has been read.
pub type Then = Box<dyn FnOnce() + Send>;

/// The shim's hold on it.
#[derive(Debug, Clone)]
pub struct Copier(Arc<Shared>);

struct Shared {
    orders: Mutex<Orders>,
    done: Condvar,
    /// Written to where there are new orders.
    wake: OwnedFd,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Orders {
    close_input: bool,
    end_input: bool,
    /// The process has ended.
    has_ended: bool,
    then: Option<Then>,
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
                theirs.end();
            })?;
        Ok(Self(shared))
    }

    /// Lets the input end with its last writer.
    pub fn close_input(&self) {
        self.0.order(|orders| orders.close_input = true);
    }

    /// Ends the input: the process has ended.
    pub fn process_has_ended(&self) {
        self.0.order(|orders| {
            orders.end_input = true;
            orders.has_ended = true;
        });
    }

    /// Does `then` when all has been read that the process wrote, which has ended, or nobody is there to read it; `false`
    /// where it is so already, and nothing is done.
    pub fn when_read(&self, then: Then) -> bool {
        let mut orders = self.0.orders();
        if orders.is_done {
            return false;
        }
        orders.then = Some(then);
        drop(orders);
        self.0.order(|_| {});
        true
    }

    /// Waits until all is copied, for a while, and stops.
    pub fn finish(&self) {
        self.0.order(|orders| orders.end_input = true);
        self.0.wait();
        self.0.order(|orders| orders.stop = true);
        self.0.wait();
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

    /// Waits for the end of the thread, for a while.
    fn wait(&self) {
        let is_on = |orders: &mut Orders| !orders.is_done;
        let waited = self.done.wait_timeout_while(self.orders(), PATIENCE, is_on);
        drop(waited);
    }

    /// Does what was to be done when all has been read.
    fn read(&self) {
        let then = self.orders().then.take();
        if let Some(then) = then {
            then();
        }
    }

    /// The thread is through: what was to be done is done before anybody learns that it is.
    fn end(&self) {
        loop {
            self.read();
            let mut orders = self.orders();
            if orders.then.is_none() {
                orders.is_done = true;
                break;
            }
        }
        self.done.notify_all();
    }
}

fn copy(mut streams: Vec<Stream>, shared: &Shared) {
    let mut space = vec![0; SPACE];
    let mut pause = SOON;
    while !streams.is_empty() {
        let waits = streams.iter().any(Stream::waits_for_reader);
        let Ok(ready) = ready(&streams, shared, waits.then_some(pause)) else {
            return;
        };
        if waits {
            pause = LATER.min(pause * 2);
        }
        let mut ready = ready.into_iter();
        streams.retain_mut(|stream| !ready.next().unwrap_or(false) || stream.turn(&mut space));
        let orders = shared.orders();
        if orders.stop {
            return;
        }
        if orders.close_input {
            streams.iter_mut().for_each(Stream::let_go);
        }
        if orders.end_input {
            streams.retain(|stream| !stream.is_input());
        }
        if orders.has_ended {
            streams.iter_mut().for_each(Stream::process_has_ended);
        }
        drop(orders);
        streams.retain_mut(|stream| !stream.may_have_more() || stream.turn(&mut space));
        let now = Instant::now();
        let waiting = streams
            .iter_mut()
            .filter(|stream| stream.waits_for_reader());
        waiting.for_each(|stream| stream.look(now));
        streams.retain(|stream| !stream.is_over());
        if streams.iter().all(Stream::is_read) {
            shared.read();
        }
    }
}

/// Waits for streams or orders, `pause` at most; says which of the streams are ready.
fn ready(
    streams: &[Stream],
    shared: &Shared,
    pause: Option<Duration>,
) -> rustix::io::Result<Vec<bool>> {
    let mut waiting = vec![PollFd::from_borrowed_fd(shared.wake.as_fd(), PollFlags::IN)];
    waiting.extend(streams.iter().map(Stream::poll_fd));
    let pause = pause.and_then(|pause| Timespec::try_from(pause).ok());
    match poll(&mut waiting, pause.as_ref()) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(errno) => return Err(errno),
    }
    let is_ready = |each: &PollFd<'_>| !each.revents().is_empty();
    let mut ready = waiting.iter().map(is_ready);
    if ready.next() == Some(true) {
        let mut counted = [0; 8];
        let _ = rustix::io::read(&shared.wake, &mut counted);
    }
    Ok(ready.collect())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};
    use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

    use rustix::fs::{CWD, FileType, Mode, OFlags, fcntl_setfl, mknodat};
    use rustix::pipe::{PipeFlags, pipe_with};

    use super::super::open::{Input, output};
    use super::*;

    fn pipe() -> (File, File) {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        (reader.into(), writer.into())
    }

    /// What a process writes to, and by way of the copier, a FIFO, who reads.
    fn relayed() -> (File, Copier, File) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("fifo");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let to = output(path.to_str().unwrap()).unwrap().unwrap();
        let reader = File::open(&path).unwrap();
        let (from, process) = pipe();
        fcntl_setfl(&from, OFlags::NONBLOCK).unwrap();
        let copier = Copier::start(vec![Stream::of_output(from.into(), to)]).unwrap();
        (process, copier, reader)
    }

    /// Tells when it has been read.
    fn told(copier: &Copier) -> Receiver<()> {
        let (tell, told) = channel();
        copier.process_has_ended();
        if !copier.when_read(Box::new(move || tell.send(()).unwrap())) {
            panic!("the copier is through");
        }
        told
    }

    const A_WHILE: Duration = Duration::from_millis(200);
    const LONG: Duration = Duration::from_secs(5);

    #[test]
    fn what_was_written_arrives_though_the_process_has_ended() {
        let (mut process, copier, mut reader) = relayed();
        process.write_all(b"its last words").unwrap();
        drop(process);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "its last words");
        copier.finish();
    }

    #[test]
    fn an_end_is_told_when_the_last_word_has_been_read() {
        for others_go_on in [false, true] {
            let (mut process, copier, mut reader) = relayed();
            // More than fits into the FIFO, and not more than into all that is in between.
            process.write_all(&[b'x'; 100 << 10]).unwrap();
            let other = others_go_on.then(|| process.try_clone().unwrap());
            drop(process);
            let told = told(&copier);
            for _ in 0..4 {
                assert_eq!(told.recv_timeout(A_WHILE), Err(RecvTimeoutError::Timeout));
                reader.read_exact(&mut [0; 25 << 10]).unwrap();
            }
            told.recv_timeout(LONG).unwrap();
            drop(other);
        }
    }

    #[test]
    fn an_end_that_nobody_hears_the_last_words_of_is_told_at_once() {
        for length in [5, 100 << 10] {
            let (mut process, copier, reader) = relayed();
            process.write_all(&vec![b'x'; length]).unwrap();
            drop(process);
            let told = told(&copier);
            assert_eq!(told.recv_timeout(A_WHILE), Err(RecvTimeoutError::Timeout));
            drop(reader);
            told.recv_timeout(LONG).unwrap();
        }
    }

    #[test]
    fn an_end_is_told_though_others_write_on() {
        let (mut process, copier, mut reader) = relayed();
        process.write_all(b"its last words").unwrap();
        thread::spawn(move || while process.write_all(&[b'x'; 4096]).is_ok() {});
        let told = told(&copier);
        thread::spawn(move || while reader.read_exact(&mut [0; 4096]).is_ok() {});
        told.recv_timeout(LONG).unwrap();
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
