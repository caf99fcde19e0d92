//! Names and groups of users, as this host knows them.
//!
//! Asked of getent(1) and id(1): they see what the site's name service has, which a static program can't load.

use std::collections::HashMap;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Groups change seldom, and two programs for every request would be slow.
const GOOD_FOR: Duration = Duration::from_secs(300);

/// So many users at once are remembered.
const MOST: usize = 10_000;

/// A user of this host's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// His name; his uid's digits where he has none.
    pub name: String,
    /// His groups.
    pub groups: Vec<u32>,
}

/// Users that were asked for.
#[derive(Debug, Default)]
pub struct Accounts {
    known: Mutex<HashMap<u32, (Instant, Account)>>,
}

impl Accounts {
    /// The user with this uid.
    pub fn of(&self, uid: u32) -> Account {
        let mut known = self
            .known
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        match known.get(&uid) {
            Some((since, account)) if since.elapsed() < GOOD_FOR => return account.clone(),
            _ => {}
        }
        drop(known);
        let account = ask(uid);
        known = self
            .known
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(uid, (Instant::now(), account.clone()));
        account
    }
}

fn ask(uid: u32) -> Account {
    let line = run("getent", &["passwd", &uid.to_string()]).unwrap_or_default();
    let fields: Vec<&str> = line.trim_end().split(':').collect();
    let own = uid.to_string();
    match fields[..] {
        // A user may be named like another's uid.
        [name, _, found, ..] if found == own && !name.is_empty() => Account {
            name: name.to_owned(),
            groups: groups(name),
        },
        _ => Account {
            name: own,
            groups: vec![],
        },
    }
}

fn groups(name: &str) -> Vec<u32> {
    let text = run("id", &["-G", "--", name]).unwrap_or_default();
    let ids = text.split_ascii_whitespace();
    ids.filter_map(|id| id.parse().ok()).collect()
}

fn run(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .output();
    match output {
        Ok(output) if output.status.success() => String::from_utf8(output.stdout).ok(),
        Ok(_) => None,
        Err(error) => {
            tracing::error!(%error, program, "can't look users up");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_names_and_groups_and_strangers_have_neither() {
        let accounts = Accounts::default();
        let root = accounts.of(0);
        assert_eq!(root.name, "root");
        assert!(root.groups.contains(&0));
        assert_eq!(accounts.of(0), root);
        let nobody = accounts.of(3_999_999_999);
        assert_eq!(nobody.name, "3999999999");
        assert!(nobody.groups.is_empty());
    }
}
