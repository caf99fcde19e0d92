//! Who runs next: the owners take turns, each with its own oldest execution, so that one who asks for much
//! delays the others by no more than one execution of theirs each.

use std::collections::{BTreeMap, HashMap, VecDeque};

/// Executions that wait, and how many of each owner's run. Owners and executions are named by their ids.
#[derive(Debug, Default)]
pub struct FairQueue {
    waiting: BTreeMap<String, VecDeque<String>>,
    /// Owners with something that waits, in the order of their turns.
    turns: VecDeque<String>,
    running: HashMap<String, usize>,
}

impl FairQueue {
    /// Appends an execution to its owner's.
    pub fn push(&mut self, owner: &str, id: &str) {
        let own = self.waiting.entry(owner.to_owned()).or_default();
        if own.is_empty() {
            self.turns.push_back(owner.to_owned());
        }
        own.push_back(id.to_owned());
    }

    /// Takes the next one out and counts it as running: its owner, and its id. `most` says how many an owner
    /// may have at once.
    pub fn pop(&mut self, most: impl Fn(&str) -> usize) -> Option<(String, String)> {
        let place = self.turns.iter().position(|owner| {
            let running = self.running.get(owner).copied().unwrap_or(0);
            running < most(owner)
        })?;
        let owner = self.turns.remove(place)?;
        let own = self.waiting.get_mut(&owner)?;
        let id = own.pop_front()?;
        if own.is_empty() {
            self.waiting.remove(&owner);
        } else {
            self.turns.push_back(owner.clone());
        }
        self.begin(&owner);
        Some((owner, id))
    }

    /// Counts one of `owner`'s as running that never waited here: one that a server before this one began.
    pub fn begin(&mut self, owner: &str) {
        *self.running.entry(owner.to_owned()).or_default() += 1;
    }

    /// Counts one of `owner`'s as ended.
    pub fn end(&mut self, owner: &str) {
        if let Some(running) = self.running.get_mut(owner) {
            *running = running.saturating_sub(1);
            if *running == 0 {
                self.running.remove(owner);
            }
        }
    }

    /// Takes an execution out that shall not run any more; whether it was there.
    pub fn remove(&mut self, owner: &str, id: &str) -> bool {
        let Some(own) = self.waiting.get_mut(owner) else {
            return false;
        };
        let before = own.len();
        own.retain(|waiting| waiting != id);
        let was_there = own.len() < before;
        if own.is_empty() {
            self.waiting.remove(owner);
            self.turns.retain(|turn| turn != owner);
        }
        was_there
    }

    /// The place of an execution, from 1, in the order in which all would begin if nothing else came.
    pub fn position(&self, owner: &str, id: &str) -> Option<usize> {
        let own = self.waiting.get(owner)?;
        let ahead = own.iter().position(|waiting| waiting == id)?;
        let turn = self.turns.iter().position(|turn| turn == owner)?;
        let others: usize = self
            .turns
            .iter()
            .enumerate()
            .filter(|(_, other)| *other != owner)
            .map(|(place, other)| {
                let theirs = self.waiting.get(other).map_or(0, VecDeque::len);
                theirs.min(ahead + usize::from(place < turn))
            })
            .sum();
        Some(ahead + others + 1)
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.values().map(VecDeque::len).sum()
    }

    /// How many of one owner's wait.
    pub fn len_of(&self, owner: &str) -> usize {
        self.waiting.get(owner).map_or(0, VecDeque::len)
    }

    /// How many run.
    pub fn running(&self) -> usize {
        self.running.values().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: fn(&str) -> usize = |_| usize::MAX;

    fn queue(ids: &[(&str, &str)]) -> FairQueue {
        let mut queue = FairQueue::default();
        for (owner, id) in ids {
            queue.push(owner, id);
        }
        queue
    }

    fn pop(queue: &mut FairQueue, most: impl Fn(&str) -> usize) -> Option<String> {
        queue.pop(most).map(|(_, id)| id)
    }

    fn drain(queue: &mut FairQueue) -> Vec<String> {
        std::iter::from_fn(|| pop(queue, ANY)).collect()
    }

    #[test]
    fn owners_take_turns_whoever_came_first() {
        let mut queue = queue(&[
            ("a", "a1"),
            ("a", "a2"),
            ("a", "a3"),
            ("b", "b1"),
            ("c", "c1"),
        ]);
        assert_eq!(drain(&mut queue), ["a1", "b1", "c1", "a2", "a3"]);
        assert_eq!((queue.len(), queue.running()), (0, 5));
    }

    #[test]
    fn a_position_is_where_it_will_come() {
        let mut queue = queue(&[
            ("a", "a1"),
            ("a", "a2"),
            ("b", "b1"),
            ("a", "a3"),
            ("c", "c1"),
            ("c", "c2"),
            ("c", "c3"),
            ("c", "c4"),
        ]);
        for _ in 0..3 {
            let told: Vec<_> = ["a1", "a2", "a3", "b1", "c1", "c2", "c3", "c4"]
                .iter()
                .filter_map(|id| Some((queue.position(&id[..1], id)?, (*id).to_owned())))
                .collect();
            let mut in_order = told.clone();
            in_order.sort();
            let mut copy = FairQueue {
                waiting: queue.waiting.clone(),
                turns: queue.turns.clone(),
                running: HashMap::new(),
            };
            let came = drain(&mut copy);
            assert_eq!(
                in_order.into_iter().map(|(_, id)| id).collect::<Vec<_>>(),
                came
            );
            queue.pop(ANY);
        }
    }

    #[test]
    fn an_owner_at_its_limit_lets_others_pass() {
        let mut queue = queue(&[("a", "a1"), ("a", "a2"), ("b", "b1"), ("b", "b2")]);
        let one = |_: &str| 1;
        assert_eq!(pop(&mut queue, one).as_deref(), Some("a1"));
        assert_eq!(pop(&mut queue, one).as_deref(), Some("b1"));
        assert_eq!(pop(&mut queue, one), None);
        queue.end("b");
        assert_eq!(pop(&mut queue, one).as_deref(), Some("b2"));
        assert_eq!(pop(&mut queue, one), None);
        queue.end("a");
        assert_eq!(pop(&mut queue, one).as_deref(), Some("a2"));
    }

    #[test]
    fn what_is_taken_out_never_runs() {
        let mut queue = queue(&[("a", "a1"), ("b", "b1")]);
        assert!(queue.remove("a", "a1") && !queue.remove("a", "a1"));
        assert_eq!(queue.position("b", "b1"), Some(1));
        assert_eq!(drain(&mut queue), ["b1"]);
    }
}
