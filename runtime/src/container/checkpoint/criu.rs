//! One call of the criu program.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_setfd};

use super::super::{Error, Result};

/// The first descriptor that criu inherits from us: below are its own.
const FIRST_INHERITED: i32 = 10;

/// A call of criu that is being put together.
#[derive(Debug)]
pub(super) struct Criu {
    action: &'static str,
    program: PathBuf,
    arguments: Vec<OsString>,
    inherited: Vec<OwnedFd>,
    log: PathBuf,
}

/// What every call is told.
#[derive(Debug, Clone)]
pub struct CriuOptions {
    /// The program.
    pub program: PathBuf,
    /// The directory of the images.
    pub images: PathBuf,
    /// The directory of its log; that of the images where absent.
    pub work: Option<PathBuf>,
    /// Keep TCP connections.
    pub tcp_established: bool,
    /// Allow connections to unix sockets outside.
    pub external_unix_sockets: bool,
    /// Keep a terminal of the caller's.
    pub shell_job: bool,
    /// Keep file locks.
    pub file_locks: bool,
    /// Leave out what is in new network namespaces.
    pub empty_network: bool,
    /// Drop pages of earlier images that later ones hold too.
    pub auto_dedup: bool,
    /// How criu deals with cgroups.
    pub cgroups_mode: String,
}

impl Criu {
    pub(super) fn new(action: &'static str, options: &CriuOptions) -> Self {
        let log_directory = options.work.as_ref().unwrap_or(&options.images);
        let mut criu = Self {
            action,
            program: options.program.clone(),
            arguments: vec![action.into()],
            inherited: vec![],
            log: log_directory.join(format!("{action}.log")),
        };
        criu.option("--images-dir", &options.images);
        if let Some(work) = &options.work {
            criu.option("--work-dir", work);
        }
        criu.option("--log-file", format!("{action}.log"));
        criu.flag("-v4");
        criu.flag("--no-default-config");
        criu.flag(format!("--manage-cgroups={}", options.cgroups_mode));
        for (asked, flag) in [
            (options.tcp_established, "--tcp-established"),
            (options.external_unix_sockets, "--ext-unix-sk"),
            (options.shell_job, "--shell-job"),
            (options.file_locks, "--file-locks"),
            (options.auto_dedup, "--auto-dedup"),
            (options.empty_network, "--empty-ns=net"),
        ] {
            if asked {
                criu.flag(flag);
            }
        }
        criu
    }

    pub(super) fn flag(&mut self, flag: impl Into<OsString>) {
        self.arguments.push(flag.into());
    }

    pub(super) fn option(&mut self, name: &str, value: impl Into<OsString>) {
        self.arguments.push(name.into());
        self.arguments.push(value.into());
    }

    /// Has criu take `file` for what its images call `key`.
    ///
    /// # Errors
    /// Where there are no more descriptors.
    pub(super) fn inherit(&mut self, file: impl AsFd, key: &str) -> Result<()> {
        let failed = Error::step("hand a descriptor to criu");
        let own = fcntl_dupfd_cloexec(file, FIRST_INHERITED)
            .and_then(|own| fcntl_setfd(&own, FdFlags::empty()).map(|()| own))
            .map_err(failed)?;
        self.option("--inherit-fd", format!("fd[{}]:{key}", own.as_raw_fd()));
        self.inherited.push(own);
        Ok(())
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// [`Error::Criu`], with the first error of its log.
    pub(super) fn run(self) -> Result<()> {
        let failed = |reason: String| Error::Criu {
            action: self.action,
            reason,
        };
        // A file, not a pipe: what criu makes may hold it open for as long as it lives.
        let output = self.log.with_extension("output");
        let said = File::create(&output).map_err(Error::io("make", &output))?;
        let ended = Command::new(&self.program)
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(said)
            .status();
        drop(self.inherited);
        match ended {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => {
                let said = first_error(&self.log).or_else(|| first_line(&output));
                let said = said.unwrap_or_else(|| status.to_string());
                Err(failed(format!("{said}; see {}", self.log.display())))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Err(failed(format!(
                "there is no {}; hint: apt-get install criu, or --criu with its path",
                self.program.display()
            ))),
            Err(error) => Err(failed(format!("{}: {error}", self.program.display()))),
        }
    }
}

fn first_line(output: &Path) -> Option<String> {
    let text = fs::read(output).ok()?;
    let text = String::from_utf8_lossy(&text);
    text.lines()
        .find(|line| !line.is_empty())
        .map(str::to_owned)
}

/// criu goes on after an error to clean up, and sums it up at the end: the first one tells most.
fn first_error(log: &Path) -> Option<String> {
    let text = fs::read(log).ok()?;
    let text = String::from_utf8_lossy(&text);
    text.lines().find_map(|line| {
        line.split_once("Error ")
            .map(|(_, said)| said.trim().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(images: &Path, program: &str) -> CriuOptions {
        CriuOptions {
            program: program.into(),
            images: images.to_path_buf(),
            work: None,
            tcp_established: true,
            external_unix_sockets: false,
            shell_job: true,
            file_locks: false,
            empty_network: false,
            auto_dedup: false,
            cgroups_mode: "soft".to_owned(),
        }
    }

    #[test]
    fn the_first_error_of_the_log_is_told() {
        let place = tempfile::tempdir().unwrap();
        let log =
            "(00.01) fine\n(00.02) Error (criu/x.c:1): first\n(00.03) Error (criu/y.c:2): second\n";
        fs::write(place.path().join("dump.log"), log).unwrap();
        let error = Criu::new("dump", &options(place.path(), "false"))
            .run()
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("criu dump: (criu/x.c:1): first; see "),
            "{text}"
        );
    }

    #[test]
    fn a_criu_that_is_not_there_is_named() {
        let place = tempfile::tempdir().unwrap();
        let error = Criu::new("dump", &options(place.path(), "no-such-criu"))
            .run()
            .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("there is no no-such-criu; hint:"),
            "{error}"
        );
    }

    #[test]
    fn flags_follow_options() {
        let criu = Criu::new("restore", &options(Path::new("/i"), "criu"));
        let has = |flag: &str| criu.arguments.iter().any(|argument| argument == flag);
        assert!(has("--tcp-established") && has("--shell-job") && has("--manage-cgroups=soft"));
        assert!(!has("--file-locks") && !has("--work-dir"));
    }
}
