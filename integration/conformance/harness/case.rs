//! One case: a bundle, what is done with it, and what must come of it.

use std::fmt;

use integration::{Outcome, Runtime};
use serde_json::{Value, json};

use super::{Check, MountLine, Stage, ensure, ensure_eq};

/// What is done on a stage, and how it went.
type Trial = Box<dyn Fn(&Stage) -> Check>;

/// What is made of a stage before the runtime runs.
type Preparation = Box<dyn Fn(&Stage)>;

/// How what a run gave is judged.
type Judgement = Box<dyn Fn(&Stage, &Outcome) -> Check>;

/// One case. Its trial must pass under every runtime but for those that the case says differ.
pub struct Case {
    /// What it says, as a sentence.
    pub name: &'static str,
    preparations: Vec<Preparation>,
    checks: Vec<Judgement>,
    /// The code that the run must end with, where the case says so.
    code: Option<i32>,
    trial: Option<Trial>,
    /// Why we differ, and what is true of ours instead.
    pub(super) ours_instead: Option<(&'static str, Box<Case>)>,
    /// The peers that fail, and why.
    pub(super) failing_peers: Vec<(Runtime, &'static str)>,
    /// Why nothing is compared with peers.
    pub(super) has_no_controls: Option<&'static str>,
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Case {
    /// A case of this name; by itself it runs a command that ends with 0. One that looks at the outcome in its own
    /// way ([`Self::check`]) says itself how the run must end.
    pub fn new(name: &'static str) -> Self {
        Self {
            name,
            preparations: vec![],
            checks: vec![],
            code: None,
            trial: None,
            ours_instead: None,
            failing_peers: vec![],
            has_no_controls: None,
        }
    }

    /// A case whose steps are its own.
    pub fn steps(name: &'static str, trial: impl Fn(&Stage) -> Check + 'static) -> Self {
        Self {
            trial: Some(Box::new(trial)),
            ..Self::new(name)
        }
    }

    /// Likewise, with a container that runs and stays.
    pub fn running(name: &'static str, trial: impl Fn(&Stage) -> Check + 'static) -> Self {
        Self::steps(name, move |stage| {
            stage.edit(|spec| spec["process"]["args"] = json!(["sleep", "100"]));
            stage.create()?;
            stage.start()?;
            trial(stage)
        })
    }

    /// Makes what the case needs, before the runtime runs.
    pub fn prepare(mut self, prepare: impl Fn(&Stage) + 'static) -> Self {
        self.preparations.push(Box::new(prepare));
        self
    }

    /// Changes the bundle's `config.json`.
    pub fn spec(self, edit: impl Fn(&mut Value) + 'static) -> Self {
        self.prepare(move |stage| stage.edit(&edit))
    }

    /// The container's command: a script for busybox's shell, in which every applet is built in.
    pub fn script(self, script: &'static str) -> Self {
        self.spec(move |spec| spec["process"]["args"] = json!(["sh", "-c", script]))
    }

    /// Adds a mount.
    pub fn mount(
        self,
        destination: &'static str,
        kind: &'static str,
        options: &'static [&'static str],
    ) -> Self {
        self.prepare(move |stage| stage.add_mount(destination, kind, kind, options))
    }

    /// Adds a bind mount of the stage's own directory: see [`Stage::source`].
    pub fn bind(self, destination: &'static str, options: &'static [&'static str]) -> Self {
        self.prepare(move |stage| {
            let source = stage.source().display().to_string();
            let options = [&["bind"], options].concat();
            stage.add_mount(destination, "bind", &source, &options);
        })
    }

    /// Checks the outcome of `run`.
    pub fn check(mut self, check: impl Fn(&Stage, &Outcome) -> Check + 'static) -> Self {
        self.checks.push(Box::new(check));
        self
    }

    /// The command prints this, but for white space at both ends, and ends with 0, or as [`Self::exits`] says.
    pub fn prints(mut self, text: &'static str) -> Self {
        self.code.get_or_insert(0);
        self.check(move |_, outcome| {
            ensure!(outcome.stdout.trim() == text, "not \"{text}\": {outcome}");
            Ok(())
        })
    }

    /// The run ends with this code.
    pub fn exits(mut self, code: i32) -> Self {
        self.code = Some(code);
        self
    }

    /// The runtime refuses the bundle, and the command never runs. Ours says `why` in its one line.
    pub fn refused(self, why: &'static str) -> Self {
        self.script("echo the command ran")
            .check(move |stage, outcome| {
                ensure!(
                    outcome.code != Some(0) && !outcome.stdout.contains("the command ran"),
                    "it is not refused: {outcome}"
                );
                if stage.runtime == Runtime::Ours {
                    ensure_eq!(outcome.code, Some(125), "exit code: {outcome}");
                    ensure!(
                        outcome.stderr.lines().count() == 1 && outcome.stderr.contains(why),
                        "not one line with \"{why}\": {outcome}"
                    );
                }
                Ok(())
            })
    }

    /// The container's mount on `destination` has these options (of the mount, of the file system, or of
    /// its propagation), and doesn't have those that begin with an exclamation mark.
    pub fn has_mount(
        mut self,
        destination: &'static str,
        options: &'static [&'static str],
    ) -> Self {
        self.code.get_or_insert(0);
        self.script("cat /proc/self/mountinfo")
            .check(move |_, outcome| {
                let mount = MountLine::at(&outcome.stdout, destination)
                    .ok_or_else(|| format!("no mount on {destination}: {outcome}"))?;
                for option in options {
                    let (option, wanted) = match option.strip_prefix('!') {
                        Some(option) => (option, false),
                        None => (*option, true),
                    };
                    let is = if wanted { "lacks" } else { "has" };
                    ensure!(mount.has(option) == wanted, "it {is} {option}: {mount:?}");
                }
                Ok(())
            })
    }

    /// On purpose it isn't so with us: why, and the case that is true of us instead.
    pub fn but_ours(mut self, reason: &'static str, instead: Case) -> Self {
        self.ours_instead = Some((reason, Box::new(instead)));
        self
    }

    /// runc fails it, as of the version that this was measured with.
    pub fn but_runc(mut self, why: &'static str) -> Self {
        self.failing_peers.push((Runtime::Runc, why));
        self
    }

    /// crun fails it, as of the version that this was measured with.
    pub fn but_crun(mut self, why: &'static str) -> Self {
        self.failing_peers.push((Runtime::Crun, why));
        self
    }

    /// Likewise, where `condition` holds, which is about the host.
    pub fn but_runc_if(self, condition: bool, why: &'static str) -> Self {
        match condition {
            true => self.but_runc(why),
            false => self,
        }
    }

    /// Likewise of crun.
    pub fn but_crun_if(self, condition: bool, why: &'static str) -> Self {
        match condition {
            true => self.but_crun(why),
            false => self,
        }
    }

    /// What peers do varies with the host, so nothing is compared with them: why.
    pub fn without_controls(mut self, why: &'static str) -> Self {
        self.has_no_controls = Some(why);
        self
    }

    /// Whether peers are tried as well.
    pub(super) fn has_controls(&self) -> bool {
        self.has_no_controls.is_none()
    }

    /// Tries it on `stage`.
    pub(super) fn try_on(&self, stage: &Stage) -> Check {
        for prepare in &self.preparations {
            prepare(stage);
        }
        if let Some(trial) = &self.trial {
            return trial(stage);
        }
        let outcome = stage.run();
        for check in &self.checks {
            check(stage, &outcome)?;
        }
        let wanted = self.code.or(self.checks.is_empty().then_some(0));
        if let Some(code) = wanted {
            ensure_eq!(outcome.code, Some(code), "exit code: {outcome}");
        }
        Ok(())
    }
}
