//! Checking a spec or a created process against the whole promise.

use oci_spec::runtime::Spec;
use serde::Serialize;

use super::{Kind, Observed, PROTECTIONS};

/// The outcome for one protection.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// The protection's name.
    pub protection: &'static str,
    /// The seed and its rule.
    pub reason: &'static str,
    /// What is broken, one sentence each; empty where the protection is kept.
    pub broken: Vec<String>,
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
    fn new(kind: Kind, broken: impl Fn(&super::Protection) -> Vec<String>) -> Self {
        let rows = PROTECTIONS
            .iter()
            .map(|protection| Row {
                protection: protection.name,
                reason: protection.reason,
                broken: broken(protection),
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
    Report::new(kind, |protection| (protection.in_config)(spec, kind))
}

/// Compares a created process with what `spec` promises.
pub fn compare(observed: &Observed, spec: &Spec, kind: Kind) -> Report {
    Report::new(kind, |protection| {
        (protection.on_process)(observed, spec, kind)
    })
}
