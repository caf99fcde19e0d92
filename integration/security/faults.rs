//! Each system call of a command of ours failed, and the process killed there: afterwards `delete --force` leaves the
//! host clean, and an error names its step. A sample here; every point in `hack/faults`.
//!
//! A point is an operation, a system call, which one of it in each process, and what happens there. strace(1) does it.

mod operation;
mod point;
mod stage;

use integration::{is_by_systemd, require_program, skip};

use operation::{Operation, STRACE};
use point::{Point, points};
use stage::Stage;

/// How many points of each operation are tried here.
const SAMPLE: usize = 16;

/// Even the shortest command, a release's `kill`, has twice as many points: with fewer, strace hasn't seen all.
const LEAST: usize = 50;

/// Kills that something was left of once: these are tried always.
const FOUND: [(&str, usize); 2] = [("kill", 1), ("wait4", 1)];

/// Every so many-th of them, or all, or a part of all, and tells what was found. The first is another one for each
/// operation.
fn sweep(operation: Operation, wanted: Wanted) {
    require_program(STRACE, "strace");
    if is_by_systemd() {
        return skip("faults are tried with cgroups of our own making");
    }
    let stage = Stage::new(operation);
    let all = points(&stage);
    assert!(all.len() > LEAST, "{operation:?} has {} points", all.len());
    let (first, step) = match wanted {
        Wanted::Most(most) => {
            let step = (all.len() / most).max(1);
            (operation as usize * 7 % step, step)
        }
        Wanted::Part { number, of } => (number - 1, of),
    };
    let sample = all.iter().skip(first).step_by(step);
    let before = all.iter().filter(|point| {
        FOUND
            .iter()
            .any(|(call, number)| point.kills_at(call, *number))
    });
    let tried: Vec<&Point> = sample.chain(before).collect();
    let found: Vec<String> = tried
        .iter()
        .filter_map(|point| {
            let finding = point.try_on(&stage)?;
            // A whole sweep takes long, and may be ended before its end.
            println!("  {finding}");
            Some(finding)
        })
        .collect();
    println!(
        "{operation:?}: {} points of {} tried, {} findings",
        tried.len(),
        all.len(),
        found.len()
    );
    assert!(
        found.is_empty(),
        "{operation:?}: {} findings:\n{}",
        found.len(),
        found.join("\n")
    );
}

/// Which points of an operation are to be tried.
#[derive(Clone, Copy)]
enum Wanted {
    /// Some so many.
    Most(usize),
    /// Of so many parts of all, which together are all, the one of this number, from 1.
    Part { number: usize, of: usize },
}

/// Those that `hack/faults` is to try: all where it doesn't say.
fn wanted() -> Wanted {
    let number = |text: &str| text.parse().expect("a number");
    if let Ok(most) = std::env::var("OPT_FAULTS_MOST") {
        return Wanted::Most(number(&most));
    }
    let part = std::env::var("OPT_FAULTS_PART").unwrap_or_else(|_| "1/1".to_owned());
    let (part, of) = part.split_once('/').expect("OPT_FAULTS_PART is K/N");
    let (part, of) = (number(part), number(of));
    assert!(
        (1..=of).contains(&part),
        "OPT_FAULTS_PART is one of its parts"
    );
    Wanted::Part { number: part, of }
}

macro_rules! operations {
    ($($name:ident => $operation:ident)*) => {
        mod sample {
            use super::{Operation, SAMPLE, Wanted, sweep};
            $(#[test] fn $name() { sweep(Operation::$operation, Wanted::Most(SAMPLE)); })*
        }
        mod every {
            use super::{Operation, sweep, wanted};
            $(#[test] #[ignore = "many minutes: hack/faults"] fn $name() { sweep(Operation::$operation, wanted()); })*
        }
    };
}

operations! {
    create => Create
    create_sealed => CreateSealed
    start => Start
    run => Run
    exec => Exec
    kill => Kill
    delete => Delete
    bundle => Bundle
    shifter => Shifter
}
