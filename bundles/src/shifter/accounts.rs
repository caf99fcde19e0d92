//! The user's account inside: `passwd`, `group`, and the groups that a process is in.

use super::image::Caller;

/// A user, as a line of `passwd` has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Name.
    pub name: String,
    /// Uid.
    pub uid: u32,
    /// Gid.
    pub gid: u32,
    /// Full name and the like.
    pub gecos: String,
    /// Home directory.
    pub home: String,
    /// Login shell.
    pub shell: String,
}

/// Who can't have a container. One line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs, reason = "the messages say it")]
pub enum CallerError {
    #[error("root can't have a container; hint: name the user to be, --user")]
    Root,
    #[error("uid {uid} has the gid 0, which is root's group")]
    RootsGroup { uid: u32 },
}

impl User {
    /// The user of this uid in a `passwd` file.
    pub fn find(passwd: &str, uid: u32) -> Option<Self> {
        lines(passwd)
            .filter_map(Self::read)
            .find(|user| user.uid == uid)
    }

    /// The user of this name in a `passwd` file.
    pub fn named(passwd: &str, name: &str) -> Option<Self> {
        lines(passwd)
            .filter_map(Self::read)
            .find(|user| user.name == name)
    }

    fn read(line: &str) -> Option<Self> {
        let mut fields = line.split(':');
        let mut next = || fields.next().map(str::to_owned);
        let name = next().filter(|name| !name.is_empty())?;
        next()?;
        Some(Self {
            name,
            uid: next()?.parse().ok()?,
            gid: next()?.parse().ok()?,
            gecos: next()?,
            home: next()?,
            shell: next()?,
        })
    }

    /// A line of `passwd`, its end included.
    pub fn line(&self) -> String {
        let Self {
            name,
            uid,
            gid,
            gecos,
            home,
            shell,
        } = self;
        format!("{name}:x:{uid}:{gid}:{gecos}:{home}:{shell}\n")
    }
}

/// The lines of an account file. As in the C library, only a line feed ends one: a carriage return before it belongs to the
/// last field, so that a line that was written is read as the same.
fn lines(file: &str) -> impl Iterator<Item = &str> {
    file.split_terminator('\n')
}

/// Who a container's process is: the caller, without root's group.
///
/// # Errors
/// [`CallerError`] for root and root's group.
pub fn identity(caller: &Caller) -> Result<Caller, CallerError> {
    let Caller { uid, gid, .. } = *caller;
    if uid == 0 {
        return Err(CallerError::Root);
    }
    if gid == 0 {
        return Err(CallerError::RootsGroup { uid });
    }
    let mut groups = vec![];
    for group in &caller.groups {
        if *group != 0 && !groups.contains(group) {
            groups.push(*group);
        }
    }
    if groups.is_empty() {
        groups.push(gid);
    }
    Ok(Caller { uid, gid, groups })
}

/// The groups that a `group` file has `user` in, besides their own.
pub fn groups_of(group: &str, user: &str) -> Vec<u32> {
    let of_line = |line: &str| {
        let mut fields = line.split(':').skip(2);
        let gid = fields.next()?.parse().ok()?;
        let mut members = fields.next()?.split(',').map(str::trim);
        members.any(|member| member == user).then_some(gid)
    };
    lines(group).filter_map(of_line).collect()
}

/// The names that a `group` file has for these groups, in its order.
pub fn named_groups(group: &str, gids: &[u32]) -> Vec<(String, u32)> {
    let of_line = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let gid: u32 = fields.nth(1)?.parse().ok()?;
        gids.contains(&gid).then(|| (name.to_owned(), gid))
    };
    lines(group).filter_map(of_line).collect()
}

