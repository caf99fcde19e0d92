//! One execution as the server remembers it, from its creation until it is deleted or expires.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use runtime::container::ProcessId;
use serde::{Deserialize, Serialize};

use super::functions::{Function, Limits, Name, Output};
use super::queue::Job;

/// Where an execution stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Inputs can be uploaded.
    Created,
    /// It waits for its turn.
    Queued,
    /// Its sandbox is being made, or its command runs.
    Running,
    /// Its command ended by itself or by a limit, or could not be run.
    Ended,
    /// It was stopped, or ended when it was asked to.
    Stopped,
    /// Nothing is known of its end: the machine or its process was ended from outside.
    Lost,
}

impl State {
    /// As the API spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Ended => "ended",
            Self::Stopped => "stopped",
            Self::Lost => "lost",
        }
    }

    /// What the published clients know: they poll as long as it says `running`, and stop at `ended`.
    pub fn as_status(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Queued | Self::Running => "running",
            Self::Ended | Self::Stopped | Self::Lost => "ended",
        }
    }

    /// Whether nothing more comes.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Ended | Self::Stopped | Self::Lost)
    }
}

/// What is executed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    /// A function, as it was defined when the execution was created.
    Function {
        /// Its name.
        name: Name,
        /// Its definition.
        definition: Box<Function>,
    },
    /// A command line on a project of the caller's.
    Command {
        /// The command.
        name: String,
        /// Its arguments.
        arguments: Vec<String>,
    },
}

impl Work {
    /// For people and logs: `function tsp`.
    pub fn title(&self) -> String {
        match self {
            Self::Function { name, .. } => format!("function {name}"),
            Self::Command { name, .. } => format!("command {name}"),
        }
    }

    /// The command of `config.json` and its arguments.
    pub fn command_line(&self) -> (&str, &[String]) {
        match self {
            Self::Function { definition, .. } => (&definition.command, &definition.arguments),
            Self::Command { name, arguments } => (name, arguments),
        }
    }

    /// Whether it is the function `name`.
    pub fn is_function(&self, name: &str) -> bool {
        matches!(self, Self::Function { name: own, .. } if own.as_str() == name)
    }
}

/// Whose an execution is.
#[derive(Debug, Clone, Copy)]
pub struct Owner<'a> {
    /// The id of the key.
    pub key: &'a str,
    /// Its name.
    pub name: &'a str,
    /// The user whose key it is.
    pub user: &'a str,
}

/// One execution.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Execution {
    /// Its id: 32 letters and digits that can't be guessed.
    pub id: String,
    /// The id of the key that created it.
    pub owner: String,
    /// That key's name then, for people.
    pub owner_name: String,
    /// The user whose key that is; nothing in records from before there were any.
    #[serde(default)]
    pub user: String,
    /// What it executes.
    pub work: Work,
    /// Limits that the server sets; the command's own in `config.json` hold besides.
    pub limits: Limits,
    /// Where it stands.
    pub state: State,
    /// Milliseconds since 1970.
    pub created: u64,
    /// When it was started, that is, put into the queue.
    pub queued: Option<u64>,
    /// When its process was.
    pub started: Option<u64>,
    /// When it ended.
    pub ended: Option<u64>,
    /// The process that runs it, `opt-server run`.
    pub process: Option<ProcessId>,
    /// The boot of the machine in which it runs: pids of another one mean nothing.
    pub boot: String,
    /// Whether it was asked to end.
    pub is_stopping: bool,
    /// Whether its owner has forgotten it; it vanishes when its process has ended.
    pub is_deleted: bool,
    /// Inputs that were uploaded, with their sizes in bytes.
    pub inputs: BTreeMap<String, u64>,
    /// Files that it made, once it has ended.
    pub outputs: Vec<Output>,
    /// The exit code of `opt-server run`, which is the command's.
    pub exit_code: Option<i32>,
    /// What went wrong, where something did.
    pub message: Option<String>,
}

impl Execution {
    /// A new one.
    pub fn new(id: String, owner: Owner<'_>, work: Work, limits: Limits) -> Self {
        Self {
            id,
            owner: owner.key.to_owned(),
            owner_name: owner.name.to_owned(),
            user: owner.user.to_owned(),
            work,
            limits,
            state: State::Created,
            created: now(),
            queued: None,
            started: None,
            ended: None,
            process: None,
            boot: String::new(),
            is_stopping: false,
            is_deleted: false,
            inputs: BTreeMap::new(),
            outputs: vec![],
            exit_code: None,
            message: None,
        }
    }

    /// The user whose key created it.
    pub fn user(&self) -> &str {
        if self.user.is_empty() {
            &self.owner_name
        } else {
            &self.user
        }
    }

    /// What the queue knows of it.
    pub fn job(&self) -> Job {
        Job {
            id: self.id.clone(),
            owner: self.owner.clone(),
            user: self.user().to_owned(),
            command: self.work.command_line().0.to_owned(),
        }
    }
}

/// Milliseconds since 1970.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}

/// The paths of one execution's files. All but the project are the server's alone.
#[derive(Debug, Clone)]
pub struct Place(PathBuf);

impl Place {
    /// That of the execution `id`.
    pub fn of(executions: &Path, id: &str) -> Self {
        Self(executions.join(id))
    }

    /// The directory that holds all of it.
    pub fn directory(&self) -> &Path {
        &self.0
    }

    /// The project directory, the only place that the command can write.
    pub fn project(&self) -> PathBuf {
        self.0.join("project")
    }

    /// What the command of a function printed, and standard output of a command line.
    pub fn stdout(&self) -> PathBuf {
        self.0.join("stdout")
    }

    /// Standard error of a command line.
    pub fn stderr(&self) -> PathBuf {
        self.0.join("stderr")
    }

    /// The report of `opt-server run`.
    pub fn report(&self) -> PathBuf {
        self.0.join("report.json")
    }

    /// The project's files as they were before the command began.
    pub fn manifest(&self) -> PathBuf {
        self.0.join("manifest.json")
    }

    /// How much of the output each kind of poll has brought.
    pub fn cursors(&self) -> PathBuf {
        self.0.join("cursors.json")
    }

    /// Where an upload grows until it is whole.
    pub fn upload(&self) -> PathBuf {
        self.0.join("upload")
    }
}
