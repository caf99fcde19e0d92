//! A bundle on disk whose `config.json` tests edit.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::{Bench, Tool};

/// The annotation by which a bundle says which promise it makes.
pub const KIND_ANNOTATION: &str = "org.opt-runtime.sealed";

/// A bundle on disk.
#[derive(Debug, Clone)]
pub struct Bundle {
    /// Its directory.
    pub directory: PathBuf,
    /// The project directory on the host, where it has one.
    pub project: PathBuf,
}

impl Bundle {
    /// The bundle in `directory`.
    pub fn at(directory: PathBuf, project: &Path) -> Self {
        Self {
            directory,
            project: project.to_path_buf(),
        }
    }

    fn config(&self) -> PathBuf {
        self.directory.join("config.json")
    }

    /// Its `config.json`.
    pub fn spec(&self) -> Value {
        let text = fs::read(self.config()).expect("read config.json");
        serde_json::from_slice(&text).expect("config.json is JSON")
    }

    /// Replaces its `config.json`.
    pub fn set_spec(&self, spec: &Value) -> &Self {
        fs::write(self.config(), spec.to_string()).expect("write config.json");
        self
    }

    /// Changes its `config.json`.
    pub fn edit(&self, change: impl FnOnce(&mut Value)) -> &Self {
        let mut spec = self.spec();
        change(&mut spec);
        self.set_spec(&spec)
    }

    /// Takes the promise away: the bundle then runs as OCI says.
    pub fn without_promise(&self) -> &Self {
        self.edit(|spec| {
            let annotations = spec["annotations"].as_object_mut().expect("annotations");
            annotations.remove(KIND_ANNOTATION).expect("a promise");
        })
    }

    /// Its root file system.
    pub fn rootfs(&self) -> PathBuf {
        self.directory.join("rootfs")
    }

    /// `opt-runtime run BUNDLE`.
    pub fn run(&self, bench: &Bench) -> Tool {
        bench.runtime().arg("run").arg(&self.directory)
    }

    /// `opt-runtime create --bundle BUNDLE ID`.
    pub fn create(&self, bench: &Bench, id: &str) -> Tool {
        // What a created container prints goes where `create` prints; nobody waits for that here.
        let mut tool = bench.runtime().args(["create", "--bundle"]);
        tool = tool.arg(&self.directory).arg(id);
        tool
    }

    /// `opt-runtime check --json BUNDLE`.
    pub fn check(&self, bench: &Bench) -> Tool {
        bench
            .runtime()
            .args(["check", "--json"])
            .arg(&self.directory)
    }
}
