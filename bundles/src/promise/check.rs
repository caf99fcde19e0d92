//! Checking a spec or a created process against the whole promise.

use oci_spec::runtime::Spec;
use serde::Serialize;

use super::{Kind, Observed, PROTECTIONS, exceptions};

/// The outcome for one protection.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The protection's name.
    pub protection: &'static str,
    /// The seed and its rule.
    pub reason: &'static str,
    /// What is broken, one sentence each; empty where the protection is kept.
    pub broken: Vec<String>,
    /// The exceptions to it that the bundle asks for.
    pub exceptions: Vec<String>,
}

/// The outcome for every protection, in the table's order.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The promise checked against.
    pub kind: &'static str,
    /// One row for each of [`PROTECTIONS`].
    pub rows: Vec<Row>,
}

impl Report {
    fn new(spec: &Spec, kind: Kind, broken: impl Fn(&super::Protection) -> Vec<String>) -> Self {
        let asked = exceptions::known(spec);
        let exceptions_to = |name| {
            let to_it = asked
                .iter()
                .filter(|exception| exception.protection() == name);
            to_it.map(ToString::to_string).collect()
        };
        let rows = PROTECTIONS
            .iter()
            .map(|protection| Row {
                protection: protection.name,
                reason: protection.reason,
                broken: broken(protection),
                exceptions: exceptions_to(protection.name),
            })
            .collect();
        Self {
            kind: kind.as_str(),
            rows,
        }
    }

    /// Whether every protection is kept.
    pub fn is_kept(&self) -> bool {
        self.broken().next().is_none()
    }

    /// The broken rows.
    pub fn broken(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| !row.broken.is_empty())
    }

    /// Every finding on one line, each behind its protection's name, for an error message.
    pub fn summary(&self) -> String {
        let rows: Vec<String> = self
            .broken()
            .map(|row| format!("{}: {}", row.protection, row.broken.join(", ")))
            .collect();
        rows.join("; ")
    }
}

/// Checks `spec` alone, before anything runs.
pub fn check(spec: &Spec, kind: Kind) -> Report {
    Report::new(spec, kind, |protection| (protection.in_config)(spec, kind))
}

/// Compares a created process with what `spec` promises.
pub fn compare(observed: &Observed, spec: &Spec, kind: Kind) -> Report {
    Report::new(spec, kind, |protection| {
        (protection.on_process)(observed, spec, kind)
    })
}
