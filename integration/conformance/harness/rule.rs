//! The rule by which cases are judged.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use integration::{Bench, Runtime, Tool, plain};

use super::case::Case;
use super::{Check, Stage};

/// The versions that `but_runc` and `but_crun` were measured with. Of others nothing is asserted.
const MEASURED: [(Runtime, &str); 2] = [(Runtime::Runc, "1.1.5"), (Runtime::Crun, "1.8.1")];

/// Holds every case of an area under every runtime, and fails with all that is wrong:
///
/// - ours must pass each case, or where we differ on purpose, what the case says of us instead;
/// - a peer must pass it, or fail it where the case says so. A control that surprises means that the case, or
///   what it says of the peer, is wrong.
///
/// `CONFORMANCE_SHOW=1` prints how each went; with `CONFORMANCE_CONTROLS=no` peers aren't tried, which an emulated
/// machine has no time for.
#[track_caller]
pub fn hold(cases: &[Case]) {
    let mut complaints = vec![];
    let template = Bench::new();
    let root = template.path("root");
    plain::root_file_system(&root);
    let only = std::env::var("CONFORMANCE_ONLY").unwrap_or_default();
    let has_controls = std::env::var_os("CONFORMANCE_CONTROLS").is_none_or(|says| says != "no");
    for case in cases.iter().filter(|case| case.name.contains(&only)) {
        if let Err(why) = ours(case, &root) {
            complaints.push(format!("opt-runtime: {}: {why}", case.name));
        }
        let peers = Runtime::PEERS.into_iter();
        for peer in peers.filter(|&peer| has_controls && case.has_controls() && is_measured(peer)) {
            complaints.extend(judge_peer(case, peer, &root));
        }
    }
    let count = complaints.len();
    assert!(
        complaints.is_empty(),
        "{count} of the cases went otherwise than they say:\n\n{}",
        complaints.join("\n\n")
    );
}

fn ours(case: &Case, root: &Path) -> Check {
    let Some((reason, instead)) = &case.ours_instead else {
        return attempt(case, Runtime::Ours, root);
    };
    attempt(instead, Runtime::Ours, root)?;
    match attempt(case, Runtime::Ours, root) {
        Ok(()) => Err(format!("we don't differ any more: {reason}")),
        Err(_) => Ok(()),
    }
}

fn judge_peer(case: &Case, peer: Runtime, root: &Path) -> Option<String> {
    let failing = case.failing_peers.iter().find(|(name, _)| *name == peer);
    match (attempt(case, peer, root), failing) {
        (Ok(()), None) | (Err(_), Some(_)) => None,
        (Err(why), None) => Some(format!(
            "the control {} fails: {}: {why}",
            peer.name(),
            case.name
        )),
        (Ok(()), Some((_, why))) => Some(format!(
            "the control {} passes: {}: it is said to fail: {why}",
            peer.name(),
            case.name
        )),
    }
}

/// A trial under `runtime` on a stage of its own.
fn attempt(case: &Case, runtime: Runtime, root: &Path) -> Check {
    let began = Instant::now();
    let went = catch_unwind(AssertUnwindSafe(|| {
        let stage = Stage::new(runtime, root);
        let went = case.try_on(&stage);
        let left = stage.leave();
        went.and(left)
    }));
    let went = went.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(text.unwrap_or_else(|| "it panicked".to_owned()))
    });
    if std::env::var_os("CONFORMANCE_SHOW").is_some() {
        show(case, runtime, &went, began.elapsed());
    }
    went
}

fn show(case: &Case, runtime: Runtime, went: &Check, took: Duration) {
    let word = if went.is_ok() { "passes" } else { "FAILS" };
    let why = went.as_ref().err().map(|why| why.replace('\n', " | "));
    let why = why.unwrap_or_default();
    let (peer, took) = (runtime.name(), took.as_millis());
    eprintln!("{peer:11} {took:5} ms {word} {}: {why}", case.name);
}

/// Whether `peer` is here in the version that was measured.
fn is_measured(peer: Runtime) -> bool {
    let version = MEASURED.iter().find(|(name, _)| *name == peer);
    peer.is_installed() && version.is_some_and(|(_, version)| version_of(peer).contains(version))
}

fn version_of(peer: Runtime) -> String {
    let outcome = Tool::new(peer.name()).arg("--version").run();
    outcome.stdout.lines().next().unwrap_or_default().to_owned()
}

/// Without its controls a case shows little; `hack/test` installs them.
#[test]
fn both_controls_are_here() {
    for (peer, measured) in MEASURED {
        let name = peer.name();
        assert!(
            peer.is_installed(),
            "{name} is not installed, so nothing was compared with it: apt-get install {name}"
        );
        let version = version_of(peer);
        if !version.contains(measured) {
            eprintln!("not compared with {version}: the cases were measured with {measured}");
        }
    }
}
