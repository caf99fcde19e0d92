//! The last profile that was compiled strictly, with its filter: sealing, checking and loading one bundle ask for the same
//! one in turn, and a server's bundles mostly have it in common.

use std::sync::{Mutex, TryLockError};

use oci_spec::runtime::LinuxSeccomp;

use super::compile::Filter;
use super::error::SeccompError;

static LAST: Mutex<Option<(LinuxSeccomp, Filter)>> = Mutex::new(None);

/// What `compile` makes of `profile`, or made of an equal one. Nobody waits: a process that was forked while another
/// thread held the lock would wait for ever, and compiling takes a moment.
pub(super) fn remembered(
    profile: &LinuxSeccomp,
    compile: impl FnOnce(&LinuxSeccomp) -> Result<Filter, SeccompError>,
) -> Result<Filter, SeccompError> {
    let mut last = match LAST.try_lock() {
        Ok(last) => last,
        // What a thread that panicked had put there is whole: it is put there in one assignment.
        Err(TryLockError::Poisoned(last)) => last.into_inner(),
        Err(TryLockError::WouldBlock) => return compile(profile),
    };
    if let Some((known, filter)) = &*last
        && known == profile
    {
        return Ok(filter.clone());
    }
    let filter = compile(profile)?;
    *last = Some((profile.clone(), filter.clone()));
    Ok(filter)
}

#[cfg(test)]
mod tests {
    use crate::seccomp::compile::compile_for;
    use crate::seccomp::table::machine;
    use crate::seccomp::{compile_strict, networked, opt_server, parallel};

    /// Whatever was asked for before, and by how many at once, each profile gets its own filter.
    #[test]
    fn a_profile_gets_its_own_filter_whatever_was_asked_for_before() {
        let profiles = [opt_server(), networked(), parallel()].map(|profile| profile.to_oci());
        let filters = profiles
            .each_ref()
            .map(|profile| compile_for(profile, machine().unwrap()).unwrap());
        assert!(filters[0].program() != filters[1].program());
        std::thread::scope(|scope| {
            for thread in 0..4 {
                let (profiles, filters) = (&profiles, &filters);
                scope.spawn(move || {
                    for turn in 0..60 {
                        // One after another, and some twice in a row.
                        let at = (turn / 2 + thread) % profiles.len();
                        let found = compile_strict(&profiles[at]).unwrap();
                        assert_eq!(found.program(), filters[at].program());
                    }
                });
            }
        });
    }

    #[test]
    fn a_profile_that_is_refused_stays_refused() {
        let mut profile = opt_server().to_oci();
        compile_strict(&profile).unwrap();
        profile.set_listener_path(Some("/run/listener".into()));
        for _ in 0..2 {
            assert!(compile_strict(&profile).is_err());
        }
    }
}
