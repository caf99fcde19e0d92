//! An image's `.meta` file: what the gateway knew of it.

use std::path::{Path, PathBuf};

use super::access::{self, Access};
use super::digests::Digests;
use super::words::words;
use crate::shifter::entries::{self, Entry};

/// What an image's file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Not a file but a directory.
    Vfs,
    /// ext4.
    Ext4,
    /// squashfs.
    Squashfs,
    /// cramfs.
    Cramfs,
    /// xfs.
    Xfs,
    /// EROFS; not one of Shifter's.
    Erofs,
}

/// The contents of a `.meta` file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// What the image's file holds.
    pub format: Format,
    /// Variables, `NAME=VALUE`; what isn't that is in `passed_over`.
    pub environment: Vec<(String, String)>,
    /// What a container runs with what it is given.
    pub entry_point: Option<Vec<String>>,
    /// What it runs where nothing is given.
    pub command: Option<Vec<String>>,
    /// The directory that it runs in.
    pub working_directory: Option<String>,
    /// Who may use it.
    pub access: Access,
    /// What its file should be.
    pub digests: Digests,
    /// Lines that have no effect here, and their keys.
    pub passed_over: Vec<(usize, String)>,
}

/// A `.meta` file that no image is used by. One line naming the file, and the line where there is one.
#[derive(Debug, thiserror::Error)]
#[error("{}{}: {problem}", path.display(), line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct MetaError {
    /// The file.
    pub path: PathBuf,
    /// From 1.
    pub line: Option<usize>,
    /// What is wrong.
    pub problem: MetaProblem,
}

/// What is wrong with a `.meta` file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say it")]
pub enum MetaProblem {
    #[error("is not UTF-8 text")]
    NotText,
    #[error("FORMAT is missing; Shifter would take a directory of the store for the image")]
    NoFormat,
    #[error("FORMAT: {found:?} is none of {known}", known = Format::NAMES.map(|(name, _)| name).join(", "))]
    UnknownFormat { found: String },
    #[error(
        "{key} is there already, on line {first}: a variable with a line break in it can add lines"
    )]
    Twice { key: String, first: usize },
    #[error("{key}: {found:?} has no id in it: nobody could use the image")]
    NoIds { key: String, found: String },
    #[error("{key}: {found:?} is a list that isn't ended")]
    NotAList { key: String, found: String },
    #[error("#{key}: {found:?} is no digest; one is sha256: with 64 of 0-9a-f")]
    NotADigest { key: String, found: String },
}

impl Format {
    /// As `.meta` files write them.
    pub const NAMES: [(&'static str, Self); 6] = [
        ("VFS", Self::Vfs),
        ("ext4", Self::Ext4),
        ("squashfs", Self::Squashfs),
        ("cramfs", Self::Cramfs),
        ("xfs", Self::Xfs),
        ("erofs", Self::Erofs),
    ];

    /// What follows the dot in the name of the image's file; the directory of a `VFS` ends with the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Vfs => "",
            Self::Ext4 => "ext4",
            Self::Squashfs => "squashfs",
            Self::Cramfs => "cramfs",
            Self::Xfs => "xfs",
            Self::Erofs => "erofs",
        }
    }

    fn of(name: &str) -> Option<Self> {
        let mut names = Self::NAMES.into_iter();
        names
            .find(|(known, _)| *known == name)
            .map(|(_, format)| format)
    }
}

impl Meta {
    /// Of an image without such a file.
    pub(super) fn saying_nothing(format: Format) -> Self {
        Self {
            format,
            environment: vec![],
            entry_point: None,
            command: None,
            working_directory: None,
            access: Access::default(),
            digests: Digests::default(),
            passed_over: vec![],
        }
    }

    /// Reads the text of the file at `path`.
    ///
    /// # Errors
    /// [`MetaError`]. Shifter takes the last of several FORMAT or ACL lines, which an image can add; here they are
    /// refused.
    pub fn parse(text: &[u8], path: &Path) -> Result<Self, MetaError> {
        let failed = |line, problem| MetaError {
            path: path.to_path_buf(),
            line,
            problem,
        };
        let text = str::from_utf8(text).map_err(|_| failed(None, MetaProblem::NotText))?;
        let digests = Digests::read(text).map_err(|(line, problem)| failed(Some(line), problem))?;
        let entries = entries::read(text, ':').all;
        let mut format = None;
        let mut meta = Self {
            format: Format::Vfs,
            environment: vec![],
            entry_point: None,
            command: None,
            working_directory: None,
            access: Access::default(),
            digests,
            passed_over: vec![],
        };
        for (index, entry) in entries.iter().enumerate() {
            must_be_first(entry, &entries[..index])
                .and_then(|()| meta.set(entry, &mut format))
                .map_err(|problem| failed(Some(entry.line), problem))?;
        }
        meta.format = format.ok_or_else(|| failed(None, MetaProblem::NoFormat))?;
        Ok(meta)
    }

    fn set(&mut self, entry: &Entry, format: &mut Option<Format>) -> Result<(), MetaProblem> {
        let value = &entry.value;
        match entry.key.as_str() {
            "FORMAT" => {
                let unknown = || MetaProblem::UnknownFormat {
                    found: value.clone(),
                };
                *format = Some(Format::of(value).ok_or_else(unknown)?);
            }
            "ENV" => match value.split_once('=') {
                Some((name, value)) if !name.is_empty() => {
                    self.environment.push((name.to_owned(), value.to_owned()));
                }
                _ => self.pass_over(entry),
            },
            "ENTRY" => self.entry_point = Some(list(entry)?),
            "CMD" => self.command = Some(list(entry)?),
            "WORKDIR" => self.working_directory = Some(value.clone()),
            "USERACL" => self.access.users = ids(entry)?,
            "GROUPACL" => self.access.groups = ids(entry)?,
            _ => self.pass_over(entry),
        }
        Ok(())
    }

    fn pass_over(&mut self, entry: &Entry) {
        self.passed_over.push((entry.line, entry.key.clone()));
    }
}

/// What decides about the kernel's work and about access can't be said twice.
fn must_be_first(entry: &Entry, before: &[Entry]) -> Result<(), MetaProblem> {
    let decides = ["FORMAT", "USERACL", "GROUPACL"].contains(&entry.key.as_str());
    match before.iter().find(|other| other.key == entry.key) {
        Some(first) if decides => Err(MetaProblem::Twice {
            key: entry.key.clone(),
            first: first.line,
        }),
        _ => Ok(()),
    }
}

fn list(entry: &Entry) -> Result<Vec<String>, MetaProblem> {
    words(&entry.value).ok_or_else(|| MetaProblem::NotAList {
        key: entry.key.clone(),
        found: entry.value.clone(),
    })
}

/// An empty list keeps the image to nobody in particular, as Shifter has it.
fn ids(entry: &Entry) -> Result<Vec<u32>, MetaProblem> {
    let ids = access::ids(&entry.value);
    if ids.is_empty() && !entry.value.is_empty() {
        return Err(MetaProblem::NoIds {
            key: entry.key.clone(),
            found: entry.value.clone(),
        });
    }
    Ok(ids)
}
