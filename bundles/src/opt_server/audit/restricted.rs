//! Practice 5: programs that can hinder their users by themselves.

use super::programs::without_version;
use super::{Auditor, Level, Subject, base_name};
use crate::opt_server::config::Command;

/// A program with a restricted mode that a configuration can enforce. Options that must come before the user's
/// own arguments (`python3 -I`, `julia --startup-file=no`, `octave --norc`) can't be appended: where a variable
/// does the same it is asked for, and where a program only reads more from a home, HOME is /tmp and empty.
struct Mode {
    programs: &'static [&'static str],
    level: Level,
    is_on: fn(&Command) -> bool,
    message: &'static str,
    fix: &'static str,
}

static MODES: [Mode; 5] = [
    Mode {
        programs: &["gams"],
        level: Level::Warning,
        is_on: |command| gams_levels(command).filter(|level| *level >= 2).count() >= 2,
        message: "GAMS lets models run programs below execMode=2, and one appended option can be swallowed as the value of an unfinished one before it",
        fix: "\"append-options\": \"execMode=4 execMode=4\"",
    },
    Mode {
        programs: &["python", "pypy"],
        level: Level::Note,
        is_on: |command| {
            has_variable(command, "PYTHONSAFEPATH") && has_variable(command, "PYTHONNOUSERSITE")
        },
        message: "Python takes modules from the script's directory and the user's home before its own; -I can't be appended, but variables do the same",
        fix: "\"environment-variables\": { \"PYTHONSAFEPATH\": \"1\", \"PYTHONNOUSERSITE\": \"1\" }",
    },
    Mode {
        programs: &["R", "Rscript"],
        level: Level::Note,
        is_on: |command| {
            let variables = ["R_PROFILE_USER", "R_ENVIRON_USER"];
            let is_vanilla =
                base_name(&command.executable) == "R" && has_word(command, "--vanilla");
            is_vanilla || variables.iter().all(|name| has_variable(command, name))
        },
        message: "R runs the .Rprofile and .Renviron of the project before the script",
        fix: "\"environment-variables\": { \"R_PROFILE_USER\": \"/dev/null\", \"R_ENVIRON_USER\": \"/dev/null\" }, or for R itself \"append-options\": \"--vanilla\"",
    },
    Mode {
        programs: &["mosel"],
        level: Level::Warning,
        is_on: |command| {
            let mut variables = command.environment_variables.iter();
            variables.any(|(name, value)| name == "MOSEL_RESTR" && value.contains("NoExec"))
        },
        message: "Mosel lets models run programs and reach files outside of their directory",
        fix: "\"environment-variables\": { \"MOSEL_RESTR\": \"NoExecWDOnly\" }",
    },
    Mode {
        programs: &["less", "more"],
        level: Level::Warning,
        is_on: |command| has_variable(command, "LESSSECURE"),
        message: "less starts shells and editors",
        fix: "\"environment-variables\": { \"LESSSECURE\": \"1\" }",
    },
];

/// The levels of `execMode` that are appended, at the end of everything.
fn gams_levels(command: &Command) -> impl Iterator<Item = u32> + '_ {
    command.append_options.iter().rev().map_while(|word| {
        let (name, value) = word.split_once('=')?;
        let is_it = name
            .trim_start_matches('-')
            .eq_ignore_ascii_case("execMode");
        is_it.then(|| value.parse().ok())?
    })
}

fn has_variable(command: &Command, name: &str) -> bool {
    let mut variables = command.environment_variables.iter();
    variables.any(|(other, value)| other == name && !value.is_empty())
}

fn has_word(command: &Command, word: &str) -> bool {
    command.append_options.iter().any(|one| one == word)
}

impl Auditor<'_> {
    pub(super) fn restricted_mode(&mut self, subject: Subject<'_>) {
        let command = subject.command;
        let spelled = base_name(&command.executable);
        let real = command
            .executable
            .canonicalize()
            .map(|path| base_name(&path))
            .unwrap_or_default();
        let is_it = |mode: &&Mode| {
            let mut names = [
                &*spelled,
                without_version(&spelled),
                &*real,
                without_version(&real),
            ]
            .into_iter();
            names.any(|name| mode.programs.contains(&name))
        };
        let Some(mode) = MODES
            .iter()
            .find(is_it)
            .filter(|mode| !(mode.is_on)(command))
        else {
            return;
        };
        let lines = &self.config.lines;
        let key = ["append-options", "environment-variables"]
            .into_iter()
            .find(|key| mode.fix.contains(key) && lines.has(&subject.at(key)))
            .unwrap_or("executable");
        let (message, fix) = (mode.message.to_owned(), mode.fix.to_owned());
        self.add(
            subject,
            "restricted-mode",
            mode.level,
            &subject.at(key),
            message,
            fix,
        );
    }
}
