//! The four messages of munged's protocol, version 4, which every munge 0.5 speaks.

use crate::error::Refusal;
use crate::wire::{Reader, put_long};
use crate::{Decoded, Options};

const MAGIC: u32 = 0x0060_6d4b;
const VERSION: u8 = 4;

const ENCODE_REQUEST: u8 = 2;
const ENCODE_ANSWER: u8 = 3;
const DECODE_REQUEST: u8 = 4;
const DECODE_ANSWER: u8 = 5;

/// Magic, version, type, retries and the length of the rest.
pub(crate) const HEADER: usize = 11;

/// "As the daemon has it", for cipher, digest and compression.
const DEFAULT: u8 = 1;

/// No restriction to a user or group.
const ANYONE: u32 = u32::MAX;

/// Why an answer is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Refused(Refusal),
    /// It is refused as a proof, and what it says is told.
    Stale(Refusal, Box<Decoded>),
    Garbled,
}

/// To make a credential.
#[derive(Debug)]
pub(crate) struct EncodeRequest<'a> {
    pub payload: &'a [u8],
    pub options: Options,
}

/// To read one.
#[derive(Debug)]
pub(crate) struct DecodeRequest<'a> {
    pub credential: &'a str,
}

impl EncodeRequest<'_> {
    pub(crate) fn packed(&self) -> Vec<u8> {
        let mut body = vec![DEFAULT, DEFAULT, DEFAULT];
        // No realm.
        body.push(0);
        body.extend(self.options.lifetime.unwrap_or(0).to_be_bytes());
        body.extend(self.options.only_for.unwrap_or(ANYONE).to_be_bytes());
        body.extend(ANYONE.to_be_bytes());
        put_long(&mut body, self.payload);
        with_header(ENCODE_REQUEST, body)
    }
}

impl DecodeRequest<'_> {
    pub(crate) fn packed(&self) -> Vec<u8> {
        let mut body = vec![];
        // munged counts the byte that ends a C string.
        let credential = [self.credential.trim().as_bytes(), b"\0"].concat();
        put_long(&mut body, &credential);
        with_header(DECODE_REQUEST, body)
    }
}

fn with_header(kind: u8, body: Vec<u8>) -> Vec<u8> {
    let mut message = MAGIC.to_be_bytes().to_vec();
    // No retries: munged forgives a replay to whoever says that it asks again.
    message.extend([VERSION, kind, 0]);
    put_long(&mut message, &body);
    message
}

/// The length of what follows this header; none where it isn't one.
pub(crate) fn length(header: &[u8]) -> Option<usize> {
    let mut reader = Reader(header);
    let is_ours = reader.u32()? == MAGIC && reader.u8()? == VERSION;
    reader.bytes(2)?;
    let length = usize::try_from(reader.u32()?).ok()?;
    (is_ours && length <= 4 * crate::MAX_PAYLOAD).then_some(length)
}

/// A whole answer of this kind: the verdict, and what follows it.
fn open(answer: &[u8], kind: u8) -> Result<(Option<Refusal>, Reader<'_>), Fault> {
    let mut reader = Reader(answer);
    let opened = (|| {
        reader.bytes(5)?;
        let found = reader.u8()?;
        reader.bytes(5)?;
        let code = reader.u8()?;
        let text = reader.short()?;
        (found == kind).then_some((code, text))
    })();
    match opened {
        Some((0, _)) => Ok((None, reader)),
        Some((code, text)) => Ok((Some(Refusal::of(code, &text_of(text))), reader)),
        None => Err(Fault::Garbled),
    }
}

fn text_of(bytes: &[u8]) -> String {
    let text = bytes.strip_suffix(b"\0").unwrap_or(bytes);
    String::from_utf8_lossy(text).into_owned()
}

/// The credential in an answer to an [`EncodeRequest`].
pub(crate) fn encoded(answer: &[u8]) -> Result<String, Fault> {
    let (refusal, mut reader) = open(answer, ENCODE_ANSWER)?;
    if let Some(refusal) = refusal {
        return Err(Fault::Refused(refusal));
    }
    let credential = reader.long().ok_or(Fault::Garbled)?;
    let credential = text_of(credential);
    let is_one = credential.starts_with("MUNGE:") && credential.ends_with(':');
    is_one.then_some(credential).ok_or(Fault::Garbled)
}

/// What an answer to a [`DecodeRequest`] says.
pub(crate) fn decoded(answer: &[u8]) -> Result<Decoded, Fault> {
    let (refusal, mut reader) = open(answer, DECODE_ANSWER)?;
    match refusal {
        None => fields(&mut reader).ok_or(Fault::Garbled),
        Some(refusal) if refusal.is_of_time() => Err(match fields(&mut reader) {
            Some(decoded) => Fault::Stale(refusal, Box::new(decoded)),
            None => Fault::Refused(refusal),
        }),
        Some(refusal) => Err(Fault::Refused(refusal)),
    }
}

fn fields(reader: &mut Reader<'_>) -> Option<Decoded> {
    // Cipher, digest and compression; the realm.
    reader.bytes(3)?;
    reader.short()?;
    let lifetime = reader.u32()?;
    // Of the host that made it.
    reader.short()?;
    let made = reader.u32()?;
    // When it was decoded: now.
    reader.u32()?;
    let (uid, gid) = (reader.u32()?, reader.u32()?);
    // For whom it was.
    reader.bytes(8)?;
    Some(Decoded {
        uid,
        gid,
        payload: reader.long()?.to_vec(),
        made,
        lifetime,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_a_header_and_what_it_counts() {
        let packed = DecodeRequest {
            credential: "MUNGE:x:\n",
        }
        .packed();
        let (header, rest) = packed.split_at(HEADER);
        assert_eq!(length(header), Some(rest.len()));
        assert_eq!(rest, b"\0\0\0\x09MUNGE:x:\0");
        assert_eq!(length(b"\0\x60\x6d\x4b\x05\x03\0\0\0\0\x01"), None);
        assert_eq!(length(b"HTTP/1.1 40"), None);
    }

    #[test]
    fn an_answer_that_is_cut_anywhere_is_garbled() {
        let mut body = vec![0, 0, 4, 2, 1, 0];
        body.extend(300u32.to_be_bytes());
        body.extend([4, 127, 0, 0, 1]);
        for number in [1000u32, 1001, 1234, 5678, ANYONE, ANYONE] {
            body.extend(number.to_be_bytes());
        }
        put_long(&mut body, b"payload");
        let whole = with_header(DECODE_ANSWER, body);
        let decoded_whole = decoded(&whole).unwrap();
        assert_eq!((decoded_whole.uid, decoded_whole.gid), (1234, 5678));
        assert_eq!(decoded_whole.payload, b"payload");
        for end in 0..whole.len() {
            assert_eq!(decoded(&whole[..end]), Err(Fault::Garbled), "{end}");
        }
        assert_eq!(encoded(&whole), Err(Fault::Garbled));
    }

    #[test]
    fn a_refusal_is_known_by_its_number() {
        let mut body = vec![17, 4];
        body.extend(b"used");
        let answer = with_header(DECODE_ANSWER, body);
        assert_eq!(decoded(&answer), Err(Fault::Refused(Refusal::Replayed)));
    }
}
