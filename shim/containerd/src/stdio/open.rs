//! Opening what containerd names as standard streams: FIFOs by a path, or files by a URL.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

/// Where a process's input comes from.
#[derive(Debug)]
pub struct Input {
    /// To read from.
    pub from: OwnedFd,
    /// The other end, of a FIFO: while it is open, the input doesn't end when a writer goes.
    pub holder: Option<OwnedFd>,
}

fn non_blocking() -> i32 {
    OFlags::NONBLOCK.bits().cast_signed()
}

fn named(path: &str, error: &io::Error) -> io::Error {
    io::Error::new(
        error.kind(),
        format!("open standard stream {path}: {error}"),
    )
}

/// Standard input at `path`; `None` where there is to be none.
pub fn input(path: &str) -> io::Result<Option<Input>> {
    if path.is_empty() {
        return Ok(None);
    }
    let open = || -> io::Result<Input> {
        let from = OpenOptions::new()
            .read(true)
            .custom_flags(non_blocking())
            .open(path)?;
        let is_fifo = from.metadata()?.file_type().is_fifo();
        let holder = is_fifo.then(|| {
            OpenOptions::new()
                .write(true)
                .custom_flags(non_blocking())
                .open(path)
        });
        Ok(Input {
            from: from.into(),
            holder: holder.transpose()?.map(OwnedFd::from),
        })
    };
    open().map(Some).map_err(|error| named(path, &error))
}

/// Where a process's output goes.
#[derive(Debug)]
pub struct Output {
    /// To write to; for a FIFO, to write only.
    pub to: OwnedFd,
    /// The other end, of a FIFO: while it is open, writing doesn't fail when whoever reads goes, and waits until another
    /// comes.
    pub holder: Option<OwnedFd>,
}

/// Standard output or error at `target`, a path, `fifo://` or `file://`; `None` where there is to be none.
pub fn output(target: &str) -> io::Result<Option<Output>> {
    if target.is_empty() {
        return Ok(None);
    }
    let path = match target.split_once("://") {
        None => target,
        Some(("fifo", path)) => path,
        Some(("file", path)) => {
            return file(Path::new(path))
                .map(|to| Some(Output { to, holder: None }))
                .map_err(|error| named(target, &error));
        }
        Some((scheme, _)) => {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!(
                    "standard stream {target}: {scheme} is not supported; hint: a FIFO or file://"
                ),
            ));
        }
    };
    let opened = both_ends(path).map(Some);
    opened.map_err(|error| named(path, &error))
}

/// The end to read first: without one, a FIFO can't be opened to write.
fn both_ends(path: &str) -> io::Result<Output> {
    let open = |options: &mut OpenOptions| options.custom_flags(non_blocking()).open(path);
    let reader = open(OpenOptions::new().read(true))?;
    let is_fifo = reader.metadata()?.file_type().is_fifo();
    Ok(Output {
        to: open(OpenOptions::new().write(true))?.into(),
        holder: is_fifo.then(|| reader.into()),
    })
}

fn file(path: &Path) -> io::Result<OwnedFd> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    Ok(file.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_fifos_or_files() {
        let directory = tempfile::tempdir().unwrap();
        let fifo = directory.path().join("fifo");
        rustix::fs::mknodat(
            rustix::fs::CWD,
            &fifo,
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
            0,
        )
        .unwrap();
        let fifo = fifo.to_str().unwrap();
        let both_ends = |target: &str| output(target).unwrap().unwrap().holder.is_some();
        assert!(both_ends(fifo) && both_ends(&format!("fifo://{fifo}")));
        assert!(input(fifo).unwrap().unwrap().holder.is_some());
        assert!(input("").unwrap().is_none() && output("").unwrap().is_none());
        let log = directory.path().join("a/log");
        output(&format!("file://{}", log.display())).unwrap();
        assert!(log.exists());
        output("binary:///bin/logger").unwrap_err();
        output("/nonexistent/fifo").unwrap_err();
    }
}
