//! How image files are written, as a site wants it: those options of the programs that change neither what is in an
//! image nor that the same tree gives the same bytes. No other is passed on.

mod erofs;
mod squashfs;

/// How image files are written, where it isn't as usual.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteOptions {
    squashfs: squashfs::Options,
    erofs: Vec<String>,
}

/// An option that isn't passed on. One line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{option:?} {why}")]
pub struct RefusedOption {
    option: String,
    why: String,
}

impl RefusedOption {
    fn new(option: &str, why: impl Into<String>) -> Self {
        Self {
            option: option.to_owned(),
            why: why.into(),
        }
    }
}

impl WriteOptions {
    /// Has mksquashfs(1) write with these.
    ///
    /// # Errors
    /// [`RefusedOption`] for one that isn't passed on.
    pub fn set_squashfs(&mut self, words: &[String]) -> Result<(), RefusedOption> {
        self.squashfs = squashfs::Options::read(words)?;
        Ok(())
    }

    /// Has mkfs.erofs(1) write with these.
    ///
    /// # Errors
    /// Likewise.
    pub fn set_erofs(&mut self, words: &[String]) -> Result<(), RefusedOption> {
        self.erofs = erofs::read(words)?;
        Ok(())
    }

    /// Whether mkfs.erofs(1) is needed for nothing that was wanted.
    pub fn is_usual_erofs(&self) -> bool {
        self.erofs.is_empty()
    }

    pub(super) fn squashfs(&self) -> Vec<String> {
        self.squashfs.arguments()
    }

    pub(super) fn erofs(&self) -> &[String] {
        &self.erofs
    }
}

/// Whether `text` is a number of bytes from `least` to `most`, as `131072`, `128K` or `1M`.
fn is_size(text: &str, least: u64, most: u64) -> bool {
    let (digits, unit) = match text.as_bytes().last() {
        Some(b'K' | b'k') => (&text[..text.len() - 1], 1 << 10),
        Some(b'M' | b'm') => (&text[..text.len() - 1], 1 << 20),
        Some(b'G' | b'g') => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    let size = number(digits).and_then(|number| number.checked_mul(unit));
    size.is_some_and(|size| (least..=most).contains(&size))
}

/// Digits only: `parse` would take a sign.
fn number(text: &str) -> Option<u64> {
    let is_one = text.bytes().all(|byte| byte.is_ascii_digit());
    is_one.then(|| text.parse().ok()).flatten()
}
