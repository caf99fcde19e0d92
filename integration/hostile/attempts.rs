//! What a hostile program tries. Each attempt is harmless where it succeeds.

mod devices;
mod families;
mod files;
mod host_calls;
mod identity;
mod kernel;
mod namespaces;
mod settings;

use std::io::Read;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{ForkResult, Pid, fork};
use serde_json::{Map, Value, json};

use crate::calls::{Attempt, call, call_32_bit, in_child};

/// A named attempt.
pub type Named = (String, Box<dyn Fn() -> Attempt>);

/// Makes the attempts of these groups, of all where none is named.
pub fn all(groups: &[&str]) -> Value {
    let mut outcomes = Map::new();
    for (group, attempts) in table() {
        if !groups.is_empty() && !groups.contains(&group) {
            continue;
        }
        for (name, attempt) in attempts {
            outcomes.insert(name, in_child(attempt).into());
        }
    }
    outcomes.into()
}

/// The names of all attempts, by family.
pub fn names() -> Value {
    let names =
        |attempts: Vec<Named>| -> Value { attempts.into_iter().map(|(name, _)| name).collect() };
    let families = table().into_iter();
    Value::Object(
        families
            .map(|(family, attempts)| (family.to_owned(), names(attempts)))
            .collect(),
    )
}

fn table() -> Vec<(&'static str, Vec<Named>)> {
    vec![
        ("mounts", namespaces::mounts()),
        ("namespaces", namespaces::namespaces()),
        ("tracing", kernel::tracing()),
        ("sockets", kernel::sockets()),
        ("kernel", kernel::kernel()),
        ("foreign", kernel::foreign()),
        ("files", files::files()),
        ("terminal", files::terminal()),
        ("mount kinds", families::mount_kinds()),
        ("socket families", families::socket_families()),
        ("interfaces", families::interfaces()),
        ("settings", settings::settings()),
        ("cgroups", settings::cgroups()),
        ("host", settings::host()),
        ("devices", devices::devices()),
        ("identity", identity::identity()),
        ("keyrings", identity::keyrings()),
        ("machine", host_calls::machine()),
        ("others", host_calls::others()),
        ("shares", host_calls::shares()),
        ("leftovers", host_calls::leftovers()),
        ("old calls", host_calls::old_calls()),
    ]
}

/// Turns a call's number of result into an attempt's outcome.
pub fn outcome(result: Result<usize, Errno>) -> Attempt {
    result.map(|value| value.to_string())
}

/// Makes an entry of the table.
pub fn named(name: impl Into<String>, attempt: impl Fn() -> Attempt + 'static) -> Named {
    (name.into(), Box::new(attempt))
}

/// Runs a program that has a set-id bit (a copy of this one) and gives the ids that it then has.
pub fn run_set_id_program(program: &str) -> Value {
    match Command::new(program).arg("ids").output() {
        Ok(output) => serde_json::from_slice(&output.stdout).unwrap_or(Value::Null),
        Err(error) => json!({ "error": error.to_string() }),
    }
}

/// Forks children that wait, until the kernel says no or there are `most`.
pub fn forks(most: usize) -> Value {
    let mut children = vec![];
    let mut refusal = String::new();
    while children.len() < most {
        // SAFETY: this program has one thread; the child only sleeps.
        match unsafe { fork() } {
            Ok(ForkResult::Child) => loop {
                nix::unistd::pause();
            },
            Ok(ForkResult::Parent { child }) => children.push(child),
            Err(errno) => {
                refusal = format!("{errno:?}");
                break;
            }
        }
    }
    for child in &children {
        let _ = kill(*child, Signal::SIGKILL);
        let _ = nix::sys::wait::waitpid(*child, None);
    }
    json!({ "children": children.len(), "refusal": refusal })
}

/// Asks whether a signal could be sent to `pid`.
pub fn signal(pid: i32) -> Value {
    let sent = kill(Pid::from_raw(pid), None);
    json!({ "signal": sent.map_or_else(|errno| format!("{errno:?}"), |()| "ok".to_owned()) })
}

/// Kills everything that it can, but not itself.
pub fn kill_everything() -> Value {
    let mut child = Command::new("/proc/self/exe")
        .arg("hold")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child");
    let mut ready = [0; 5];
    if let Some(output) = &mut child.stdout {
        output.read_exact(&mut ready).expect("the child is ready");
    }
    let sent = kill(Pid::from_raw(-1), Signal::SIGKILL);
    let ended = child.wait().map(|status| status.to_string());
    json!({
        "sent": sent.map_or_else(|errno| format!("{errno:?}"), |()| "ok".to_owned()),
        "child": ended.unwrap_or_default(),
    })
}

/// Makes a refused call so many times: how often it was refused.
pub fn refused(times: usize) -> usize {
    let made = (0..times).map(|_| call(libc::SYS_mount, &[0; 5]));
    made.filter(|outcome| *outcome == Err(Errno::EPERM)).count()
}

/// Makes calls by number, each in a child: `64:NUMBER:ARGUMENT…`, or `32:NUMBER:ARGUMENT` for one of the 32-bit
/// architecture with at most one argument.
pub fn calls(calls: &[&str]) -> Value {
    let made = calls.iter().map(|text| {
        let words: Vec<usize> = text
            .split(':')
            .filter_map(|word| word.parse().ok())
            .collect();
        let outcome = in_child(|| match words.as_slice() {
            [64, number, arguments @ ..] => {
                call(libc::c_long::try_from(*number).unwrap_or(-1), arguments)
                    .map(|value| value.to_string())
            }
            [32, number, arguments @ ..] => {
                let first = arguments.first().copied().unwrap_or(0);
                let number = u32::try_from(*number).unwrap_or(u32::MAX);
                let value = call_32_bit(number, u32::try_from(first).unwrap_or(0));
                match value {
                    -4095..=-1 => Err(Errno::from_raw(-value)),
                    value => Ok(value.to_string()),
                }
            }
            _ => Err(Errno::EINVAL),
        });
        ((*text).to_owned(), Value::from(outcome))
    });
    Value::Object(made.collect())
}