/// A site's `group` file as a container has it: every group without its members, but for `user` in the first `most`
/// groups of theirs. A group of the user's name is one. Root's group and lines without a gid are left out.
pub fn filtered_groups(group: &str, user: &str, most: u32) -> String {
    let mut filtered = String::new();
    let mut left = most;
    for line in lines(group) {
        let mut fields = line.split(':');
        let (Some(name), _, Some(gid)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let Some(gid) = gid.parse().ok().filter(|gid: &u32| *gid != 0) else {
            continue;
        };
        let members = fields.next().unwrap_or_default();
        let mut members = members.split(',').map(str::trim);
        let is_member = name == user || members.any(|member| member == user);
        let member = if is_member && left > 0 {
            left -= 1;
            user
        } else {
            ""
        };
        filtered.push_str(&format!("{name}:x:{gid}:{member}\n"));
    }
    filtered
}

/// `nsswitch.conf` of a container whose accounts are made: files, and the network's names by DNS.
pub const NSSWITCH: &str = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\n\
services: files\nprotocols: files\nrpc: files\nethers: files\nnetmasks: files\nnetgroup: files\n\
publickey: files\nbootparams: files\nautomount: files\naliases: files\n";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vectors::{Wrong, vectors};

    #[test]
    fn a_group_file_names_the_user_and_nobody_else() {
        let mut wrong = Wrong::default();
        for vector in vectors("shifter/groups.tsv") {
            let [group, user, most, wanted] = &vector[..] else {
                panic!("{vector:?}");
            };
            let group = group.replace('|', "\n");
            let found = filtered_groups(&group, user, most.parse().unwrap());
            wrong.unless(&vector, &found.replace('\n', "|"), wanted);
        }
        wrong.none();
    }

    #[test]
    fn a_process_is_in_its_callers_groups_but_not_in_roots() {
        let number = |text: &str| text.parse::<u32>().unwrap();
        let mut wrong = Wrong::default();
        for vector in vectors("shifter/identities.tsv") {
            let caller = Caller {
                uid: number(&vector[0]),
                gid: number(&vector[1]),
                groups: vector[2].split_whitespace().map(number).collect(),
            };
            let found = match identity(&caller) {
                Ok(Caller { uid, gid, groups }) => {
                    let all = [uid, gid].into_iter().chain(groups);
                    all.map(|id| id.to_string()).collect::<Vec<_>>().join(" ")
                }
                Err(error) => format!("refused: {error}"),
            };
            match vector[3].starts_with("refused") {
                true => wrong.unless(
                    &vector,
                    &found[..vector[3].len().min(found.len())],
                    &vector[3],
                ),
                false => wrong.unless(&vector, &found, &vector[3]),
            }
        }
        wrong.none();
    }

    #[test]
    fn a_user_is_found_by_number_or_name_with_their_groups() {
        let passwd = "broken\nroot:x:0:0:root:/root:/bin/bash\n:x:7:7:::\nann:x:7:8:Ann:/home/ann:/bin/zsh\n";
        let ann = User::find(passwd, 7).unwrap();
        assert_eq!(ann.line(), "ann:x:7:8:Ann:/home/ann:/bin/zsh\n");
        assert_eq!(User::find(passwd, 8), None);
        assert_eq!(User::named(passwd, "ann"), Some(ann));
        assert_eq!(User::named(passwd, "broken"), None);
        let returns = passwd.replace('\n', "\r\n");
        let same = User::find(&returns, 7).unwrap();
        assert_eq!(same.shell, "/bin/zsh\r");
        assert_eq!(User::find(&same.line(), 7), Some(same));
        let group = "a:x:1:ann\nb:x:2:bob, ann\nc:x:3:anna\nd:x:x:ann\ne:x:5\n";
        assert_eq!(groups_of(group, "ann"), [1, 2]);
        let named = named_groups(group, &[2, 9, 1, 5]);
        let named: Vec<_> = named.iter().map(|(name, gid)| (&**name, *gid)).collect();
        assert_eq!(named, [("a", 1), ("b", 2), ("e", 5)]);
    }
}
