//! What this host can and can't do for containers, each with the remedy.

mod cgroups;
mod file_systems;
mod images;
mod kernel;
mod programs;
mod users;

use std::path::{Path, PathBuf};

use serde::Serialize;

/// How a host does in one respect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All is there.
    Ok,
    /// Some of what containers may ask for isn't.
    Limited,
    /// It isn't there.
    Missing,
}

/// What was found in one respect.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// The respect, in a few words.
    pub name: &'static str,
    /// How the host does.
    pub verdict: Verdict,
    /// Whether no container runs without it.
    pub essential: bool,
    /// What is there, and what that means.
    pub found: String,
    /// What to do; always there where the verdict isn't [`Verdict::Ok`].
    pub remedy: Option<String>,
}

/// What is asked about.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The directory for state.
    pub state: PathBuf,
    /// A directory whose file system containers get parts of.
    pub directory: PathBuf,
    /// The criu program.
    pub criu: PathBuf,
    /// `--policy`.
    pub policy: Option<String>,
}

type Check = fn(&Asked) -> Finding;

/// In the order in which they are printed.
const CHECKS: [Check; 20] = [
    kernel::version,
    kernel::namespaces,
    kernel::seccomp,
    kernel::security_modules,
    cgroups::hierarchies,
    cgroups::controllers,
    cgroups::systemd,
    users::privilege,
    users::user_namespaces,
    users::id_ranges,
    users::limits,
    file_systems::state_directory,
    file_systems::mapped_mounts,
    file_systems::overlay,
    images::images,
    images::older_images,
    file_systems::fuse,
    images::users_images,
    programs::criu,
    programs::policy,
];

/// What root can do so that users have user namespaces here, where they haven't.
pub fn remedy_for_user_namespaces() -> Option<String> {
    users::judge_user_namespaces().remedy
}

/// Looks at everything; changes nothing.
pub fn examine(asked: &Asked) -> Vec<Finding> {
    CHECKS.iter().map(|check| check(asked)).collect()
}

/// Whether containers run at all.
pub fn is_fit(findings: &[Finding]) -> bool {
    let missing = |one: &Finding| one.essential && one.verdict == Verdict::Missing;
    !findings.iter().any(missing)
}

impl Finding {
    fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            verdict: Verdict::Ok,
            essential: false,
            found: found.into(),
            remedy: None,
        }
    }

    fn limited(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Limited,
            remedy: Some(remedy.into()),
            ..Self::ok(name, found)
        }
    }

    fn missing(name: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Missing,
            ..Self::limited(name, found, remedy)
        }
    }

    fn essential(self) -> Self {
        Self {
            essential: true,
            ..self
        }
    }
}

/// A file of /proc or /sys, or nothing where it can't be read.
fn text(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// A program by its name in PATH, or by its path.
fn program(name: impl AsRef<Path>) -> Option<PathBuf> {
    let name = name.as_ref();
    if name.components().count() > 1 {
        return name.is_file().then(|| name.to_path_buf());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_finding_but_ok_has_a_remedy_and_every_name_is_its_own() {
        let asked = Asked {
            state: "/run/opt-runtime".into(),
            directory: "/".into(),
            criu: "criu".into(),
            policy: Some("off".into()),
        };
        let findings = examine(&asked);
        let names: HashSet<_> = findings.iter().map(|finding| finding.name).collect();
        assert_eq!(names.len(), CHECKS.len());
        for finding in &findings {
            let lacks = finding.verdict != Verdict::Ok;
            assert_eq!(finding.remedy.is_some(), lacks, "{finding:?}");
            assert!(!finding.found.is_empty(), "{finding:?}");
        }
    }

    #[test]
    fn only_what_is_essential_makes_a_host_unfit() {
        let missing = Finding::missing("x", "nothing", "get it");
        assert!(is_fit(std::slice::from_ref(&missing)));
        assert!(!is_fit(&[missing.essential()]));
        assert!(is_fit(&[Finding::limited("x", "some", "more").essential()]));
    }

    #[test]
    fn programs_are_found_by_name_and_by_path() {
        assert!(program("sh").is_some());
        assert!(program("/bin/sh").is_some());
        assert!(program("no-such-program").is_none());
        assert!(program("/no/such/program").is_none());
    }
}
