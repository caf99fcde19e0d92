//! A message on its way: a header, and so many bytes.

use std::io::{self, ErrorKind, Read};
use std::os::unix::net::UnixStream;

use containerd_shim_protos::protobuf::Message;
use containerd_shim_protos::ttrpc::MessageHeader;
use containerd_shim_protos::ttrpc::proto::{
    MESSAGE_HEADER_LENGTH, MESSAGE_LENGTH_MAX, MESSAGE_TYPE_REQUEST, MESSAGE_TYPE_RESPONSE,
};

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A call.
    Request,
    /// What came of one.
    Response,
    /// Of a stream of messages, which no service of ours has; or of a later protocol.
    Other,
}

/// A message, with its stream: that of an answer is that of its call.
#[derive(Debug)]
pub struct Frame {
    /// What it is.
    pub kind: Kind,
    /// Which call it is about.
    pub stream: u32,
    /// Protobuf.
    pub body: Vec<u8>,
}

impl Frame {
    /// One that holds `message`.
    ///
    /// # Errors
    /// Where it can't be written as protobuf.
    pub fn of(kind: Kind, stream: u32, message: &impl Message) -> io::Result<Self> {
        Ok(Self {
            kind,
            stream,
            body: message.write_to_bytes()?,
        })
    }

    /// As it is sent.
    ///
    /// # Errors
    /// Where it is longer than the protocol lets a message be.
    pub fn bytes(self) -> io::Result<Vec<u8>> {
        let length = checked(self.body.len())?;
        let header = match self.kind {
            Kind::Request => MessageHeader::new_request(self.stream, length),
            Kind::Response => MessageHeader::new_response(self.stream, length),
            Kind::Other => MessageHeader::new_data(self.stream, length),
        };
        let mut bytes = Vec::from(header);
        bytes.extend(self.body);
        Ok(bytes)
    }

    /// Reads one whole.
    ///
    /// # Errors
    /// Those of reading; where it is too long.
    pub fn read(mut socket: &UnixStream) -> io::Result<Self> {
        let mut header = [0; MESSAGE_HEADER_LENGTH];
        socket.read_exact(&mut header)?;
        let header = MessageHeader::from(header);
        let mut body = vec![0; length(&header)?];
        socket.read_exact(&mut body)?;
        Ok(Self::new(&header, body))
    }

    fn new(header: &MessageHeader, body: Vec<u8>) -> Self {
        let kind = match header.type_ {
            MESSAGE_TYPE_REQUEST => Kind::Request,
            MESSAGE_TYPE_RESPONSE => Kind::Response,
            _ => Kind::Other,
        };
        Self {
            kind,
            stream: header.stream_id,
            body,
        }
    }
}

/// What has come of messages that may not be whole yet.
#[derive(Debug, Default)]
pub struct Incoming(Vec<u8>);

impl Incoming {
    /// More has come.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Takes the first message, if it is whole.
    ///
    /// # Errors
    /// Where it says that it is longer than the protocol lets it be: what comes can't be told apart any more.
    pub fn take(&mut self) -> io::Result<Option<Frame>> {
        let Some((header, rest)) = self.0.split_first_chunk::<MESSAGE_HEADER_LENGTH>() else {
            return Ok(None);
        };
        let header = MessageHeader::from(header);
        let length = length(&header)?;
        let Some(body) = rest.get(..length) else {
            return Ok(None);
        };
        let frame = Frame::new(&header, body.to_vec());
        self.0.drain(..MESSAGE_HEADER_LENGTH + length);
        // One large request isn't a reason to be large for ever.
        self.0.shrink_to_fit();
        Ok(Some(frame))
    }
}

fn length(header: &MessageHeader) -> io::Result<usize> {
    let length = usize::try_from(header.length).map_err(io::Error::other)?;
    checked(length)?;
    Ok(length)
}

fn checked(length: usize) -> io::Result<u32> {
    match u32::try_from(length) {
        Ok(checked) if length <= MESSAGE_LENGTH_MAX => Ok(checked),
        _ => Err(io::Error::new(
            ErrorKind::InvalidData,
            format!("a message of {length} bytes: {MESSAGE_LENGTH_MAX} is the most"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(stream: u32, body: &[u8]) -> Vec<u8> {
        let frame = Frame {
            kind: Kind::Request,
            stream,
            body: body.to_vec(),
        };
        frame.bytes().unwrap()
    }

    #[test]
    fn messages_are_told_apart_however_they_come() {
        let mut sent = frame(1, b"first");
        sent.extend(frame(3, b""));
        sent.extend(frame(5, &[7; 100_000]));
        for piece in [1, 3, 10, 11, 4096, sent.len()] {
            let (mut incoming, mut taken) = (Incoming::default(), vec![]);
            for bytes in sent.chunks(piece) {
                incoming.add(bytes);
                while let Some(frame) = incoming.take().unwrap() {
                    assert_eq!(frame.kind, Kind::Request);
                    taken.push((frame.stream, frame.body.len()));
                }
            }
            assert_eq!(taken, [(1, 5), (3, 0), (5, 100_000)], "pieces of {piece}");
            assert!(incoming.0.is_empty());
        }
    }

    #[test]
    fn a_message_that_is_too_long_is_refused_by_its_header() {
        let mut incoming = Incoming::default();
        incoming.add(&Vec::from(MessageHeader::new_request(1, (4 << 20) + 1)));
        let error = incoming.take().unwrap_err().to_string();
        assert!(error.contains("4194305 bytes"), "{error}");
        let frame = Frame {
            kind: Kind::Response,
            stream: 1,
            body: vec![0; (4 << 20) + 1],
        };
        frame.bytes().unwrap_err();
    }
}
