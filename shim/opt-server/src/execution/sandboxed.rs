//! Running a planned sandbox to its end.

use bundles::bundle;
use bundles::opt_server::{Identity, Sandbox};
use bundles::promise::exceptions;
use runtime::container::{self, Bounds, Bundle, Error, Execution, Loan, RunOptions, Store};
use runtime::policy;

/// Runs the command of `sandbox`, held to `bounds`. `named` is told the run's id before anything is made, and
/// `when_killed` where the process that goes on is killed.
///
/// # Errors
/// The step that failed; nothing is left then.
pub fn run(
    store: &Store,
    sandbox: &Sandbox<'_>,
    identity: Identity,
    bounds: &Bounds,
    named: impl FnOnce(&str),
    when_killed: impl FnOnce(&str),
) -> container::Result<Execution> {
    let mut loan = None;
    let bundle = |id: &str| {
        named(id);
        make_bundle(store, id, sandbox, identity, &mut loan)
    };
    let options = RunOptions::default();
    let ended = container::run_bounded(store, &options, bounds, bundle, when_killed);
    drop(loan);
    ended
}

/// Writes the bundle of `sandbox` for the run `id`, and lends the project to its command where its file system can't
/// map ids: for as long as `loan` is held.
///
/// # Errors
/// Where it can't be written or lent.
pub fn make_bundle(
    store: &Store,
    id: &str,
    sandbox: &Sandbox<'_>,
    identity: Identity,
    loan: &mut Option<Loan>,
) -> container::Result<Bundle> {
    let bundle = write_bundle(store, id, sandbox)?;
    if let (Some(borrower), Some(project)) = (identity.borrower(), sandbox.project()) {
        *loan = Some(store.lend(id, project, borrower)?);
    }
    Ok(bundle)
}

fn write_bundle(store: &Store, id: &str, sandbox: &Sandbox<'_>) -> container::Result<Bundle> {
    let directory = store.scratch(id)?;
    bundle::write(&directory, &sandbox.spec(), &sandbox.skeleton()).map_err(|error| {
        Error::Step {
            step: "write the bundle",
            source: std::io::Error::other(error),
        }
    })?;
    let mut bundle = Bundle::load(&directory)?;
    // The configuration's word is the administrator's.
    bundle.granted = exceptions(&bundle.spec).map_err(policy::Error::from)?;
    Ok(bundle)
}
