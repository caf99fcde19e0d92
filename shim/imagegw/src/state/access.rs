//! Who may use an image.

use serde::{Deserialize, Serialize};

use crate::auth::Session;

/// The users and groups that were named.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// Uids; none named at all is another thing than an empty list.
    pub users: Option<Vec<u32>>,
    /// Gids, likewise.
    pub groups: Option<Vec<u32>>,
}

impl Access {
    /// Whether it keeps nobody out. A list that is empty beside one that is missing keeps everybody out, as in Shifter.
    pub fn is_open(&self) -> bool {
        match (&self.users, &self.groups) {
            (None, None) => true,
            (Some(users), Some(groups)) => users.is_empty() && groups.is_empty(),
            _ => false,
        }
    }

    /// Whether it lets `session` in. Root gets in where it is named, and not otherwise.
    pub fn lets(&self, session: &Session) -> bool {
        let is_named =
            |list: &Option<Vec<u32>>, id: &u32| list.as_ref().is_some_and(|list| list.contains(id));
        self.is_open()
            || is_named(&self.users, &session.uid)
            || session.all_groups().any(|gid| is_named(&self.groups, &gid))
    }

    /// With whoever asked for it among those that are named, where anybody is.
    #[must_use]
    pub fn with_self(mut self, uid: u32, gid: u32) -> Self {
        if !self.is_open() {
            add(&mut self.users, uid);
            if self
                .groups
                .as_ref()
                .is_some_and(|groups| !groups.is_empty())
            {
                add(&mut self.groups, gid);
            }
        }
        self
    }

    /// Likewise, only the user.
    #[must_use]
    pub fn with_user(mut self, uid: u32) -> Self {
        if !self.is_open() {
            add(&mut self.users, uid);
        }
        self
    }

    /// Whether both name the same, in whatever order.
    pub fn same(&self, other: &Self) -> bool {
        let sorted = |list: &Option<Vec<u32>>| {
            let mut list = list.clone().unwrap_or_default();
            list.sort_unstable();
            list.dedup();
            list
        };
        sorted(&self.users) == sorted(&other.users) && sorted(&self.groups) == sorted(&other.groups)
    }
}

fn add(list: &mut Option<Vec<u32>>, id: u32) {
    let list = list.get_or_insert_default();
    if !list.contains(&id) {
        list.push(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(users: Option<&[u32]>, groups: Option<&[u32]>) -> Access {
        Access {
            users: users.map(<[u32]>::to_vec),
            groups: groups.map(<[u32]>::to_vec),
        }
    }

    /// Uid 500, gid 500, and the groups 600 and 700.
    fn session() -> Session {
        Session {
            uid: 500,
            gid: 500,
            groups: vec![600, 700],
            ..Session::default()
        }
    }

    #[test]
    fn lists_say_who_gets_in() {
        for (users, groups, gets_in) in [
            (None, None, true),
            (Some(&[][..]), Some(&[][..]), true),
            (Some(&[]), None, false),
            (None, Some(&[][..]), false),
            (Some(&[500]), None, true),
            (Some(&[501]), None, false),
            (Some(&[501]), Some(&[500]), true),
            (None, Some(&[700]), true),
            (Some(&[600]), Some(&[501]), false),
        ] {
            let found = access(users, groups).lets(&session());
            assert_eq!(found, gets_in, "{users:?} {groups:?}");
        }
    }

    #[test]
    fn root_is_nobody_special() {
        let root = Session::default();
        assert!(!access(Some(&[500]), None).lets(&root));
        assert!(access(Some(&[0]), None).lets(&root));
    }

    #[test]
    fn whoever_asks_is_added() {
        let own = access(Some(&[1000, 1001]), Some(&[1002, 1003])).with_self(500, 500);
        assert_eq!(
            own,
            access(Some(&[1000, 1001, 500]), Some(&[1002, 1003, 500]))
        );
        let own = access(None, None).with_self(500, 500);
        assert_eq!(own, access(None, None));
        let own = access(Some(&[500]), None).with_self(500, 500);
        assert_eq!(own, access(Some(&[500]), None));
    }

    #[test]
    fn order_is_nothing() {
        let one = access(Some(&[1, 2]), None);
        assert!(one.same(&access(Some(&[2, 1]), Some(&[]))));
        assert!(!one.same(&access(Some(&[2]), None)));
    }
}
