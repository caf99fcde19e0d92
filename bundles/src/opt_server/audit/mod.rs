//! A configuration against the published best practices of the Opt-Server, and what follows from them.
//!
//! Each finding names the practice by its number, the line in `config.json`, and what to write instead. A
//! [`Level::Note`] is worth knowing, a [`Level::Warning`] worth changing, and an [`Level::Error`] gives users
//! what the practice says they should not have.

mod command;
mod extensions;
mod paths;
mod programs;
mod restricted;
mod rules;
mod sarif;
mod sensitive;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

pub use rules::{RULES, Rule};

use super::config::{Command, Config, Limits};
use super::host_side::HostSide;
use super::{Identity, Request};
use crate::elf::Resolver;
use crate::exposure::{Bounds, Exposure};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Worth knowing.
    Note,
    /// Worth changing.
    Warning,
    /// Against the practice.
    Error,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Which rule.
    pub rule: &'static str,
    /// The practice that it is of or follows from; 0 is that every command runs in a sandbox.
    pub practice: u8,
    /// How much it matters.
    pub level: Level,
    /// The command's name, where it is about one.
    pub command: Option<String>,
    /// The `config.json`.
    pub file: PathBuf,
    /// From 1.
    pub line: usize,
    /// What is the matter.
    pub message: String,
    /// What would be right.
    pub fix: String,
}

/// As compilers write: `config.json:7: error: …`, and the fix on a line of its own.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rule,
            practice,
            level,
            line,
            message,
            fix,
            ..
        } = self;
        write!(f, "{}:{line}: {level}: ", self.file.display())?;
        if let Some(command) = &self.command {
            write!(f, "command {command:?}: ")?;
        }
        write!(f, "{message} (rule {practice}, {rule})\n  fix: {fix}")
    }
}

/// Everything that was found, in the file's order.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Audit {
    /// The findings.
    pub findings: Vec<Finding>,
}

impl Audit {
    /// Looks at `config`, and at the host as far as it names it.
    pub fn of(config: &Config, resolver: &Resolver, bounds: Bounds) -> Self {
        let mut auditor = Auditor {
            config,
            resolver,
            bounds,
            measured: HashMap::new(),
            findings: vec![],
        };
        for (index, command) in config.commands.iter().enumerate() {
            auditor.command(index, command);
        }
        let mut findings = auditor.findings;
        findings.sort_by(|one, other| (one.line, other.level).cmp(&(other.line, one.level)));
        Self { findings }
    }

    /// Whether anything was found that matters as much as `level`.
    pub fn reaches(&self, level: Level) -> bool {
        self.findings.iter().any(|finding| finding.level >= level)
    }

    /// As SARIF 2.1.0, which code hosts and editors read.
    pub fn sarif(&self) -> serde_json::Value {
        sarif::log(self)
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings {
            writeln!(f, "{finding}")?;
        }
        let count = |level| {
            self.findings
                .iter()
                .filter(|one| one.level == level)
                .count()
        };
        let [errors, warnings, notes] = [Level::Error, Level::Warning, Level::Note].map(count);
        writeln!(f, "{errors} errors, {warnings} warnings, {notes} notes")
    }
}

struct Auditor<'a> {
    config: &'a Config,
    resolver: &'a Resolver,
    bounds: Bounds,
    /// Many commands share their libraries' directories.
    measured: HashMap<PathBuf, Exposure>,
    findings: Vec<Finding>,
}

/// A command that is looked at.
#[derive(Clone, Copy)]
struct Subject<'a> {
    command: &'a Command,
    index: usize,
}

impl Subject<'_> {
    /// The JSON pointer to one of its keys.
    fn at(self, key: &str) -> String {
        format!("/commands/{}/{key}", self.index)
    }
}

impl<'a> Auditor<'a> {
    fn command(&mut self, index: usize, command: &'a Command) {
        let subject = Subject { command, index };
        self.program(subject);
        self.restricted_mode(subject);
        self.named_paths(subject);
        self.words(subject);
        self.extensions(subject);
        match HostSide::plan(&self.request(command), self.resolver) {
            Ok(host_side) => self.brought_along(subject, &host_side),
            Err(error) => {
                // Its own place is in the message.
                let text = error.to_string();
                let reason = text.split_once("\": ").map_or(&*text, |(_, reason)| reason);
                self.add(
                    subject,
                    "not-examined",
                    Level::Warning,
                    &subject.at("executable"),
                    format!("what it would bring along can't be found out: {reason}"),
                    "install it, or correct its entry".to_owned(),
                );
            }
        }
    }

    fn measure(&mut self, path: &Path) -> Exposure {
        if let Some(known) = self.measured.get(path) {
            return known.clone();
        }
        let exposure = Exposure::measure(path, &mut self.bounds);
        self.measured.insert(path.to_owned(), exposure.clone());
        exposure
    }

    fn request(&self, command: &'a Command) -> Request<'a> {
        Request {
            config: self.config,
            command,
            arguments: &[],
            project: PathBuf::new(),
            identity: Identity::own(0, 0, 0),
            limits: Limits::default(),
        }
    }

    fn add(
        &mut self,
        subject: Subject<'_>,
        rule: &str,
        level: Level,
        pointer: &str,
        message: String,
        fix: String,
    ) {
        let rule = Rule::named(rule);
        self.findings.push(Finding {
            rule: rule.id,
            practice: rule.practice,
            level,
            command: Some(subject.command.name.clone()),
            file: self.config.path.clone(),
            line: self.config.lines.line(pointer),
            message,
            fix,
        });
    }
}

/// The last part of a path.
fn base_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}
