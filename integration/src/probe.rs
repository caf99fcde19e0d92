//! The program in `hostile/` as tests use it, and what it printed.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::{Bench, Outcome, binaries, program};

/// A copy of the probe on a bench, as an Opt-Server's command.
#[derive(Debug)]
pub struct Probe {
    /// The copy on the host.
    pub program: PathBuf,
}

impl Probe {
    /// Copies the probe onto the bench.
    pub fn on(bench: &Bench) -> Self {
        let program = bench.directory("bin").join("probe");
        program::copy([binaries::probe_path()], &program);
        Self { program }
    }

    /// The Opt-Server's command `probe`.
    pub fn command(&self) -> Value {
        json!({ "name": "probe", "executable": self.program })
    }

    /// Likewise, with `path` readable inside.
    pub fn command_with(&self, path: &Path) -> Value {
        let mut command = self.command();
        command["mount-readable"] = json!([path]);
        command
    }

    /// What a run of the probe printed.
    #[track_caller]
    pub fn report(outcome: &Outcome) -> Value {
        assert_eq!(outcome.code, Some(0), "{outcome}");
        serde_json::from_str(&outcome.stdout)
            .unwrap_or_else(|error| panic!("the probe printed no JSON: {error}: {outcome}"))
    }
}
