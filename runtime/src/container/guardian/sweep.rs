//! Removing what runs left that were killed with their guardians.

use super::super::Result;
use super::super::delete::remove_everything;
use super::super::process::{ProcessId, is_alive};
use super::super::store::Store;

/// As many others as a run looks at for having ended halfway: what it takes to run doesn't grow with how many do.
const LOOKED_AT: usize = 4;

/// As [`sweep`], of some runs where there are many: others sweep the others.
pub(in crate::container) fn sweep_some(store: &Store) {
    sweep_those(store, &some_of(store.noted_runs(), std::process::id()));
}

/// [`LOOKED_AT`] of them at the most, from the one whose place `first` is.
fn some_of(mut runs: Vec<String>, first: u32) -> Vec<String> {
    if runs.len() > LOOKED_AT {
        let first = first as usize % runs.len();
        runs.rotate_left(first);
        runs.truncate(LOOKED_AT);
    }
    runs
}

/// Removes the containers and scratch directories of runs that are gone with their guardians. Containers that nobody
/// held in the foreground aren't looked into, however many there are.
///
/// What can't be removed now is left for the next sweep; the caller's own work must not fail for it.
pub fn sweep(store: &Store) {
    sweep_those(store, &store.noted_runs());
}

/// Ends that runs are noted which held the container `id`, where all of them and it are gone: such a run was killed in its last
/// step.
///
/// # Errors
/// Where a note can't be removed.
pub(in crate::container) fn sweep_notes_of(store: &Store, id: &str) -> Result<()> {
    let is_its = |run: &String| store.noted_run(run).is_some_and(|noted| noted == id);
    let noted = store.noted_runs();
    let mut its = noted.iter().filter(|run| is_over(run) && is_its(run));
    its.try_for_each(|run| store.end_killed_run(run, id))
}

fn is_over(run: &str) -> bool {
    made_up_by(run).is_some_and(|run| !is_alive(run))
}

fn sweep_those(store: &Store, runs: &[String]) {
    for run in runs.iter().filter(|run| is_over(run)) {
        if let Some(id) = store.noted_run(run) {
            let _ = sweep_held(store, &id, run).and_then(|()| store.end_killed_run(run, &id));
        }
    }
}

/// Removes the container `id`, if it is there as `run` left it: not one that was kept, nor another of this name. One
/// that has no state yet, and nobody's hand on it, is this run's.
fn sweep_held(store: &Store, id: &str, run: &str) -> Result<()> {
    let holder = match store.open_unless_locked(id) {
        Some(container) => container.snapshot.supervisor,
        None if store.is_half_made(id) => made_up_by(run),
        None => made_up_by(id),
    };
    match holder {
        Some(holder) if made_up_by(run) == Some(holder) => remove_everything(store, id),
        _ => Ok(()),
    }
}

/// An id for a run that names none: unique on this host, and it says whose it is.
pub(in crate::container) fn made_up_id(worker: ProcessId) -> String {
    let ProcessId {
        pid,
        start_time,
        namespace,
    } = worker;
    format!("run-{pid}-{start_time}-{namespace}")
}

fn made_up_by(id: &str) -> Option<ProcessId> {
    let mut numbers = id.strip_prefix("run-")?.split('-');
    let run = ProcessId {
        pid: numbers.next()?.parse().ok()?,
        start_time: numbers.next()?.parse().ok()?,
        namespace: numbers.next()?.parse().ok()?,
    };
    numbers.next().is_none().then_some(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_runs_some_are_looked_at_and_each_by_somebody() {
        let names = |count: usize| (0..count).map(|run| run.to_string()).collect::<Vec<_>>();
        assert_eq!(some_of(names(LOOKED_AT), 7), names(LOOKED_AT));
        let many = names(1000);
        let mut seen: Vec<String> = vec![];
        for first in (4000..5000).step_by(LOOKED_AT) {
            let some = some_of(many.clone(), first);
            assert_eq!(some.len(), LOOKED_AT);
            seen.extend(some);
        }
        seen.sort_by_key(|run| run.parse::<usize>().unwrap());
        seen.dedup();
        assert_eq!(seen, many);
    }

    #[test]
    fn what_a_run_left_in_its_last_step_goes_with_what_it_held() {
        let place = tempfile::tempdir().unwrap();
        let store = Store::at(Some(place.path().into()));
        let us = ProcessId::current().unwrap();
        let ended = |pid| {
            made_up_id(ProcessId {
                pid,
                start_time: 0,
                ..us
            })
        };
        for (run, id) in [(ended(1), "web"), (ended(2), "db"), (made_up_id(us), "web")] {
            store.note_run(&run, id).unwrap();
        }
        remove_everything(&store, "web").unwrap();
        let mut left = store.noted_runs();
        left.sort();
        let mut others = [ended(2), made_up_id(us)];
        others.sort();
        assert_eq!(left, others);
    }

    #[test]
    fn a_made_up_id_names_its_run() {
        let us = ProcessId::current().unwrap();
        assert_eq!(made_up_by(&made_up_id(us)), Some(us));
        for other in [
            "web",
            "run-",
            "run-1",
            "run-x-2-3",
            "run-1-2",
            "run-1-2-3-4",
        ] {
            assert_eq!(made_up_by(other), None, "{other}");
        }
    }
}
