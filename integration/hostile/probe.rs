//! A hostile program: run inside a sandbox, it tells what it sees there and what its attempts gave.
//!
//! `look` prints what it sees as JSON. `try [FAMILY…]` makes attempts and prints how each ended:
//! `"ok"` with what came of it, an errno's name, or the signal that ended it. The other words are parts of
//! tests with two processes.

mod attempts;
mod calls;
mod facts;
mod lurk;
mod meeting;

use std::process::ExitCode;

use serde_json::{Value, json};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["look", ..] => print(&facts::all()),
        ["try", groups @ ..] => print(&attempts::all(groups)),
        ["names"] => print(&attempts::names()),
        ["calls", calls @ ..] => print(&attempts::calls(calls)),
        ["refused", times] => println!("{}", attempts::refused(times.parse().unwrap_or(0))),
        ["run", program] => print(&json!({ "ran": attempts::run_set_id_program(program) })),
        ["ids"] => print(&facts::ids()),
        ["count"] => println!("{}", words.len() + std::env::vars_os().count()),
        ["forks", most] => print(&attempts::forks(most.parse().unwrap_or(0))),
        ["signal", pid] => print(&attempts::signal(pid.parse().unwrap_or(0))),
        ["kill-all"] => print(&attempts::kill_everything()),
        ["hold"] => meeting::hold(),
        ["meet"] => print(&meeting::meet()),
        ["lurk"] => print(&lurk::lurk()),
        ["fault"] => calls::fault(),
        ["abort"] => std::process::abort(),
        ["catch"] => calls::catch_signals(),
        ["fill", megabytes] => calls::fill(megabytes.parse().unwrap_or(0)),
        _ => {
            eprintln!("probe: no such word: {words:?}");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

fn print(value: &Value) {
    println!("{value:#}");
}
