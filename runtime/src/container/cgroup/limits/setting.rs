//! One value for one cgroup file, and how it is written.

use std::io;
use std::path::Path;

use super::super::super::{Error, Result};
use crate::kernel_file;

/// One value for one file. A list of them is written in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::container::cgroup) struct Setting {
    /// The key below `linux.resources` that asks for it.
    pub key: &'static str,
    /// The controller that has the file.
    pub controller: &'static str,
    /// The file.
    pub file: String,
    /// What to write into it.
    pub value: String,
    /// What to do where the file isn't there.
    pub if_absent: IfAbsent,
    /// Whether the kernel's "invalid" may mean "not before the settings that follow".
    pub may_wait: bool,
    /// Whether the file must read back as the value: the kernel takes the next possible one in silence.
    pub reads_back: bool,
}

/// What to do where a setting's file isn't there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::container::cgroup) enum IfAbsent {
    /// It can't be set.
    Refuse,
    /// It needn't be set; why stands where the setting is made.
    Skip,
    /// Another file does the same, with this value.
    Use(String, String),
}

impl Setting {
    /// A setting without anything special.
    pub(super) fn new(
        key: &'static str,
        controller: &'static str,
        file: impl Into<String>,
        value: impl ToString,
    ) -> Self {
        Self {
            key,
            controller,
            file: file.into(),
            value: value.to_string(),
            if_absent: IfAbsent::Refuse,
            may_wait: false,
            reads_back: false,
        }
    }

    pub(super) fn or_skip(mut self) -> Self {
        self.if_absent = IfAbsent::Skip;
        self
    }

    pub(super) fn or_use(mut self, file: &str, value: impl ToString) -> Self {
        self.if_absent = IfAbsent::Use(file.to_owned(), value.to_string());
        self
    }

    pub(super) fn may_wait(mut self) -> Self {
        self.may_wait = true;
        self
    }

    pub(super) fn reads_back(mut self) -> Self {
        self.reads_back = true;
        self
    }

    fn write(&self, directory: &Path) -> io::Result<()> {
        match kernel_file::write(directory.join(&self.file), &self.value) {
            Err(error) if is_absent(&error) => match &self.if_absent {
                IfAbsent::Refuse => return Err(error),
                IfAbsent::Skip => return Ok(()),
                IfAbsent::Use(file, value) => kernel_file::write(directory.join(file), value),
            },
            other => other,
        }?;
        if self.reads_back {
            let read = kernel_file::read(directory.join(&self.file))?;
            if read.trim() != self.value {
                return Err(io::Error::other(format!(
                    "the kernel makes it {}",
                    read.trim()
                )));
            }
        }
        Ok(())
    }

    fn failed(&self, directory: &Path, source: io::Error) -> Error {
        Error::Limit {
            key: self.key,
            path: directory.join(&self.file),
            value: self.value.clone(),
            source,
        }
    }
}

/// Writes the settings in order into the files of `directory`; those that may wait and are refused, once
/// more after the others.
///
/// # Errors
/// [`Error::Limit`] for the first that the kernel refuses for good.
pub(super) fn write_all<'a>(
    directory: &Path,
    settings: impl IntoIterator<Item = &'a Setting>,
) -> Result<()> {
    let mut waiting = vec![];
    for setting in settings {
        match setting.write(directory) {
            Err(error) if setting.may_wait && error.raw_os_error() == Some(libc::EINVAL) => {
                waiting.push(setting);
            }
            other => other.map_err(|error| setting.failed(directory, error))?,
        }
    }
    waiting.into_iter().try_for_each(|setting| {
        let written = setting.write(directory);
        written.map_err(|error| setting.failed(directory, error))
    })
}

/// A file that a kernel has only for form's sake, as `memory.kmem.limit_in_bytes` since Linux 5.16, says
/// `EOPNOTSUPP`.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EOPNOTSUPP))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn written(settings: &[Setting], files: &[&str]) -> (Result<()>, Vec<String>) {
        let directory = tempfile::tempdir().unwrap();
        for file in files {
            fs::write(directory.path().join(file), "").unwrap();
        }
        let outcome = write_all(directory.path(), settings);
        let read = |file| fs::read_to_string(directory.path().join(file)).unwrap();
        (outcome, files.iter().map(read).collect())
    }

    #[test]
    fn what_is_absent_is_refused_skipped_or_done_elsewhere() {
        let setting = Setting::new("k", "c", "a", 1);
        let (outcome, _) = written(std::slice::from_ref(&setting), &[]);
        let text = outcome.unwrap_err().to_string();
        assert!(text.starts_with("linux.resources.k"), "{text}");
        assert!(written(&[setting.clone().or_skip()], &[]).0.is_ok());
        let (outcome, contents) = written(&[setting.or_use("b", 2)], &["b"]);
        assert!(outcome.is_ok() && contents == ["2"]);
    }

    #[test]
    fn no_file_is_ever_made() {
        let directory = tempfile::tempdir().unwrap();
        let setting = Setting::new("k", "c", "a", 1).or_use("b", 1);
        assert!(write_all(directory.path(), [&setting]).is_err());
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
