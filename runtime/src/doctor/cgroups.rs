//! Control groups: layout, controllers, who may write to them.

use nix::unistd::{AccessFlags, access, geteuid};

use super::{Asked, Finding};
use crate::container::{SurveyedHierarchy, survey_cgroups, survey_systemd};
use crate::telling;

/// Without these, the limits that engines set by themselves can't be set.
const WANTED: [&str; 3] = ["memory", "pids", "cpu"];

fn can_write(hierarchy: &SurveyedHierarchy) -> bool {
    access(&hierarchy.directory, AccessFlags::W_OK).is_ok()
}

pub(super) fn hierarchies(_: &Asked) -> Finding {
    const NAME: &str = "cgroups";
    let all = survey_cgroups().unwrap_or_default();
    let layout = match (all.iter().any(|one| one.is_unified), all.len()) {
        (_, 0) => {
            let remedy = "mount -t cgroup2 none /sys/fs/cgroup";
            return Finding::missing(NAME, "no hierarchy is mounted", remedy).essential();
        }
        (true, 1) => "version 2",
        (true, _) => "hybrid: version 1, and 2 beside it",
        (false, _) => "version 1",
    };
    let closed: Vec<String> = all
        .iter()
        .filter(|one| !can_write(one))
        .map(|one| one.directory.display().to_string())
        .collect();
    if closed.is_empty() {
        return Finding::ok(NAME, format!("{layout}, all writable")).essential();
    }
    let found = format!(
        "{layout}; not writable: {}; limits there can't be set",
        closed.join(", ")
    );
    let remedy = if geteuid().is_root() {
        "remount them read-write, or --cgroup-manager disabled"
    } else {
        "run under systemd-run --user --scope -p Delegate=yes, or ask for a delegated cgroup"
    };
    Finding::limited(NAME, found, remedy)
}

pub(super) fn controllers(_: &Asked) -> Finding {
    let all = survey_cgroups().unwrap_or_default();
    let there: Vec<String> = all.into_iter().flat_map(|one| one.controllers).collect();
    judge_controllers(&there)
}

fn judge_controllers(there: &[String]) -> Finding {
    const NAME: &str = "cgroup controllers";
    let lacking: Vec<&str> = WANTED
        .into_iter()
        .filter(|wanted| !there.iter().any(|have| have == wanted))
        .collect();
    let shown = if there.is_empty() {
        "none".to_owned()
    } else {
        there.join(", ")
    };
    if lacking.is_empty() {
        return Finding::ok(NAME, shown);
    }
    let found = format!(
        "{shown}; without {}: such limits are refused",
        lacking.join(", ")
    );
    let remedy = "version 1: mount -t cgroup -o NAME none /sys/fs/cgroup/NAME; version 2: \
                  write \"+NAME\" to cgroup.subtree_control of the cgroups above";
    Finding::limited(NAME, found, remedy)
}

pub(super) fn systemd(_: &Asked) -> Finding {
    const NAME: &str = "systemd";
    match survey_systemd() {
        Ok(()) => Finding::ok(NAME, "answers: --cgroup-manager systemd works"),
        Err(error) => Finding::limited(
            NAME,
            format!(
                "{}: --cgroup-manager systemd can't work",
                telling::line(&error)
            ),
            "--cgroup-manager cgroupfs, which is the default",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Verdict;

    #[test]
    fn what_engines_limit_is_wanted() {
        let names = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
        let verdict = |text| judge_controllers(&names(text)).verdict;
        assert_eq!(verdict("cpu cpuset memory pids"), Verdict::Ok);
        assert_eq!(verdict("hugetlb"), Verdict::Limited);
        assert!(
            judge_controllers(&names("cpu pids"))
                .found
                .contains("without memory")
        );
    }
}
