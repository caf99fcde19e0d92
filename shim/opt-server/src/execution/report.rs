//! What is told of an execution when it has ended. `docs/schema/report.schema.json` describes it.

use std::time::SystemTime;

use bundles::opt_server::config::Limits;
use chrono::{DateTime, SecondsFormat, Utc};
use nix::errno::Errno;
use nix::sys::signal::Signal;
use runtime::container::{Bound, Execution, Measured};
use serde::Serialize;

use super::{not_mounted, seconds};

/// The form of the report; it changes only when something in it means something else.
const VERSION: u32 = 1;

/// An execution before its end.
#[derive(Debug, Clone)]
pub struct Begun {
    /// Its id.
    pub id: String,
    /// The command's name.
    pub command: String,
    /// What the user typed after it.
    pub arguments: Vec<String>,
    /// The limits that hold.
    pub limits: Limits,
    /// When the program was called; a command that starts has its own start in the report.
    pub called: SystemTime,
}

/// An execution that has ended.
#[derive(Debug, Serialize)]
pub struct Report {
    version: u32,
    id: String,
    command: String,
    arguments: Vec<String>,
    started: String,
    ended: String,
    wall_seconds: f64,
    user_seconds: f64,
    system_seconds: f64,
    peak_memory_bytes: Option<u64>,
    exit_code: Option<u8>,
    signal: Option<String>,
    status: Status,
    limit: Option<&'static str>,
    limits: Limits,
    output_bytes: Option<u64>,
    output_truncated: bool,
    denied_calls: Vec<DeniedCall>,
    not_mounted: Vec<NotMounted>,
    message: Option<String>,
    from_pool: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Status {
    Ok,
    Failed,
    Signalled,
    Limit,
    NotStarted,
    Stopped,
}

#[derive(Debug, Serialize)]
struct DeniedCall {
    name: String,
    count: u64,
    errno: String,
    rule: String,
}

/// What the command looked for and the host has, but not the sandbox.
#[derive(Debug, Serialize)]
pub struct NotMounted {
    /// Where.
    pub path: String,
    /// The key of `config.json` that would admit it.
    pub key: &'static str,
    /// What to write there, and what that shows besides.
    pub hint: String,
}

impl Report {
    /// The report on a command that was never started.
    pub fn not_started(begun: Begun, message: String) -> Self {
        let now = SystemTime::now();
        Self {
            status: Status::NotStarted,
            message: Some(message),
            ended: time(now),
            ..Self::empty(begun)
        }
    }

    /// The report on one whose supervisor was killed: what it used, nobody has read.
    pub fn killed(mut begun: Begun, id: &str) -> Self {
        if begun.id.is_empty() {
            id.clone_into(&mut begun.id);
        }
        Self {
            status: Status::Stopped,
            signal: Some(name_of_signal(Signal::SIGKILL as i32)),
            message: Some("the execution's supervisor was killed".to_owned()),
            ended: time(SystemTime::now()),
            ..Self::empty(begun)
        }
    }

    /// The report on one that has ended.
    pub fn ended(begun: Begun, execution: &Execution) -> Self {
        let Some(measured) = &execution.measured else {
            return Self::not_started(begun, "the bundle has no command".to_owned());
        };
        let limits = begun.limits;
        let signal = execution.outcome.signal;
        let printed = measured.output;
        let refused = measured.refused.as_deref().unwrap_or_default();
        Self {
            started: time(measured.started),
            ended: time(measured.started + measured.wall),
            wall_seconds: seconds(measured.wall),
            user_seconds: seconds(measured.user),
            system_seconds: seconds(measured.system),
            peak_memory_bytes: measured.peak_memory,
            exit_code: signal.is_none().then_some(execution.outcome.code),
            signal: signal.map(name_of_signal),
            status: status(execution, measured),
            limit: measured.exceeded.map(Bound::name),
            output_bytes: printed.map(|printed| printed.bytes),
            output_truncated: printed.is_some_and(|printed| printed.is_truncated),
            denied_calls: refused
                .iter()
                .map(|refused| DeniedCall {
                    name: refused.refusal.name.clone(),
                    count: refused.count,
                    errno: format!("{:?}", Errno::from_raw(refused.errno.into())),
                    rule: refused.refusal.rule.clone(),
                })
                .collect(),
            not_mounted: match execution.outcome.code {
                0 => vec![],
                _ => not_mounted(&measured.looked, &begun.command),
            },
            message: measured.exceeded.map(|bound| exceeded(bound, &limits)),
            ..Self::empty(begun)
        }
    }

    fn empty(begun: Begun) -> Self {
        Self {
            version: VERSION,
            id: begun.id,
            command: begun.command,
            arguments: begun.arguments,
            started: time(begun.called),
            ended: time(begun.called),
            wall_seconds: 0.0,
            user_seconds: 0.0,
            system_seconds: 0.0,
            peak_memory_bytes: None,
            exit_code: None,
            signal: None,
            status: Status::NotStarted,
            limit: None,
            limits: begun.limits,
            output_bytes: None,
            output_truncated: false,
            denied_calls: vec![],
            not_mounted: vec![],
            message: None,
            from_pool: false,
        }
    }

