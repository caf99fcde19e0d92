//! Who a command is.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Host ids for executions: the range that systemd's allocation leaves unused, 2^28 ids from here on.
const FIRST_ID: u32 = 0x7000_0000;

/// Ids of one execution; with 2^22 slots, as many as Linux has pids, the range is used up exactly.
const IDS_PER_SLOT: u32 = 64;

const SLOTS: u32 = 1 << 22;

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
            first_id: FIRST_ID + (slot % SLOTS) * IDS_PER_SLOT,
            project_uid,
            project_gid,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_do_not_overlap_and_stay_in_the_range() {
        let first = |slot| Identity::own(slot, 0, 0).mapping();
        assert_eq!(first(0).0, 0x7000_0000);
        assert_eq!(first(1).0 - first(0).0, first(0).2);
        let (last, _, count) = first(SLOTS - 1);
        assert_eq!(last + (count - 1), 0x7fff_ffff);
        assert_eq!(first(SLOTS), first(0));
    }
}
