//! A small HTTPS client: one request a connection, and as slow or as rude as a test wants it to be.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

/// No answer takes nearly as long; a watchdog.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server's address and certificate.
#[derive(Debug, Clone)]
pub struct Client {
    address: String,
    config: Arc<ClientConfig>,
}

/// A connection on which anything can be written.
pub type Connection = StreamOwned<ClientConnection, TcpStream>;

/// What was answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Client {
    /// One that trusts the certificate in `pem` and no other.
    pub fn new(address: &str, pem: &Path) -> Self {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(pem).expect("the certificate") {
            roots.add(certificate.expect("PEM")).expect("a certificate");
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            address: address.to_owned(),
            config: Arc::new(config),
        }
    }

    /// The server's address and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Connects and writes nothing.
    pub fn connect(&self) -> io::Result<Connection> {
        let stream = TcpStream::connect(&self.address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from("localhost").expect("a name");
        let tls =
            ClientConnection::new(Arc::clone(&self.config), name).map_err(io::Error::other)?;
        Ok(StreamOwned::new(tls, stream))
    }

    /// Asks, and reads the answer to its end.
    pub fn try_ask(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Answer> {
        let mut connection = self.connect()?;
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        connection.write_all(request.as_bytes())?;
        // A server that refuses early needn't read all of it.
        let _ = connection.write_all(body).and_then(|()| connection.flush());
        Answer::read(connection)
    }
}

impl Answer {
    /// Reads an answer to its end.
    pub fn read(mut from: impl Read) -> io::Result<Self> {
        let mut bytes = vec![];
        match from.read_to_end(&mut bytes) {
            // No close_notify: content-length and chunks tell whether all is there.
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof && bytes.is_empty() => {
                return Err(error);
            }
            _ => {}
        }
        Self::parse(&bytes).ok_or_else(|| {
            let shown = String::from_utf8_lossy(&bytes).into_owned();
            io::Error::other(format!("no whole answer: {shown:?}"))
        })
    }

    /// Reads an answer on a connection that stays open, so that it has to say how long it is.
    pub fn read_one(mut from: impl Read) -> io::Result<Self> {
        let mut bytes = vec![];
        let mut buffer = [0; 4096];
        loop {
            let length = from.read(&mut buffer)?;
            bytes.extend_from_slice(buffer.get(..length).unwrap_or_default());
            let answer = Self::parse(&bytes);
            match answer.filter(|answer| answer.header("content-length").is_some()) {
                Some(answer) => return Ok(answer),
                None if length == 0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                None => {}
            }
        }
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
        let head = std::str::from_utf8(bytes.get(..end)?).ok()?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers: Vec<(String, String)> = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect();
        let rest = bytes.get(end + 4..)?;
        let mut answer = Self {
            status,
            headers,
            body: vec![],
        };
        answer.body = match answer.header("transfer-encoding") {
            Some("chunked") => unchunked(rest)?,
            _ => match answer.header("content-length") {
                Some(length) => rest.get(..length.parse().ok()?)?.to_vec(),
                None => rest.to_vec(),
            },
        };
        Some(answer)
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(own, _)| own == name)?;
        Some(&found.1)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text()))
    }

    /// The body as JSON, of an answer that went well.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert!(
            (200..300).contains(&self.status),
            "{} {}",
            self.status,
            self.text()
        );
        self.json()
    }

    /// Fails unless it is an error of this status with `text` in its message.
    #[track_caller]
    pub fn refused(&self, status: u16, text: &str) {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("content-type"), Some("application/json"));
        let message = self.json()["errorMessage"]
            .as_str()
            .expect("errorMessage")
            .to_owned();
        assert!(message.contains(text), "no {text:?}: {message}");
    }
}

fn unchunked(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut whole = vec![];
    loop {
        let end = bytes.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(bytes.get(..end)?).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?, 16).ok()?;
        if size == 0 {
            return Some(whole);
        }
        whole.extend(bytes.get(end + 2..end + 2 + size)?);
        bytes = bytes.get(end + 4 + size..)?;
    }
}
