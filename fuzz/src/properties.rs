//! What must be true of the project's answers, whatever the question.

use bundles::promise::{KIND_ANNOTATION, Kind, RunAs, check, explain, seal_as};
use oci_spec::runtime::Spec;

/// An error as commands tell it: one line that says something.
///
/// # Panics
/// Where it doesn't.
pub fn told(error: &dyn std::error::Error) {
    let line = runtime::telling::line(error);
    assert!(!line.trim().is_empty(), "an empty message");
    assert!(
        !line.chars().any(char::is_control),
        "a control character: {line:?}"
    );
    assert!(line.len() < 10_000, "a line of {} bytes", line.len());
}

/// The rows that sealing may leave broken, because only the caller can decide: who it is that isn't root, devices and
/// mounts that were asked for, variables that are none, and a user namespace, which needs mappings.
const LEFT_TO_THE_CALLER: [&str; 6] = [
    "nobody",
    "no devices",
    "own world",
    "no way back",
    "nothing inherited",
    "setuid is dead",
];

const NOBODY: RunAs = RunAs {
    uid: 65_534,
    gid: 65_533,
};

/// What must be true of sealing this spec, for one kind of promise, which `choice` chooses: all of them take long.
///
/// # Panics
/// Where it isn't.
pub fn sealing(spec: &Spec, choice: usize) {
    let kind = [Kind::Sealed, Kind::Shifter, Kind::OptServer][choice % 3];
    let run_as = (choice / 3).is_multiple_of(2).then_some(NOBODY);
    let mut sealed = spec.clone();
    let changes = seal_as(&mut sealed, kind, run_as);
    is_idempotent(&sealed, kind, run_as);
    is_kept_in_text(&sealed);
    let after = check(&sealed, kind);
    // What promises it and was kept already is kept still.
    if !after.is_kept() {
        assert!(
            !check(spec, kind).is_kept(),
            "sealing broke {}: {changes:?}",
            after.summary()
        );
    }
    if sealed.process().is_some() {
        let broken = after.broken().map(|row| row.protection);
        let not_left: Vec<_> = broken
            .filter(|row| !LEFT_TO_THE_CALLER.contains(row))
            .collect();
        assert!(not_left.is_empty(), "{kind:?}: {}", after.summary());
    }
    is_explained(spec, kind);
}

fn is_idempotent(sealed: &Spec, kind: Kind, run_as: Option<RunAs>) {
    let mut again = sealed.clone();
    let changes = seal_as(&mut again, kind, run_as);
    assert_eq!(changes, [""; 0], "sealed twice as {kind:?}");
    assert_eq!(
        again, *sealed,
        "sealing again says nothing, and changes something"
    );
    let annotation = sealed
        .annotations()
        .as_ref()
        .and_then(|all| all.get(KIND_ANNOTATION));
    assert_eq!(annotation.map(String::as_str), Some(kind.as_str()));
}

/// What `seal` writes is read again as the same.
fn is_kept_in_text(sealed: &Spec) {
    let text = serde_json::to_string(sealed).expect("a spec can be written");
    let again: Spec = serde_json::from_str(&text).expect("what was written is read");
    assert_eq!(again, *sealed, "{text}");
}

fn is_explained(spec: &Spec, kind: Kind) {
    let explained = explain(spec, Some(kind), vec![]);
    let shown: Vec<_> = explained
        .mounts
        .iter()
        .map(|mount| mount.path.clone())
        .collect();
    let mounts = spec.mounts().iter().flatten();
    let listed: Vec<_> = mounts
        .map(|mount| mount.destination().display().to_string())
        .collect();
    assert_eq!(shown, listed);
    assert!(!explained.to_string().is_empty());
    assert!(serde_json::to_string(&explained).is_ok());
}
