//! Volume maps: what of the host's, or of the container's own tree, is to be where in the container.

mod bytes;
mod error;
mod parse;
mod rules;
#[cfg(test)]
mod tests;

use std::fmt;

pub(in crate::shifter) use bytes::parse_bytes;
pub use error::{VolumeError, VolumeProblem};
pub use rules::check_target;

/// Who asks for a volume. What each may ask for is in [`check_target`] and [`VolumeMap::parse`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// The user, on the command line or in the environment: `from` is a path inside.
    User,
    /// The site, with `siteFs`: `from` is a path on the host.
    Site,
}

/// How mounts that are made later on the host reach a mounted directory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Propagation {
    /// Not at all.
    #[default]
    Private,
    /// They appear, and what is mounted inside stays inside.
    Slave,
}

impl Propagation {
    /// As the flag and `mountPropagationStyle` write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Slave => "slave",
        }
    }
}

/// A file system of its own on this node, in a sparse file. It is an xfs and mounted by loop; nothing else was ever
/// offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PerNodeCache {
    /// Bytes; not 0.
    pub size: u64,
    /// Bytes of a block, as the file is written.
    pub block_size: u64,
}

/// One volume map. The paths are normal: absolute, without `.`, `..`, doubled or ending slashes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeMap {
    /// Where it comes from; without meaning for a cache.
    pub from: String,
    /// Where it is inside.
    pub to: String,
    /// `ro`.
    pub read_only: bool,
    /// `rec`: with what is mounted below it.
    pub recursive: bool,
    /// `slave` or `private`; without either the site's default holds.
    pub propagation: Option<Propagation>,
    /// `perNodeCache`.
    pub cache: Option<PerNodeCache>,
}

impl VolumeMap {
    /// Reads `text`: `FROM:TO[:FLAG…][;…]`. Empty maps between `;` are passed over.
    ///
    /// # Errors
    /// [`VolumeError`] for the first map that breaks a rule.
    pub fn parse(text: &str, asker: Asker) -> Result<Vec<Self>, VolumeError> {
        parse::maps(text, asker)
    }
}

/// The canonical form, as `/var/shifterConfig.json` has it.
impl fmt::Display for VolumeMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.from, self.to)?;
        if self.read_only {
            f.write_str(":ro")?;
        }
        if self.recursive {
            f.write_str(":rec")?;
        }
        if let Some(PerNodeCache { size, block_size }) = self.cache {
            write!(
                f,
                ":perNodeCache=size={size},bs={block_size},method=loop,fstype=xfs"
            )?;
        }
        match self.propagation {
            Some(propagation) => write!(f, ":{}", propagation.as_str()),
            None => Ok(()),
        }
    }
}

/// The canonical form of several maps: sorted, so that the same volumes have the same signature.
pub fn signature(maps: &[VolumeMap]) -> String {
    let mut texts: Vec<String> = maps.iter().map(ToString::to_string).collect();
    texts.sort();
    texts.join(";")
}
