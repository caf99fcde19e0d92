//! Calling: one call after the other, without a thread, of which the ttrpc crate's client has two.

use std::io::{self, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use containerd_shim_protos::protobuf::Message;
use containerd_shim_protos::ttrpc::{Code, Request, Response};

use super::frame::{Frame, Kind};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection.
#[derive(Debug)]
pub struct Client {
    socket: UnixStream,
    /// A client's are odd.
    next_stream: u32,
}

impl Client {
    /// To the server at `address`, a path or a `unix://` URL.
    ///
    /// # Errors
    /// Where it isn't there.
    pub fn connect(address: &str) -> io::Result<Self> {
        let path = address.strip_prefix("unix://").unwrap_or(address);
        let socket = UnixStream::connect(path)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            socket,
            next_stream: 1,
        })
    }

    /// Calls `method` of `service`, and waits for the answer. After an error, the connection is of no use.
    ///
    /// # Errors
    /// What the server says; where it is gone, or says nothing.
    pub fn call(
        &mut self,
        service: &str,
        method: &str,
        message: &impl Message,
    ) -> io::Result<Vec<u8>> {
        let request = Request {
            service: service.to_owned(),
            method: method.to_owned(),
            payload: message.write_to_bytes()?,
            timeout_nano: i64::try_from(PATIENCE.as_nanos()).unwrap_or(i64::MAX),
            ..Request::default()
        };
        let frame = Frame::of(Kind::Request, self.next_stream, &request)?;
        self.socket.write_all(&frame.bytes()?)?;
        let answer = Frame::read(&self.socket)?;
        if answer.kind != Kind::Response || answer.stream != self.next_stream {
            return Err(ErrorKind::InvalidData.into());
        }
        self.next_stream += 2;
        let response = Response::parse_from_bytes(&answer.body)?;
        let status = response.status.unwrap_or_default();
        match status.code.enum_value() {
            Ok(Code::OK) => Ok(response.payload),
            _ => Err(io::Error::other(status.message)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;
    use std::sync::Arc;
    use std::sync::mpsc::{Sender, channel};

    use containerd_shim_protos::protobuf::well_known_types::empty::Empty;
    use containerd_shim_protos::ttrpc::{self, Server, TtrpcContext};
    use containerd_shim_protos::{Events, create_events};

    use containerd_shim_protos::api::ForwardRequest;

    use super::*;

    const SERVICE: &str = "containerd.services.events.ttrpc.v1.Events";

    struct Containerd(Sender<String>);

    impl Events for Containerd {
        fn forward(&self, _: &TtrpcContext, request: ForwardRequest) -> ttrpc::Result<Empty> {
            let topic = request.envelope.unwrap_or_default().topic;
            if topic.is_empty() {
                return Err(ttrpc::Error::Others("no topic".to_owned()));
            }
            self.0.send(topic).unwrap();
            Ok(Empty::default())
        }
    }

    fn forward(client: &mut Client, topic: &str) -> io::Result<Vec<u8>> {
        let mut event = ForwardRequest::new();
        event.mut_envelope().topic = topic.to_owned();
        client.call(SERVICE, "Forward", &event)
    }

    #[test]
    fn the_crates_server_is_called_and_refuses() {
        use std::os::fd::IntoRawFd;

        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let (heard, topics) = channel();
        let mut server = Server::new()
            .add_listener(listener.into_raw_fd())
            .unwrap()
            .register_service(create_events(Arc::new(Containerd(heard))));
        server.start().unwrap();
        let mut client = Client::connect(path.to_str().unwrap()).unwrap();
        for topic in ["/tasks/create", "/tasks/exit"] {
            forward(&mut client, topic).unwrap();
            assert_eq!(topics.recv().unwrap(), topic);
        }
        let error = forward(&mut client, "").unwrap_err();
        assert!(error.to_string().contains("no topic"), "{error}");
        forward(&mut client, "/tasks/oom").unwrap();
        drop(client);
        server.shutdown();
    }
}
