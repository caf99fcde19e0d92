//! What munged answers, and what a credential carries. An input that begins with a zero is an answer as it is; any other
//! is the payload in a good one.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use imagegw::auth::{Authenticator, Proof};
use imagegw::configuration::Configuration;
use munge::{Munge, Options};
use serde_json::json;

use crate::Run;
use crate::properties::told;

type Answer = Arc<Mutex<Vec<u8>>>;

pub(super) fn make(scratch: &Path) -> Run {
    let socket = scratch.join("munge");
    let answer = Answer::default();
    serve(&socket, Arc::clone(&answer));
    let munge = Munge::at(&socket);
    let authenticator = authenticator(scratch, &socket);
    Box::new(move |input| {
        let whole = match input.strip_prefix(b"\0") {
            Some(raw) => raw.to_vec(),
            None => decoded(input),
        };
        answer.lock().expect("the answer").clone_from(&whole);
        match munge.decode("MUNGE:x:") {
            Err(error) => told(&error),
            Ok(decoded) => assert!(decoded.payload.len() <= whole.len()),
        }
        if let Ok(credential) = munge.encode(b"x", Options::default()) {
            assert!(credential.starts_with("MUNGE:") && credential.ends_with(':'));
        }
        // Whatever is read without a proof of when is only what was kept.
        if let (Ok(kept), Ok(now)) = (munge.read_kept("MUNGE:x:"), munge.decode("MUNGE:x:")) {
            assert_eq!(kept, now.payload);
        }
        let proof = Proof::Munge("MUNGE:x:".to_owned());
        match authenticator.session(Some(&proof), Some("cluster"), "sha256:bound") {
            Err(error) => told(&error),
            Ok(session) => {
                match munge.decode("MUNGE:x:") {
                    Ok(decoded) => {
                        assert_eq!((session.uid, session.gid), (decoded.uid, decoded.gid));
                    }
                    // On a machine that has other things to do it may have waited in vain.
                    Err(error) => assert!(matches!(error, munge::Error::Io { .. }), "{error}"),
                }
            }
        }
    })
}

/// A munged of our own, which says what it is told to.
fn serve(socket: &Path, answer: Answer) {
    let listener = UnixListener::bind(socket).expect("listen");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = answer.lock().expect("the answer").clone();
            // Whoever asks may have gone.
            let _ = stream.and_then(|stream| say(stream, &answer));
        }
    });
}

fn say(mut stream: UnixStream, answer: &[u8]) -> std::io::Result<()> {
    let mut header = [0; 11];
    stream.read_exact(&mut header)?;
    let length = u32::from_be_bytes([header[7], header[8], header[9], header[10]]);
    std::io::copy(
        &mut Read::by_ref(&mut stream).take(length.into()),
        &mut std::io::sink(),
    )?;
    stream.write_all(answer)
}

/// The answer that a credential of uid 1000 holds `payload`.
fn decoded(payload: &[u8]) -> Vec<u8> {
    let long = |bytes: &[u8]| {
        u32::try_from(bytes.len())
            .expect("short")
            .to_be_bytes()
            .to_vec()
    };
    let mut body = vec![0, 0, 4, 2, 1, 0];
    body.extend(300u32.to_be_bytes());
    body.extend([4, 127, 0, 0, 1]);
    for number in [1000u32, 1001, 1000, 1000, u32::MAX, u32::MAX] {
        body.extend(number.to_be_bytes());
    }
    body.extend(long(payload));
    body.extend(payload);
    let mut message = 0x0060_6d4b_u32.to_be_bytes().to_vec();
    message.extend([4, 5, 0]);
    message.extend(long(&body));
    message.extend(body);
    message
}

fn authenticator(scratch: &Path, socket: &Path) -> Authenticator {
    let text = json!({
        "StateDirectory": scratch.join("state"),
        "DefaultImageLocation": "reg.io",
        "Locations": { "reg.io": { "url": "https://reg.io" } },
        "Platforms": { "cluster": {
            "accesstype": "local", "admins": ["root"], "mungeSocketPath": socket,
            "local": { "imageDir": scratch.join("images") },
        } },
    });
    let configuration = Configuration::parse(text.to_string().as_bytes(), Path::new("im.json"));
    Authenticator::new(&configuration.expect("a configuration"))
}
