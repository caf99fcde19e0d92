//! Who a command is.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::config::IdRange;

/// Host ids for executions: the range that systemd's allocation leaves unused, 2^28 ids from here on.
const DEFAULT_RANGE: IdRange = IdRange {
    first: 0x7000_0000,
    count: 1 << 28,
};

/// Ids of one execution; the default range has 2^22 times as many, and Linux has at most that many pids.
const IDS_PER_SLOT: u32 = 64;

/// Who a command is, inside and on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// Ids of its own that nobody else has, for a caller that is root. The project's files stay their
    /// owner's: an idmapped mount shows them as the command's own.
    Own {
        /// The first of the execution's ids on the host.
        first_id: u32,
        /// Uid of the project directory's owner.
        project_uid: u32,
        /// Gid of the project directory.
        project_gid: u32,
        /// Whether the project's files are the command's own while it runs, because their file system can't map
        /// ids. Whoever runs it sees to that.
        is_lent: bool,
    },
    /// The caller's own, for a caller without privilege.
    Caller {
        /// The caller's uid.
        uid: u32,
        /// The caller's gid.
        gid: u32,
    },
}

impl Identity {
    /// Ids for `slot`. No two executions that run at once may have the same slot; the pid of whoever holds
    /// an execution is a good one, being unique on the host for as long as it is needed.
    pub fn own(slot: u32, project_uid: u32, project_gid: u32) -> Self {
        Self::Own {
            first_id: first_id(DEFAULT_RANGE, slot),
            project_uid,
            project_gid,
            is_lent: false,
        }
    }

    /// How many executions at once the ids of `range` are enough for.
    pub fn slots(range: IdRange) -> u32 {
        range.count / IDS_PER_SLOT
    }

    /// The first of the ids of `slot` in `range`, and how many there are. The range must have slots.
    pub fn ids(range: IdRange, slot: u32) -> (u32, u32) {
        (first_id(range, slot), IDS_PER_SLOT)
    }

    /// The same with the ids of `slot` in `range`, instead of the default range. The range must have slots.
    #[must_use]
    pub fn in_range(self, range: IdRange, slot: u32) -> Self {
        match self {
            Self::Own {
                project_uid,
                project_gid,
                is_lent,
                ..
            } => Self::Own {
                first_id: first_id(range, slot),
                project_uid,
                project_gid,
                is_lent,
            },
            caller @ Self::Caller { .. } => caller,
        }
    }

    /// The ids that executions have where the configuration says `range`.
    pub fn range(range: Option<IdRange>) -> IdRange {
        range.unwrap_or(DEFAULT_RANGE)
    }

    /// The same for a project whose files are lent.
    #[must_use]
    pub fn lent(mut self) -> Self {
        if let Self::Own { is_lent, .. } = &mut self {
            *is_lent = true;
        }
        self
    }

    /// The id that the project's files are lent to, if they are.
    pub fn borrower(self) -> Option<u32> {
        match self {
            Self::Own {
                first_id,
                is_lent: true,
                ..
            } => Some(first_id + self.inside()),
            _ => None,
        }
    }

    /// What `caller` (effective uid and gid) can give a command in `project`: root an identity of its own,
    /// in `slot` as [`Self::own`] has it; others only theirs.
    ///
    /// # Errors
    /// Where the project can't be looked at.
    pub fn for_caller(caller: (u32, u32), slot: u32, project: &Path) -> io::Result<Self> {
        let (uid, gid) = caller;
        if uid != 0 {
            return Ok(Self::Caller { uid, gid });
        }
        let owner = project.metadata()?;
        Ok(Self::own(slot, owner.uid(), owner.gid()))
    }

    /// Likewise one of those that executions get where the configuration says `range`: to show, for nobody
    /// claims it.
    ///
    /// # Errors
    /// Where the project can't be looked at.
    pub fn to_show(caller: (u32, u32), project: &Path, range: Option<IdRange>) -> io::Result<Self> {
        let slot = std::process::id();
        let shown = Self::for_caller(caller, slot, project)?;
        Ok(shown.in_range(Self::range(range), slot))
    }

    /// Uid and gid inside.
    pub(super) fn inside(self) -> u32 {
        match self {
            // 0 belongs to the setting up of the container.
            Self::Own { .. } => 1,
            // The only id that a caller without privilege can have mapped.
            Self::Caller { .. } => 0,
        }
    }

    /// First uid and gid on the host, and how many are mapped from 0 inside.
    pub(super) fn mapping(self) -> (u32, u32, u32) {
        match self {
            Self::Own { first_id, .. } => (first_id, first_id, IDS_PER_SLOT),
            Self::Caller { uid, gid } => (uid, gid, 1),
        }
    }
}

fn first_id(range: IdRange, slot: u32) -> u32 {
    let slots = Identity::slots(range).max(1);
    range.first + (slot % slots) * IDS_PER_SLOT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_do_not_overlap_and_stay_in_the_range() {
        let slots = Identity::slots(DEFAULT_RANGE);
        let first = |slot| Identity::own(slot, 0, 0).mapping();
        assert_eq!(first(0).0, 0x7000_0000);
        assert_eq!(first(1).0 - first(0).0, first(0).2);
        let (last, _, count) = first(slots - 1);
        assert_eq!(last + (count - 1), 0x7fff_ffff);
        assert_eq!(first(slots), first(0));
    }

    #[test]
    fn a_range_of_ones_own_is_used_up_and_not_left() {
        let range = IdRange {
            first: 200_000,
            count: 200,
        };
        assert_eq!(Identity::slots(range), 3);
        let first = |slot| Identity::own(9, 1, 2).in_range(range, slot).mapping().0;
        assert_eq!(
            [0, 1, 2, 3].map(first),
            [200_000, 200_064, 200_128, 200_000]
        );
    }

    #[test]
    fn who_borrows_is_the_command() {
        let identity = Identity::own(1, 1000, 1000);
        assert_eq!(identity.borrower(), None);
        assert_eq!(identity.lent().borrower(), Some(0x7000_0000 + 64 + 1));
        let caller = Identity::Caller { uid: 1, gid: 1 };
        assert_eq!(caller.lent().borrower(), None);
    }
}
