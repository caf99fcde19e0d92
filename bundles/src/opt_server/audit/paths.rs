//! Practice 2: no standard binary directories. Practice 3: nothing sensitive.

use std::path::{Path, PathBuf};

use super::programs::{Kind, recognise};
use super::sensitive::sensitive;
use super::{Auditor, Level, Subject};
use crate::exposure::{Exposure, and_more, names_a_secret};
use crate::opt_server::config::escaped;

const BINARY_DIRECTORIES: [&str; 8] = [
    "/bin",
    "/sbin",
    "/snap/bin",
    "/usr/bin",
    "/usr/games",
    "/usr/local/bin",
    "/usr/local/sbin",
    "/usr/sbin",
];

impl Auditor<'_> {
    /// Every path that the configuration names.
    pub(super) fn named_paths(&mut self, subject: Subject<'_>) {
        let readable = subject.command.mount_readable.iter().enumerate();
        let readable =
            readable.map(|(index, path)| (subject.at(&format!("mount-readable/{index}")), path));
        let key = self.extension(subject, "dlopen");
        let dlopen = subject
            .command
            .extensions
            .dlopen
            .iter()
            .filter(|path| path.is_absolute());
        let dlopen = dlopen.map(|path| (key.clone(), path));
        for (pointer, path) in readable.chain(dlopen) {
            // What isn't there is told of where the whole command is planned.
            let Ok(canonical) = path.canonicalize() else {
                continue;
            };
            let shown = shown(path, &canonical);
            self.binaries(subject, &pointer, &canonical, &shown);
            self.sensitive_path(subject, &pointer, &canonical, &shown);
            let exposure = self.measure(&canonical);
            self.secrets(
                subject,
                &pointer,
                &exposure,
                "mount only what the command needs of it",
            );
        }
    }

    fn binaries(&mut self, subject: Subject<'_>, pointer: &str, canonical: &Path, shown: &str) {
        if !canonical.is_dir() {
            let found = recognise(canonical)
                .filter(|found| matches!(found.kind, Kind::Shell | Kind::Runner));
            if let Some(found) = found {
                let message = format!(
                    "{shown} is {}{}: users of the command can start it",
                    found.name, found.how
                );
                let fix = "remove it".to_owned();
                self.add(
                    subject,
                    "shell-mounted",
                    Level::Error,
                    pointer,
                    message,
                    fix,
                );
            }
            return;
        }
        let standard = || {
            BINARY_DIRECTORIES.iter().filter_map(|directory| {
                let directory = Path::new(directory);
                Some((directory, directory.canonicalize().ok()?))
            })
        };
        let within = standard().find(|(_, real)| real.starts_with(canonical));
        let above = standard().find(|(_, real)| canonical.starts_with(real));
        let (level, message) = match (within, above) {
            (Some((_, real)), _) if real == canonical => (
                Level::Error,
                format!("{shown} is a standard binary directory"),
            ),
            (Some((_, real)), _) => (
                Level::Error,
                format!(
                    "{shown} holds the standard binary directory {}",
                    real.display()
                ),
            ),
            (None, Some((directory, _))) => (
                Level::Warning,
                format!(
                    "{shown} is in the standard binary directory {}",
                    directory.display()
                ),
            ),
            (None, None) => return,
        };
        let fix = "name the few programs that the command starts, each by its own path".to_owned();
        self.add(subject, "binary-directory", level, pointer, message, fix);
    }

    fn sensitive_path(
        &mut self,
        subject: Subject<'_>,
        pointer: &str,
        canonical: &Path,
        shown: &str,
    ) {
        if let Some((level, what)) = sensitive(canonical) {
            let message = format!("{shown} {what}");
            let fix = "remove it, or copy what the command needs to a place of its own".to_owned();
            self.add(subject, "sensitive-path", level, pointer, message, fix);
        }
    }

    /// What had better not be shown in what is.
    pub(super) fn secrets(
        &mut self,
        subject: Subject<'_>,
        pointer: &str,
        exposure: &Exposure,
        fix: &str,
    ) {
        if let Some(why) = exposure.cut {
            let message = format!("what is mounted wasn't looked at whole: {why}");
            let level = Level::Warning;
            self.add(
                subject,
                "not-examined",
                level,
                pointer,
                message,
                fix.to_owned(),
            );
        }
        let readable: Vec<String> = exposure
            .readable_secrets()
            .map(|secret| format!("{} ({})", secret.path.display(), secret.what))
            .collect();
        if let Some(first) = readable.first() {
            let more = and_more(readable.len() as u64, 1);
            let message =
                format!("users of the command can read what looks like a secret: {first}{more}");
            self.add(
                subject,
                "secret",
                Level::Error,
                pointer,
                message,
                fix.to_owned(),
            );
        }
        if let Some(hidden) = exposure.secrets.iter().find(|secret| !secret.is_readable) {
            let hidden = hidden.path.display();
            let message = format!(
                "only its mode keeps users of the command from what looks like a secret: {hidden}"
            );
            self.add(
                subject,
                "secret",
                Level::Note,
                pointer,
                message,
                fix.to_owned(),
            );
        }
        if let Some(first) = exposure.sockets.first.first() {
            let more = and_more(exposure.sockets.count, 1);
            let message = format!(
                "users of the command can reach the service behind {}{more}",
                first.display()
            );
            self.add(
                subject,
                "socket",
                Level::Error,
                pointer,
                message,
                fix.to_owned(),
            );
        }
        if let Some(first) = exposure.world_writable.first.first() {
            let more = and_more(exposure.world_writable.count, 1);
            let message = format!("everybody on the host may change {}{more}", first.display());
            self.add(
                subject,
                "world-writable",
                Level::Warning,
                pointer,
                message,
                "chmod o-w".to_owned(),
            );
        }
    }

    /// Secrets among variables and options.
    pub(super) fn words(&mut self, subject: Subject<'_>) {
        for (name, value) in &subject.command.environment_variables {
            if names_a_secret(name) && !value.is_empty() {
                let fix = "give the program a licence or a service that needs no secret, or run it as a service of its own";
                let pointer = self.variable(subject, name);
                self.secret_value(subject, &pointer, &format!("variable {name}"), fix);
            }
        }
        for option in &subject.command.append_options {
            let named = option
                .split_once('=')
                .filter(|(name, value)| names_a_secret(name) && !value.is_empty());
            if let Some((name, _)) = named {
                let fix = "keep it out of \"append-options\"";
                let pointer = subject.at("append-options");
                self.secret_value(subject, &pointer, &format!("option {name}"), fix);
            }
        }
    }

    fn secret_value(&mut self, subject: Subject<'_>, pointer: &str, what: &str, fix: &str) {
        self.add(
            subject,
            "secret-value",
            Level::Warning,
            pointer,
            format!("every user of the command can read the {what}"),
            fix.to_owned(),
        );
    }

    /// Where a variable stands: the configuration may have an object or an array.
    fn variable(&self, subject: Subject<'_>, name: &str) -> String {
        let escaped = escaped(name);
        subject.at(&format!("environment-variables/{escaped}"))
    }
}

/// A path as it is spelled, and where it leads.
fn shown(spelled: &Path, canonical: &PathBuf) -> String {
    if spelled == canonical {
        return spelled.display().to_string();
    }
    format!("{} (that is {})", spelled.display(), canonical.display())
}
