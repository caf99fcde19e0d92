//! Serving: one thread reads all connections; whoever does what was asked answers.

use std::io::{self, ErrorKind, Write};
use std::ops::ControlFlow;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use containerd_shim_protos::protobuf::Message;
use containerd_shim_protos::ttrpc::{Code, Request, Response, Status, get_status};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use super::frame::{Frame, Incoming, Kind};

/// How long the other end may take to read an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is read at once, bytes.
const SPACE: usize = 4096;

/// How long nobody is let in where there are no descriptors to be had.
const PAUSE: Duration = Duration::from_millis(100);

/// Where the answer to a request goes. One that is dropped answers that there is none.
#[derive(Debug)]
pub struct Reply {
    connection: Arc<Writer>,
    stream: u32,
    is_sent: bool,
}

/// A connection to write to; an answer is written whole before the next one.
#[derive(Debug)]
struct Writer(Mutex<UnixStream>);

/// A connection to read from.
#[derive(Debug)]
struct Connection {
    socket: UnixStream,
    incoming: Incoming,
    writer: Arc<Writer>,
}

/// Reads requests of whoever connects to `listener` and hands each to `handle`, until that says to stop. Waiting in
/// `handle` makes everybody wait.
///
/// # Errors
/// Those of poll(2).
pub fn serve(
    listener: &UnixListener,
    mut handle: impl FnMut(Request, Reply) -> ControlFlow<()>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let mut connections: Vec<Connection> = vec![];
    loop {
        let ready = wait(listener, &connections)?;
        let (is_called, ready) = ready.split_first().unwrap_or((&false, &[]));
        let mut ready = ready.iter();
        let mut flow = ControlFlow::Continue(());
        connections.retain_mut(|connection| {
            let is_ready = ready.next().copied().unwrap_or(false);
            // A connection that can't go on is let go; its answers have their own hold on it.
            !is_ready || flow.is_break() || connection.turn(&mut handle, &mut flow).is_ok()
        });
        if flow.is_break() {
            return Ok(());
        }
        if *is_called {
            accept(listener, &mut connections);
        }
    }
}

/// Of the listener and each connection, whether there is something to do.
fn wait(listener: &UnixListener, connections: &[Connection]) -> io::Result<Vec<bool>> {
    let mut waiting = vec![PollFd::new(listener, PollFlags::IN)];
    let sockets = connections.iter().map(|connection| &connection.socket);
    waiting.extend(sockets.map(|socket| PollFd::new(socket, PollFlags::IN)));
    match poll(&mut waiting, None) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(errno) => return Err(errno.into()),
    }
    let ready = |each: &PollFd<'_>| !each.revents().is_empty();
    Ok(waiting.iter().map(ready).collect())
}

fn accept(listener: &UnixListener, connections: &mut Vec<Connection>) {
    match listener.accept() {
        Ok((socket, _)) => connections.extend(Connection::new(socket)),
        // Gone again.
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
        Err(_) => thread::sleep(PAUSE),
    }
}

impl Connection {
    /// `None` where it can't be used.
    fn new(socket: UnixStream) -> Option<Self> {
        let writer = socket.try_clone().ok()?;
        writer.set_write_timeout(Some(PATIENCE)).ok()?;
        Some(Self {
            socket,
            incoming: Incoming::default(),
            writer: Arc::new(Writer(Mutex::new(writer))),
        })
    }

    /// Reads what there is, and hands on the requests that are whole.
    fn turn(
        &mut self,
        handle: &mut impl FnMut(Request, Reply) -> ControlFlow<()>,
        flow: &mut ControlFlow<()>,
    ) -> io::Result<()> {
        let mut space = [0; SPACE];
        // Not by O_NONBLOCK: that is the writer's, too.
        let length = match recv(&self.socket, &mut space, RecvFlags::DONTWAIT) {
            Ok((0, _)) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok((length, _)) => length,
            Err(Errno::AGAIN | Errno::INTR) => return Ok(()),
            Err(errno) => return Err(errno.into()),
        };
        self.incoming.add(space.get(..length).unwrap_or_default());
        while flow.is_continue()
            && let Some(frame) = self.incoming.take()?
        {
            if frame.kind != Kind::Request {
                continue;
            }
            let reply = Reply {
                connection: Arc::clone(&self.writer),
                stream: frame.stream,
                is_sent: false,
            };
            match Request::parse_from_bytes(&frame.body) {
                Ok(request) => *flow = handle(request, reply),
                Err(error) => reply.send(Err(get_status(Code::INVALID_ARGUMENT, error))),
            }
        }
        Ok(())
    }
}

impl Reply {
    /// Answers with a message, or with the reason why there is none.
    pub fn send(mut self, outcome: Result<Vec<u8>, Status>) {
        self.answer(outcome);
    }

    fn answer(&mut self, outcome: Result<Vec<u8>, Status>) {
        self.is_sent = true;
        let mut response = Response::new();
        match outcome {
            Ok(payload) => {
                response.payload = payload;
                response.set_status(get_status(Code::OK, ""));
            }
            Err(status) => response.set_status(status),
        }
        let bytes = Frame::of(Kind::Response, self.stream, &response).and_then(Frame::bytes);
        self.connection.write(bytes);
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !self.is_sent {
            self.answer(Err(get_status(Code::UNKNOWN, "nobody could answer")));
        }
    }
}

