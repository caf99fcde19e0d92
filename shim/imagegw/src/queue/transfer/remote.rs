//! Over ssh, with the programs of this host: copied under another name, synced, renamed. What a gateway has left there that
//! was killed, and that nobody has gone on with, goes with the next image.
//!
//! The other side takes what it is told apart with a shell. Names and directories are of plain characters
//! (the configuration sees to it), and are quoted nevertheless.

use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use image_files::run_while_wanted;

use super::{NEW, TransferError};
use crate::configuration::Remote;

/// Behind the site's own options, of which the first counts: a host that is gone is noticed within a minute or so.
const NOTICES: [&str; 4] = ["-o", "ConnectTimeout=30", "-o", "ServerAliveInterval=20"];

/// Half a file that nothing was written to for so long is nobody's any more, unless this gateway's pulls may take longer.
const LEFT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long half a file is being removed at a host that may be gone.
const TIDYING: Duration = Duration::from_secs(10);

/// Another host, as long as somebody waits for it.
pub(super) struct Host<'a> {
    pub(super) remote: &'a Remote,
    pub(super) should_stop: &'a dyn Fn() -> bool,
    /// No copy takes longer.
    pub(super) pull_time: Duration,
}

impl Host<'_> {
    pub(super) fn put(&self, name: &str, file: &Path) -> Result<(), TransferError> {
        let Remote { user, host, .. } = self.remote;
        let new = self.at(&format!("{NEW}{name}"));
        let mut scp = self.command("scp", &self.remote.scp_options);
        scp.arg("-q").arg("--").arg(file);
        scp.arg(format!("{user}@{host}:{new}"));
        let put = self.run(scp, "scp", b"");
        let put = put.and_then(|_| self.settle(name, &self.sweep()));
        self.tidy(name, put)
    }

    pub(super) fn put_text(&self, name: &str, text: &[u8]) -> Result<(), TransferError> {
        let new = quote(&self.at(&format!("{NEW}{name}")));
        let put = self.ssh(&format!("umask 077 && cat > {new}"), text);
        self.tidy(name, put.and_then(|_| self.settle(name, "")))
    }

    /// Gives what was copied its name, and has `then` done.
    fn settle(&self, name: &str, then: &str) -> Result<(), TransferError> {
        let new = quote(&self.at(&format!("{NEW}{name}")));
        let path = quote(&self.at(name));
        let script = format!("chmod 0600 {new} && sync {new} && mv -f {new} {path}{then}");
        self.ssh(&script, b"").map(drop)
    }

    /// Behind a script: removes what is old of what was left. Where that fails, it is in nobody's way.
    fn sweep(&self) -> String {
        let directory = quote(&format!("{}/", self.remote.directory.display()));
        let minutes = self.pull_time.max(LEFT).as_secs() / 60;
        format!(
            " && {{ find {directory} -maxdepth 1 -type f -name '{NEW}*' -mmin +{minutes} -exec rm -f {{}} + 2>/dev/null || :; }}"
        )
    }

    /// Removes what a failed copy has left, if the host answers.
    fn tidy(&self, name: &str, put: Result<(), TransferError>) -> Result<(), TransferError> {
        if put.is_err() {
            let began = Instant::now();
            let patient = Host {
                should_stop: &|| began.elapsed() > TIDYING,
                ..*self
            };
            // The first error is the one to report.
            let _ = patient.remove(&[format!("{NEW}{name}")]);
        }
        put
    }

    pub(super) fn has(&self, name: &str, size: u64) -> bool {
        let script = format!("stat -c %s {}", quote(&self.at(name)));
        let size = size.to_string();
        let output = self.ssh(&script, b"");
        output.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).trim() == size)
    }

    pub(super) fn remove(&self, names: &[String]) -> Result<(), TransferError> {
        let paths: Vec<String> = names.iter().map(|name| quote(&self.at(name))).collect();
        self.ssh(&format!("rm -f {}", paths.join(" ")), b"")
            .map(drop)
    }

    fn at(&self, name: &str) -> String {
        format!("{}/{name}", self.remote.directory.display())
    }

    fn ssh(&self, script: &str, input: &[u8]) -> Result<Output, TransferError> {
        let Remote { user, host, .. } = self.remote;
        let mut ssh = self.command("ssh", &self.remote.ssh_options);
        ssh.arg("--").arg(format!("{user}@{host}")).arg(script);
        self.run(ssh, "ssh", input)
    }

    /// The program, the key and the site's options. Nobody is there to answer questions.
    fn command(&self, program: &str, options: &[String]) -> Command {
        let mut command = Command::new(program);
        command.args(["-o", "BatchMode=yes"]);
        if let Some(key) = &self.remote.key {
            command.arg("-i").arg(key);
        }
        command.args(options).args(NOTICES);
        command
    }

    fn run(
        &self,
        mut command: Command,
        program: &'static str,
        input: &[u8],
    ) -> Result<Output, TransferError> {
        let host = self.remote.host.clone();
        let output = match run_while_wanted(&mut command, input, self.should_stop) {
            Ok(Some(output)) if output.status.success() => return Ok(output),
            Ok(Some(output)) => output,
            Ok(None) => return Err(TransferError::Stopped { program, host }),
            Err(error) => {
                let reason = error.to_string();
                return Err(TransferError::Remote {
                    program,
                    host,
                    reason,
                });
            }
        };
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rfind(|line| !line.trim().is_empty());
        let reason = match last {
            Some(line) => format!("{line} ({})", output.status),
            None => output.status.to_string(),
        };
        Err(TransferError::Remote {
            program,
            host,
            reason,
        })
    }
}

fn quote(text: &str) -> String {
    // Only what has a NUL in it can't be quoted.
    shlex::try_quote(text).map_or_else(|_| "''".to_owned(), std::borrow::Cow::into_owned)
}
