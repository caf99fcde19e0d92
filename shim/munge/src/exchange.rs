//! One request over munged's socket, and its answer.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use crate::error::Error;
use crate::message::{HEADER, length};

/// munged answers within milliseconds, or is in trouble.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends `request` to the munged at `socket`: its answer, with the header.
pub(crate) fn exchange(socket: &Path, request: &[u8]) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Io {
        socket: socket.to_path_buf(),
        source,
    };
    let mut answer = ask(socket, request).map_err(failed)?;
    let rest = length(&answer.1).ok_or_else(|| Error::Garbled(socket.to_path_buf()))?;
    let mut whole = answer.1.to_vec();
    whole.resize(HEADER + rest, 0);
    answer.0.read_exact(&mut whole[HEADER..]).map_err(failed)?;
    Ok(whole)
}

fn ask(socket: &Path, request: &[u8]) -> io::Result<(UnixStream, [u8; HEADER])> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(request)?;
    let mut header = [0; HEADER];
    stream.read_exact(&mut header)?;
    Ok((stream, header))
}