impl Writer {
    fn write(&self, bytes: io::Result<Vec<u8>>) {
        let mut socket = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.and_then(|bytes| socket.write_all(&bytes)).is_err() {
            // Whoever waits for this answer must not wait for ever; the reader sees the end, too.
            let _ = socket.shutdown(std::net::Shutdown::Both);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread::JoinHandle;

    use containerd_shim_protos::ttrpc::Client;
    use tempfile::TempDir;

    use super::*;

    /// A server that says the method's name, for `Late` when it is told to stop.
    struct Served {
        directory: TempDir,
        serving: JoinHandle<()>,
    }

    impl Served {
        fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let listener = UnixListener::bind(directory.path().join("socket")).unwrap();
            let serving = thread::spawn(move || {
                let mut late = vec![];
                serve(&listener, |request, reply| {
                    match request.method.as_str() {
                        "Late" => late.push(reply),
                        "Nothing" => drop(reply),
                        "Refused" => reply.send(Err(get_status(Code::NOT_FOUND, "not here"))),
                        "Stop" => {
                            for reply in late.drain(..) {
                                reply.send(Ok(b"Late".to_vec()));
                            }
                            reply.send(Ok(vec![]));
                            return ControlFlow::Break(());
                        }
                        method => reply.send(Ok(method.as_bytes().to_vec())),
                    }
                    ControlFlow::Continue(())
                })
                .unwrap();
            });
            Self { directory, serving }
        }

        fn path(&self) -> String {
            self.directory.path().join("socket").display().to_string()
        }

        /// The crate's own client.
        fn client(&self) -> Client {
            Client::connect(&format!("unix://{}", self.path())).unwrap()
        }

        fn connect(&self) -> UnixStream {
            UnixStream::connect(self.path()).unwrap()
        }

        fn stop(self) {
            call(&self.client(), "Stop", vec![]).unwrap();
            self.serving.join().unwrap();
        }
    }

    fn request(method: &str, payload: Vec<u8>) -> Request {
        Request {
            service: "service".to_owned(),
            method: method.to_owned(),
            payload,
            timeout_nano: 20_000_000_000,
            ..Request::default()
        }
    }

    fn call(client: &Client, method: &str, payload: Vec<u8>) -> Result<Vec<u8>, String> {
        match client.request(request(method, payload)) {
            Ok(response) => Ok(response.payload),
            Err(error) => Err(error.to_string()),
        }
    }

    fn answer(socket: &UnixStream) -> (u32, Response) {
        let frame = Frame::read(socket).unwrap();
        assert_eq!(frame.kind, Kind::Response);
        (
            frame.stream,
            Response::parse_from_bytes(&frame.body).unwrap(),
        )
    }

    #[test]
    fn the_crates_client_is_answered() {
        let served = Served::new();
        let client = served.client();
        assert_eq!(call(&client, "One", vec![7; 100_000]).unwrap(), b"One");
        for (method, expected) in [("Refused", "not here"), ("Nothing", "nobody could answer")] {
            let error = call(&client, method, vec![]).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        served.stop();
    }

    #[test]
    fn an_answer_comes_when_it_is_there_to_whom_it_belongs() {
        let served = Served::new();
        let mut socket = served.connect();
        for (stream, method) in [(1, "Late"), (3, "Soon")] {
            let frame = Frame::of(Kind::Request, stream, &request(method, vec![])).unwrap();
            socket.write_all(&frame.bytes().unwrap()).unwrap();
        }
        let (stream, soon) = answer(&socket);
        assert_eq!((stream, soon.payload.as_slice()), (3, b"Soon".as_slice()));
        served.stop();
        let (stream, late) = answer(&socket);
        assert_eq!((stream, late.payload.as_slice()), (1, b"Late".as_slice()));
    }

    #[test]
    fn what_is_no_request_disturbs_nobody_else() {
        let served = Served::new();
        let mut other = served.connect();
        let header = |kind: u8, length: u32| {
            let mut bytes = length.to_be_bytes().to_vec();
            bytes.extend([0, 0, 0, 1, kind, 0]);
            bytes
        };
        // A message of a kind that isn't known; a request that is no protobuf; one that is longer than may be.
        other.write_all(&header(9, 0)).unwrap();
        other.write_all(&header(1, 2)).unwrap();
        other.write_all(&[0xff, 0xff]).unwrap();
        let (_, refused) = answer(&other);
        let code = refused.status.unwrap_or_default().code;
        assert_eq!(code.enum_value(), Ok(Code::INVALID_ARGUMENT));
        other.write_all(&header(1, u32::MAX)).unwrap();
        let end = Frame::read(&other).unwrap_err();
        assert_eq!(end.kind(), ErrorKind::UnexpectedEof);
        assert_eq!(call(&served.client(), "One", vec![]).unwrap(), b"One");
        served.stop();
    }
}
