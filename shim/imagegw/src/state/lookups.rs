//! The last lookups, of which only so many are kept.

use std::collections::VecDeque;

use super::record::Lookup;
use super::store::Change;

/// Kept; older ones go.
const MOST: usize = 10_000;

/// Lookups in their order, and which of them the disk has.
#[derive(Debug)]
pub(super) struct Lookups {
    kept: VecDeque<(u64, Lookup)>,
    next: u64,
    /// Numbers below this are on the disk.
    saved_below: u64,
    /// Numbers below this are no longer on the disk.
    gone_below: u64,
}

impl Lookups {
    pub(super) fn new(records: Vec<(u64, Lookup)>) -> Self {
        let next = records.last().map_or(0, |(number, _)| number + 1);
        let gone_below = records.first().map_or(next, |(number, _)| *number);
        Self {
            kept: records.into(),
            next,
            saved_below: next,
            gone_below,
        }
    }

    pub(super) fn push(&mut self, lookup: Lookup) {
        self.kept.push_back((self.next, lookup));
        self.next += 1;
        if self.kept.len() > MOST {
            self.kept.pop_front();
        }
    }

    pub(super) fn last(&self, system: &str, most: usize) -> Vec<Lookup> {
        let of_system = self
            .kept
            .iter()
            .rev()
            .filter(|(_, lookup)| lookup.system == system);
        let mut last: Vec<Lookup> = of_system
            .take(most)
            .map(|(_, lookup)| lookup.clone())
            .collect();
        last.reverse();
        last
    }

    /// What the disk needs to have the same.
    pub(super) fn unsaved(&self) -> Vec<Change> {
        let first = self.kept.front().map_or(self.next, |(number, _)| *number);
        let gone = (self.gone_below..first.min(self.saved_below)).map(Change::NoLookup);
        let new = self
            .kept
            .iter()
            .filter(|(number, _)| *number >= self.saved_below)
            .map(|(number, lookup)| Change::Lookup(*number, Box::new(lookup.clone())));
        gone.chain(new).collect()
    }

    /// The disk has these.
    pub(super) fn saved(&mut self, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Lookup(number, _) => self.saved_below = self.saved_below.max(number + 1),
                Change::NoLookup(number) => self.gone_below = self.gone_below.max(number + 1),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::Kind;
    use super::*;

    fn lookup(system: &str, number: usize) -> Lookup {
        Lookup {
            user: "ann".to_owned(),
            uid: 1,
            system: system.to_owned(),
            kind: Kind::Docker,
            tag: format!("t:{number}"),
            id: "1".to_owned(),
            time: 0.0,
        }
    }

    #[test]
    fn the_last_so_many_of_a_system() {
        let mut lookups = Lookups::new(vec![]);
        for number in 0..100 {
            lookups.push(lookup("a", number));
        }
        lookups.push(lookup("b", 0));
        assert_eq!(lookups.last("a", 10).len(), 10);
        assert_eq!(lookups.last("a", 10)[9].tag, "t:99");
        assert_eq!(lookups.last("a", 101).len(), 100);
        assert_eq!(lookups.last("b", 10).len(), 1);
    }

    #[test]
    fn only_so_many_are_kept_and_the_disk_follows() {
        let mut lookups = Lookups::new(vec![]);
        lookups.push(lookup("a", 0));
        let changes = lookups.unsaved();
        assert_eq!(changes.len(), 1);
        lookups.saved(&changes);
        assert!(lookups.unsaved().is_empty());
        for number in 0..MOST {
            lookups.push(lookup("a", number));
        }
        let changes = lookups.unsaved();
        assert_eq!(changes.len(), MOST + 1);
        assert!(matches!(changes[0], Change::NoLookup(0)));
        lookups.saved(&changes);
        assert!(lookups.unsaved().is_empty());
    }
}