    /// The same, of an execution in a sandbox that was ready beforehand.
    pub fn ran_ready(self) -> Self {
        Self {
            from_pool: true,
            ..self
        }
    }
}

fn status(execution: &Execution, measured: &Measured) -> Status {
    match execution.outcome {
        _ if measured.exceeded.is_some() => Status::Limit,
        _ if measured.is_stopped => Status::Stopped,
        outcome if outcome.signal.is_some() => Status::Signalled,
        outcome if outcome.code == 0 => Status::Ok,
        _ => Status::Failed,
    }
}

/// The limit that ended a command, for people.
pub fn exceeded(bound: Bound, limits: &Limits) -> String {
    let text = |what: &str, limit: Option<String>| match limit {
        Some(limit) => format!("the command was ended: {what} ({limit})"),
        None => format!("the command was ended: {what}"),
    };
    let number = |limit: Option<u64>, unit: &str| limit.map(|limit| format!("{limit} {unit}"));
    let time = |limit: Option<std::time::Duration>| limit.map(|limit| format!("{limit:?}"));
    match bound {
        Bound::Memory => text(
            "it needed more memory than it may have",
            number(limits.max_memory, "MB"),
        ),
        Bound::WallTime => text("its time is over", time(limits.wall_time())),
        Bound::CpuTime => text("its processor time is used up", time(limits.cpu_time())),
        Bound::Processes => text(
            "it has more processes than it may have",
            number(limits.max_processes, "processes and threads"),
        ),
        Bound::Output => text(
            "it printed more than it may",
            number(limits.max_output, "bytes"),
        ),
        Bound::FileSize => text(
            "it wrote a file larger than it may",
            number(limits.max_file_size, "bytes"),
        ),
        Bound::Scratch => text("its /tmp is full", number(limits.scratch_size, "bytes")),
    }
}

fn name_of_signal(number: i32) -> String {
    match Signal::try_from(number) {
        Ok(signal) => signal.as_str().to_owned(),
        Err(_) => format!("signal {number}"),
    }
}

fn time(time: SystemTime) -> String {
    DateTime::<Utc>::from(time).to_rfc3339_opts(SecondsFormat::Micros, true)
}

#[cfg(test)]
mod tests {
    use runtime::container::Outcome;
    use serde_json::Value;

    use super::*;

    const SCHEMA: &str = include_str!("../../../../docs/schema/report.schema.json");

    fn begun() -> Begun {
        Begun {
            id: "e-1".to_owned(),
            command: "solve".to_owned(),
            arguments: vec![],
            limits: Limits::default(),
            called: SystemTime::UNIX_EPOCH,
        }
    }

    fn execution(outcome: Outcome, exceeded: Option<Bound>, is_stopped: bool) -> Execution {
        let second = std::time::Duration::from_secs(1);
        Execution {
            outcome,
            measured: Some(Measured {
                started: SystemTime::UNIX_EPOCH,
                wall: second,
                user: second,
                system: second,
                peak_memory: None,
                exceeded,
                is_stopped,
                output: None,
                refused: None,
                looked: vec![],
            }),
        }
    }

    fn exited(code: u8) -> Outcome {
        Outcome {
            code,
            ..Outcome::default()
        }
    }

    fn keys(value: &Value) -> Vec<&str> {
        let mut keys: Vec<&str> = value
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        keys.sort_unstable();
        keys
    }

    #[test]
    fn the_schema_has_every_key_and_every_word() {
        let schema: Value = serde_json::from_str(SCHEMA).unwrap();
        let report = Report::not_started(begun(), "why".to_owned());
        let report = serde_json::to_value(report).unwrap();
        assert_eq!(keys(&report), keys(&schema["properties"]));
        let mut required: Vec<&str> = schema["required"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        required.sort_unstable();
        assert_eq!(required, keys(&report));
        let has = |key: &str, word: &Value| {
            schema["properties"][key]["enum"]
                .as_array()
                .unwrap()
                .contains(word)
        };
        for bound in [
            Bound::Memory,
            Bound::WallTime,
            Bound::CpuTime,
            Bound::Processes,
            Bound::Output,
            Bound::FileSize,
            Bound::Scratch,
        ] {
            let ended = Report::ended(begun(), &execution(exited(1), Some(bound), true));
            let ended = serde_json::to_value(ended).unwrap();
            assert!(has("limit", &ended["limit"]), "{ended}");
            assert_eq!(ended["status"], "limit");
        }
    }

    #[test]
    fn each_end_has_its_status() {
        let killed = Outcome {
            code: 137,
            signal: Some(9),
            ..Outcome::default()
        };
        for (outcome, is_stopped, status, code, signal) in [
            (exited(0), false, "ok", Some(0), None),
            (exited(137), false, "failed", Some(137), None),
            (killed, false, "signalled", None, Some("SIGKILL")),
            (killed, true, "stopped", None, Some("SIGKILL")),
            (exited(0), true, "stopped", Some(0), None),
        ] {
            let report = Report::ended(begun(), &execution(outcome, None, is_stopped));
            let report = serde_json::to_value(report).unwrap();
            assert_eq!(report["status"], status);
            assert_eq!(report["exit_code"], serde_json::json!(code));
            assert_eq!(report["signal"], serde_json::json!(signal));
            assert_eq!(report["ended"], "1970-01-01T00:00:01.000000Z");
        }
    }
}
