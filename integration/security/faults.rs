//! Each system call of a command of ours failed, and the process killed there: afterwards `delete --force` leaves the
//! host clean, and an error names its step. A sample here; every point in `hack/faults`.
//!
//! A point is an operation, a system call, which one of it in each process, and what happens there. strace(1) does it.

mod operation;
mod point;

use integration::{is_by_systemd, require_program, skip};

use operation::Operation;
use point::{Point, Stage, points};

/// How many points of each operation are tried here.
const SAMPLE: usize = 16;

/// Kills that something was left of once: these are tried always.
const FOUND: [(&str, usize); 2] = [("kill", 1), ("wait4", 1)];

/// Every so many-th of them, or all, and tells what was found. The first is another one for each operation.
fn sweep(operation: Operation, most: Option<usize>) {
    require_program("/usr/bin/strace", "strace");
    if is_by_systemd() {
        return skip("faults are tried with cgroups of our own making");
    }
    let stage = Stage::new(operation);
    let all = points(&stage);
    assert!(all.len() > 100, "{operation:?} makes {} calls", all.len());
    let step = most.map_or(1, |most| (all.len() / most).max(1));
    let sample = all.iter().skip(operation as usize * 7 % step).step_by(step);
    let before = all.iter().filter(|point| {
        FOUND
            .iter()
            .any(|(call, number)| point.kills_at(call, *number))
    });
    let tried: Vec<&Point> = sample.chain(before).collect();
    let found: Vec<String> = tried
        .iter()
        .filter_map(|point| point.try_on(&stage))
        .collect();
    println!(
        "{operation:?}: {} points of {} tried, {} findings",
        tried.len(),
        all.len(),
        found.len()
    );
    for finding in &found {
        println!("  {finding}");
    }
    assert!(
        found.is_empty(),
        "{operation:?}: {} findings:\n{}",
        found.len(),
        found.join("\n")
    );
}

/// How many points of each operation `hack/faults` is to try; all where it doesn't say.
fn wanted() -> Option<usize> {
    let most = std::env::var("OPT_FAULTS_MOST").ok()?;
    Some(most.parse().expect("OPT_FAULTS_MOST is a number"))
}

macro_rules! operations {
    ($($name:ident => $operation:ident)*) => {
        mod sample {
            use super::{Operation, SAMPLE, sweep};
            $(#[test] fn $name() { sweep(Operation::$operation, Some(SAMPLE)); })*
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
}
