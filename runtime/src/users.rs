//! Users by number, from the host's `/etc/passwd`.
//!
//! Not through getpwuid(3): it loads whatever library nsswitch.conf(5) names, which a static program can't do
//! safely, and one that runs as root on a user's behalf shouldn't.

use nix::unistd::{Gid, Uid};

const FILE: &str = "/etc/passwd";

/// A line of the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct User {
    /// The login name.
    pub name: String,
    /// The primary group.
    pub gid: Gid,
}

/// The user with this number; none where the file has none, as for users of a directory service.
pub(crate) fn find(uid: Uid) -> Option<User> {
    let text = std::fs::read(FILE).ok()?;
    find_in(&String::from_utf8_lossy(&text), uid)
}

/// passwd(5): `NAME:PASSWORD:UID:GID:…`.
fn find_in(passwd: &str, uid: Uid) -> Option<User> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next().filter(|name| !name.is_empty())?;
        let found: u32 = fields.nth(1)?.parse().ok()?;
        let gid: u32 = fields.next()?.parse().ok()?;
        (found == uid.as_raw()).then(|| User {
            name: name.to_owned(),
            gid: Gid::from_raw(gid),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_the_first_whole_line_with_the_number() {
        let passwd = "# a comment\nroot:x:0:0:root:/root:/bin/sh\nbroken:x:7\n:x:7:1::/:/bin/sh\n\
                      a:x:7:70::/home/a:/bin/sh\nb:x:7:71::/home/b:/bin/sh\nodd:x:8:x::/:/bin/sh\n";
        for (uid, expected) in [
            (0, Some(("root", 0))),
            (7, Some(("a", 70))),
            (8, None),
            (9, None),
        ] {
            let expected = expected.map(|(name, gid): (&str, u32)| User {
                name: name.to_owned(),
                gid: gid.into(),
            });
            assert_eq!(find_in(passwd, uid.into()), expected, "{uid}");
        }
    }
}
