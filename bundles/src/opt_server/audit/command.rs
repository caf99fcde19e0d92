//! Practice 1: no shells as commands. Practice 4: library files, not directories.

use super::programs::{Kind, recognise};
use super::{Auditor, Level, Subject};
use crate::exposure::{Exposure, and_more};
use crate::opt_server::config::MountDependencies;
use crate::opt_server::host_side::HostSide;

/// Directories that a message names.
const MOST_NAMED: usize = 3;

impl Auditor<'_> {
    /// What the executable itself is.
    pub(super) fn program(&mut self, subject: Subject<'_>) {
        let executable = &subject.command.executable;
        let Some(found) = recognise(executable) else {
            return self.script(subject);
        };
        let shown = format!("{} is {}{}", executable.display(), found.name, found.how);
        let remove = "make the solver itself the command, and remove this one";
        let (rule, level, message, fix) = match found.kind {
            Kind::Shell => (
                "shell-command",
                Level::Error,
                format!("{shown}: a shell"),
                remove,
            ),
            Kind::Runner => (
                "program-runner",
                Level::Error,
                format!("{shown}, which runs the program that its arguments name"),
                "make that program itself the command",
            ),
            Kind::Escape => (
                "shell-escape",
                Level::Warning,
                format!("{shown}, which can start a shell or another program"),
                remove,
            ),
            Kind::Language => (
                "interpreter",
                Level::Note,
                format!(
                    "{shown}, a programming language: its users run what they like, and the sandbox alone holds them"
                ),
                "see that no more is mounted than their programs need (opt-server explain)",
            ),
        };
        let pointer = subject.at("executable");
        self.add(subject, rule, level, &pointer, message, fix.to_owned());
    }

    fn script(&mut self, subject: Subject<'_>) {
        let executable = &subject.command.executable;
        let Ok(resolution) = self.resolver.resolve(executable) else {
            return;
        };
        let mut interpreters = resolution
            .files
            .iter()
            .filter(|file| file.role == crate::elf::Role::ScriptInterpreter)
            .filter_map(|file| Some((file, recognise(&file.path)?)));
        let Some((file, found)) = interpreters.find(|(_, found)| found.kind == Kind::Shell) else {
            return;
        };
        let message = format!(
            "{} is a script for {}{}, which is in the sandbox with it",
            executable.display(),
            file.path.display(),
            found.how
        );
        let fix = "make the program that the script starts the command, with \"environment-variables\" and \"append-options\" for what the script sets";
        let pointer = subject.at("executable");
        self.add(
            subject,
            "shell-script",
            Level::Warning,
            &pointer,
            message,
            fix.to_owned(),
        );
    }

    /// What comes with the executable, beyond what the configuration names.
    pub(super) fn brought_along(&mut self, subject: Subject<'_>, host_side: &HostSide) {
        if subject.command.mount_dependencies == MountDependencies::Files {
            return;
        }
        let named = &subject.command.mount_readable;
        let directories = host_side
            .readables
            .mounts
            .iter()
            .filter(|(path, readable)| {
                let is_named = named
                    .iter()
                    .any(|one| one == *path || one.canonicalize().is_ok_and(|one| one == **path));
                readable.is_directory && !is_named
            });
        let measured: Vec<(String, Exposure)> = directories
            .map(|(path, readable)| {
                let exposure = self.measure(&readable.source);
                (path.display().to_string(), exposure)
            })
            .collect();
        if measured.is_empty() {
            return;
        }
        let told: Vec<String> = measured
            .iter()
            .take(MOST_NAMED)
            .map(|(path, exposure)| format!("{path} ({} files)", exposure.files))
            .collect();
        let more = and_more(measured.len() as u64, told.len());
        let users: usize = self
            .config
            .extensions
            .user_groups
            .iter()
            .map(|group| group.users.len())
            .sum();
        let (level, who) = match users {
            0 | 1 => (
                Level::Note,
                "if you are not its only user, that is more than they need".to_owned(),
            ),
            users => (Level::Warning, format!("{users} users share it")),
        };
        let told = told.join(", ");
        let message = format!("its libraries' directories are readable whole: {told}{more}; {who}");
        let fix =
            "\"mount-dependencies\": \"FILES\"; opt-server explain --diff FILES shows what goes";
        let key = if self.config.lines.has(&subject.at("mount-dependencies")) {
            "mount-dependencies"
        } else {
            "executable"
        };
        self.add(
            subject,
            "dependency-directories",
            level,
            &subject.at(key),
            message,
            fix.to_owned(),
        );
        for (_, exposure) in &measured {
            self.secrets(
                subject,
                &subject.at(key),
                exposure,
                "\"mount-dependencies\": \"FILES\"",
            );
        }
    }
}
