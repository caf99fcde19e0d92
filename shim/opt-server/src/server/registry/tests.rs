use std::path::Path;
use std::thread;

use bundles::opt_server::config::Config;

use super::*;
use crate::server::execution::{Owner, Work};
use crate::server::functions::Limits;

/// A registry with `count` executions of one owner, named by their numbers.
fn registry(count: usize) -> (tempfile::TempDir, Registry) {
    let state = tempfile::tempdir().unwrap();
    let registry = Registry::new(Store::open(state.path()).unwrap(), vec![]);
    for id in 0..count {
        let work = Work::Command {
            name: "solve".to_owned(),
            arguments: vec![],
        };
        let owner = Owner {
            key: "k",
            name: "web",
            user: "ann",
        };
        let execution = Execution::new(id.to_string(), owner, work, Limits::default());
        registry.add(execution, &Settings::default()).unwrap();
    }
    (state, registry)
}

fn next(state: &tempfile::TempDir, registry: &Registry) -> Option<Execution> {
    let config = Config::parse(br#"{"commands": []}"#, Path::new("config.json")).unwrap();
    let parallel = Parallel::of(&config, &Settings::default());
    registry.next(&parallel, &KeyFile::of(state.path()), "boot")
}

#[test]
fn the_queue_takes_no_more_than_it_may_however_many_come_at_once() {
    let (_state, registry) = registry(8);
    let settings = Settings {
        max_queued: 1,
        ..Settings::default()
    };
    let enqueue = |id: usize| registry.enqueue(&id.to_string(), &settings).is_ok();
    let taken = thread::scope(|scope| {
        let starts: Vec<_> = (0..8).map(|id| scope.spawn(move || enqueue(id))).collect();
        let ends = starts.into_iter().map(|start| start.join().unwrap());
        ends.filter(|is_taken| *is_taken).count()
    });
    assert_eq!((taken, registry.load().0), (1, 1));
}

#[test]
fn what_was_stopped_never_runs() {
    for _ in 0..20 {
        let (state, registry) = registry(1);
        registry.enqueue("0", &Settings::default()).unwrap();
        let begun = thread::scope(|scope| {
            let next = scope.spawn(|| next(&state, &registry));
            registry.stop("0").unwrap();
            next.join().unwrap()
        });
        let stands = registry.get("0").unwrap();
        match begun {
            Some(_) => assert!(stands.state == State::Running && stands.is_stopping),
            None => assert_eq!((stands.state, registry.load()), (State::Stopped, (0, 0))),
        }
    }
}

#[test]
fn what_is_gone_or_over_takes_no_slot_when_its_turn_comes() {
    let (state, registry) = registry(2);
    registry.stop("0").unwrap();
    registry.enqueue("1", &Settings::default()).unwrap();
    let over = registry.get("0").unwrap().job();
    let gone = Job {
        id: "gone".to_owned(),
        ..over.clone()
    };
    registry.lock().queue.push(gone);
    registry.lock().queue.push(over);
    assert_eq!(next(&state, &registry).unwrap().id, "1");
    registry.ended("1", |execution| execution.state = State::Ended);
    assert!(next(&state, &registry).is_none());
    assert_eq!(registry.load(), (0, 0));
}

#[test]
fn what_was_started_in_time_does_not_expire_and_what_expired_does_not_start() {
    let (state, registry) = registry(3);
    let settings = Settings::default();
    registry.enqueue("0", &settings).unwrap();
    assert!(!registry.expire("0", |_| true));
    assert!(!registry.expire("1", |_| false) && registry.expire("2", |_| true));
    let late = registry.enqueue("2", &settings).unwrap_err();
    assert!(matches!(late, Refusal::WrongState { .. }), "{late}");
    assert_eq!(next(&state, &registry).unwrap().id, "0");
    assert!(registry.get("2").is_none() && registry.get("1").is_some());
}

#[test]
fn who_only_looks_waits_for_no_disk() {
    let (_state, registry) = registry(1);
    registry
        .change("0", |_| {
            // A change is being made, and this one looks.
            assert_eq!(registry.get("0").unwrap().state, State::Created);
            assert_eq!(registry.load(), (0, 0));
            Ok(())
        })
        .unwrap();
}

#[test]
fn whether_one_more_may_run_is_known_before_it_is_there() {
    let (_state, registry) = registry(2);
    let settings = Settings {
        max_kept_per_key: 2,
        max_queued: 1,
        ..Settings::default()
    };
    assert!(registry.may_run("k", &settings).is_err());
    registry.may_run("other", &settings).unwrap();
    registry.enqueue("0", &settings).unwrap();
    let full = registry.may_run("other", &settings).unwrap_err();
    assert!(matches!(full, Refusal::Full(1)), "{full}");
}
