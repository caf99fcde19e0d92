//! What follows for our own extensions.

use super::{Auditor, Level, Subject};
use crate::opt_server::config::Network;

impl Auditor<'_> {
    /// The pointer to an extension: the command's own, or the file's.
    pub(super) fn extension(&self, subject: Subject<'_>, key: &str) -> String {
        let own = subject.at(&format!("x-opt-runtime/{key}"));
        let file = format!("/x-opt-runtime/{key}");
        if !self.config.lines.has(&own) && self.config.lines.has(&file) {
            return file;
        }
        own
    }

    /// What the extensions give the command.
    pub(super) fn extensions(&mut self, subject: Subject<'_>) {
        let extensions = &subject.command.extensions;
        for writable in &extensions.mount_writable {
            let path = writable.path.display();
            let message =
                format!("{path} is writable: users reach each other and later runs through it");
            let fix = "let the command write in its project, and remove it".to_owned();
            self.extended(
                subject,
                "mount-writable",
                "writable-path",
                Level::Warning,
                message,
                fix,
            );
        }
        if extensions.network == Network::Host {
            let message = "it has the host's network: local services, the network around, and the host's abstract sockets".to_owned();
            let fix = "\"network\": \"none\"; a floating licence alone may be worth it".to_owned();
            self.extended(
                subject,
                "network",
                "host-network",
                Level::Warning,
                message,
                fix,
            );
        }
        for device in &extensions.devices {
            let message = format!("it has the device {}", device.display());
            let fix = "remove it where the command does without".to_owned();
            self.extended(subject, "devices", "device", Level::Warning, message, fix);
        }
        if !extensions.seccomp.is_empty() {
            let message = format!(
                "it may make the system calls {}",
                extensions.seccomp.join(", ")
            );
            let fix = "remove those that it does without".to_owned();
            self.extended(
                subject,
                "seccomp",
                "seccomp-addition",
                Level::Note,
                message,
                fix,
            );
        }
        let limits = &extensions.limits;
        let missing: Vec<&str> = [
            (limits.max_memory.is_none(), "max-memory"),
            (limits.wall_time().is_none(), "max-time"),
        ]
        .into_iter()
        .filter_map(|(is_missing, name)| is_missing.then_some(name))
        .collect();
        if !missing.is_empty() {
            let message = format!("no {}", missing.join(" and no "));
            let example =
                "\"x-opt-runtime\": { \"limits\": { \"max-memory\": 2048, \"max-time\": 10 } }";
            let fix = format!("{example}, in the command or at the top of the file");
            self.extended(subject, "limits", "no-limits", Level::Warning, message, fix);
        }
    }

    fn extended(
        &mut self,
        subject: Subject<'_>,
        key: &str,
        rule: &str,
        level: Level,
        message: String,
        fix: String,
    ) {
        let pointer = self.extension(subject, key);
        self.add(subject, rule, level, &pointer, message, fix);
    }
}
