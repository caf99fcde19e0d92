//! How many executions may run at the same time: of all, of one command, of one user, with one key.

use std::collections::HashMap;

use bundles::opt_server::config::{Config, Limits};
use serde::Serialize;

use super::keys::KeyFile;
use super::queue::Job;
use super::settings::Settings;

/// Which limit of those that run at the same time is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reached {
    /// The server's: `max-running`, or `max-parallel-processes` at the top of `config.json`.
    Server,
    /// The command's `max-parallel-processes`.
    Command,
    /// That of the user group that the user is in.
    UserGroup,
    /// The key's `max-parallel-jobs`.
    Key,
}

/// The limits that one configuration sets.
#[derive(Debug, Clone, Default)]
pub struct Parallel {
    all: usize,
    commands: HashMap<String, usize>,
    users: HashMap<String, usize>,
}

impl Parallel {
    /// Those of these two.
    pub fn of(config: &Config, settings: &Settings) -> Self {
        let server = most(&config.extensions.limits).unwrap_or(usize::MAX);
        let commands = config.commands.iter();
        let groups = config.extensions.user_groups.iter();
        Self {
            all: settings.max_running.min(server),
            commands: commands
                .filter_map(|command| {
                    Some((command.name.clone(), most(&command.extensions.limits)?))
                })
                .collect(),
            users: groups
                .filter_map(|group| Some((&group.users, most(&group.limits)?)))
                .flat_map(|(users, most)| users.iter().map(move |user| (user.clone(), most)))
                .collect(),
        }
    }

    /// The limit that `job` has to wait for while these run.
    pub fn reached(&self, job: &Job, running: &[Job], keys: &KeyFile) -> Option<Reached> {
        let count =
            |is_like: &dyn Fn(&Job) -> bool| running.iter().filter(|job| is_like(job)).count();
        if running.len() >= self.all {
            return Some(Reached::Server);
        }
        let commands = self.commands.get(&job.command);
        if commands.is_some_and(|most| count(&|other| other.command == job.command) >= *most) {
            return Some(Reached::Command);
        }
        let users = self.users.get(&job.user);
        if users.is_some_and(|most| count(&|other| other.user == job.user) >= *most) {
            return Some(Reached::UserGroup);
        }
        // Last, for it asks the disk.
        let own = count(&|other| other.owner == job.owner);
        (own > 0 && own >= keys.most_parallel(&job.owner)).then_some(Reached::Key)
    }
}

fn most(limits: &Limits) -> Option<usize> {
    let most = limits.max_parallel_processes?;
    Some(usize::try_from(most).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn job(owner: &str, user: &str, command: &str) -> Job {
        Job {
            id: String::new(),
            owner: owner.to_owned(),
            user: user.to_owned(),
            command: command.to_owned(),
        }
    }

    #[test]
    fn each_limit_counts_its_own_and_the_first_that_is_reached_is_told() {
        let text = br#"{
            "commands": [
                {"name": "rare", "executable": "/a", "x-opt-runtime": {"limits": {"max-parallel-processes": 1}}},
                {"name": "other", "executable": "/b"}
            ],
            "x-opt-runtime": {
                "limits": {"max-parallel-processes": 3},
                "user-groups": {"students": {"users": ["ann", "bob"], "limits": {"max-parallel-processes": 2}}}
            }
        }"#;
        let config = Config::parse(text, Path::new("config.json")).unwrap();
        let settings = Settings {
            max_running: 8,
            ..Settings::default()
        };
        let parallel = Parallel::of(&config, &settings);
        let keys = KeyFile::of(Path::new("/nowhere"));
        let reached = |next: Job, running: &[Job]| parallel.reached(&next, running, &keys);
        let [ann, also_ann] = ["1", "2"].map(|key| job(key, "ann", "other"));
        let both = [ann.clone(), also_ann];
        assert_eq!(reached(job("3", "ann", "other"), &both[..1]), None);
        // Of one user, whatever the key; and of each user.
        let third = reached(job("3", "ann", "other"), &both);
        assert_eq!(third, Some(Reached::UserGroup));
        assert_eq!(reached(job("4", "bob", "other"), &both), None);
        assert_eq!(reached(job("5", "eve", "other"), &both), None);
        let rare = [job("5", "eve", "rare")];
        assert_eq!(
            reached(job("4", "bob", "rare"), &rare),
            Some(Reached::Command)
        );
        assert_eq!(reached(job("4", "bob", "other"), &rare), None);
        let three = [rare.to_vec(), both.to_vec()].concat();
        assert_eq!(
            reached(job("4", "bob", "other"), &three),
            Some(Reached::Server)
        );
        // A key that is gone has its executions run one by one.
        assert_eq!(reached(ann.clone(), &[ann]), Some(Reached::Key));
    }
}
