//! The last profile that was compiled strictly, with its filter and what was found in that: sealing, checking and loading one
//! bundle ask for the same one in turn, and a server's bundles mostly have it in common.

use std::sync::{Mutex, TryLockError};

use oci_spec::runtime::LinuxSeccomp;

use super::compile::Filter;
use super::error::SeccompError;

/// Finds what is wrong with a profile and its filter, where some calls are excepted.
pub(super) type Judge = fn(&LinuxSeccomp, &Filter, &[String]) -> Vec<String>;

#[derive(Debug)]
struct Known {
    profile: LinuxSeccomp,
    filter: Filter,
    judged: Option<Judged>,
}

#[derive(Debug)]
struct Judged {
    judge: Judge,
    excepted: Vec<String>,
    found: Vec<String>,
}

static LAST: Mutex<Option<Known>> = Mutex::new(None);

/// What `compile` makes of `profile`, or made of an equal one.
pub(super) fn remembered(
    profile: &LinuxSeccomp,
    compile: impl Fn(&LinuxSeccomp) -> Result<Filter, SeccompError>,
) -> Result<Filter, SeccompError> {
    with_last(profile, compile, |known| known.filter.clone())
}

/// What `judge` finds in `profile`, or found in an equal one where the same calls were excepted.
pub(super) fn judged(
    profile: &LinuxSeccomp,
    excepted: &[String],
    judge: Judge,
    compile: impl Fn(&LinuxSeccomp) -> Result<Filter, SeccompError>,
) -> Result<Vec<String>, SeccompError> {
    with_last(profile, compile, |known| {
        if let Some(judged) = &known.judged
            && std::ptr::fn_addr_eq(judged.judge, judge)
            && judged.excepted == excepted
        {
            return judged.found.clone();
        }
        let found = judge(&known.profile, &known.filter, excepted);
        known.judged = Some(Judged {
            judge,
            excepted: excepted.to_vec(),
            found: found.clone(),
        });
        found
    })
}

/// What `ask` makes of what is known of `profile`. Nobody waits: a process that was forked while another thread held the lock
/// would wait for ever, and compiling takes a moment.
fn with_last<T>(
    profile: &LinuxSeccomp,
    compile: impl Fn(&LinuxSeccomp) -> Result<Filter, SeccompError>,
    ask: impl FnOnce(&mut Known) -> T,
) -> Result<T, SeccompError> {
    let compiled = || {
        Ok(Known {
            filter: compile(profile)?,
            profile: profile.clone(),
            judged: None,
        })
    };
    let mut last = match LAST.try_lock() {
        Ok(last) => last,
        // What a thread that panicked had put there is whole: it is put there in one assignment.
        Err(TryLockError::Poisoned(last)) => last.into_inner(),
        Err(TryLockError::WouldBlock) => return Ok(ask(&mut compiled()?)),
    };
    let known = match last.take() {
        Some(known) if known.profile == *profile => known,
        other => {
            // An error doesn't make anybody forget.
            compiled().inspect_err(|_| *last = other)?
        }
    };
    Ok(ask(last.insert(known)))
}

#[cfg(test)]
mod tests {
    use super::{Filter, LinuxSeccomp};
    use crate::seccomp::compile::{compile_for, judged_strictly};
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

    /// Whatever was asked for before, by whom, and with which exceptions.
    #[test]
    fn what_is_found_is_of_the_profile_the_exceptions_and_the_judge() {
        fn count(profile: &LinuxSeccomp, _: &Filter, excepted: &[String]) -> Vec<String> {
            let entries = profile.syscalls().iter().flatten().count();
            vec![format!("{entries} {excepted:?}")]
        }
        fn nothing(_: &LinuxSeccomp, _: &Filter, _: &[String]) -> Vec<String> {
            vec![]
        }
        let profiles = [opt_server(), networked()].map(|profile| profile.to_oci());
        let excepted = [vec![], vec!["ptrace".to_owned()]];
        for turn in 0..16 {
            let (profile, excepted) = (&profiles[turn / 2 % 2], &excepted[turn / 4 % 2]);
            let filter = compile_strict(profile).unwrap();
            let found = judged_strictly(profile, excepted, count).unwrap();
            assert_eq!(found, count(profile, &filter, excepted), "{turn}");
            if turn % 3 == 0 {
                let found = judged_strictly(profile, excepted, nothing).unwrap();
                assert!(found.is_empty(), "{turn}");
            }
        }
        let mut refused = profiles[0].clone();
        refused.set_listener_path(Some("/run/listener".into()));
        assert!(judged_strictly(&refused, &[], nothing).is_err());
    }
}
