//! The bytes of a layer, whatever it is compressed with: told by its first bytes, as everybody does.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::FrameDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};

const BUFFER: usize = 256 << 10;

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// A zstd frame that says nothing: the first 4 bits of the first byte are free.
const ZSTD_SKIPPED: [u8; 3] = [0x2a, 0x4d, 0x18];

/// A frame of no bytes.
const ZSTD_EMPTY: [u8; 9] = [0x28, 0xb5, 0x2f, 0xfd, 0, 0, 1, 0, 0];

/// What becomes of a layer's bytes.
pub(super) struct Unpacked<'a> {
    pub(super) from: Box<dyn Read + 'a>,
    /// Whether they are compressed with nothing.
    pub(super) is_plain: bool,
}

/// Unpacks `layer`: gzip, zstd, or nothing of them.
///
/// # Errors
/// Those of reading.
pub(super) fn unpacked<'a>(layer: impl Read + 'a) -> io::Result<Unpacked<'a>> {
    let mut layer = BufReader::with_capacity(BUFFER, layer);
    let head = layer.fill_buf()?;
    let is_skipped = head.get(1..4) == Some(&ZSTD_SKIPPED) && head[0] & 0xf0 == 0x50;
    let (is_gzip, is_zstd) = (
        head.starts_with(&GZIP),
        head.starts_with(&ZSTD) || is_skipped,
    );
    Ok(Unpacked {
        from: if is_gzip {
            Box::new(MultiGzDecoder::new(layer))
        } else if is_zstd {
            Box::new(Zstd::new(layer)?)
        } else {
            Box::new(layer)
        },
        is_plain: !is_gzip && !is_zstd,
    })
}

/// zstd, frame after frame.
struct Zstd<R> {
    from: R,
    frames: FrameDecoder,
    is_in_frame: bool,
}

impl<R: BufRead> Zstd<R> {
    fn new(from: R) -> io::Result<Self> {
        let mut frames = FrameDecoder::new();
        // The decoder bounds the window, which is its memory, for every frame but its first.
        frames.reset(&ZSTD_EMPTY[..]).map_err(broken)?;
        Ok(Self {
            from,
            frames,
            is_in_frame: false,
        })
    }

    /// Begins the next frame that says something; false at the end.
    fn begin(&mut self) -> io::Result<bool> {
        while !self.from.fill_buf()?.is_empty() {
            match self.frames.reset(&mut self.from) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let length = u64::from(length);
                    let skipped = io::copy(&mut (&mut self.from).take(length), &mut io::sink())?;
                    if skipped < length {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                }
                Err(error) => return Err(broken(error)),
            }
        }
        Ok(false)
    }
}

impl<R: BufRead> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use ruzstd::decoding::BlockDecodingStrategy::UptoBytes;
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.is_in_frame {
                if !self.begin()? {
                    return Ok(0);
                }
                self.is_in_frame = true;
            }
            if self.frames.can_collect() == 0 && !self.frames.is_finished() {
                self.frames
                    .decode_blocks(&mut self.from, UptoBytes(BUFFER))
                    .map_err(broken)?;
            }
            let length = self.frames.read(buffer)?;
            if length > 0 {
                return Ok(length);
            }
            if self.frames.is_finished() {
                if self.frames.get_checksum_from_data() != self.frames.get_calculated_checksum()
                    && self.frames.get_checksum_from_data().is_some()
                {
                    return Err(io::Error::other("zstd: a frame's checksum is wrong"));
                }
                self.is_in_frame = false;
            }
        }
    }
}

fn broken(error: FrameDecoderError) -> io::Error {
    io::Error::other(format!("zstd: {error}"))
}
