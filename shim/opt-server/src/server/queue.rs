//! Who runs next: the owners take turns, each with its own oldest execution, so that one who asks for much
//! delays the others by no more than one execution of theirs each.

use std::collections::{BTreeMap, VecDeque};

/// What there is to know of an execution to tell whose turn it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The execution's id.
    pub id: String,
    /// The id of the key that created it.
    pub owner: String,
    /// The user whose key that is.
    pub user: String,
    /// The command.
    pub command: String,
}

/// Executions that wait, and those that run. Owners and executions are named by their ids.
#[derive(Debug, Default)]
pub struct FairQueue {
    waiting: BTreeMap<String, VecDeque<Job>>,
    /// Owners with something that waits, in the order of their turns.
    turns: VecDeque<String>,
    running: Vec<Job>,
}

impl FairQueue {
    /// Appends an execution to its owner's.
    pub fn push(&mut self, job: Job) {
        let own = self.waiting.entry(job.owner.clone()).or_default();
        if own.is_empty() {
            self.turns.push_back(job.owner.clone());
        }
        own.push_back(job);
    }

    /// Takes the next one out that `may` begin while those run that do, and counts it as running. One that may
    /// not lets the next of its owner's pass, and one of another owner's.
    pub fn pop(&mut self, may: impl Fn(&Job, &[Job]) -> bool) -> Option<Job> {
        let (turn, place) = self.turns.iter().enumerate().find_map(|(turn, owner)| {
            let own = self.waiting.get(owner)?;
            let place = own.iter().position(|job| may(job, &self.running))?;
            Some((turn, place))
        })?;
        let owner = self.turns.remove(turn)?;
        let own = self.waiting.get_mut(&owner)?;
        let job = own.remove(place)?;
        if own.is_empty() {
            self.waiting.remove(&owner);
        } else {
            self.turns.push_back(owner);
        }
        self.begin(job.clone());
        Some(job)
    }

    /// Counts an execution as running that never waited here: one that a server before this one began.
    pub fn begin(&mut self, job: Job) {
        self.running.push(job);
    }

    /// Counts an execution as ended.
    pub fn end(&mut self, id: &str) {
        self.running.retain(|job| job.id != id);
    }

    /// Takes an execution out that shall not run any more; whether it was there.
    pub fn remove(&mut self, owner: &str, id: &str) -> bool {
        let Some(own) = self.waiting.get_mut(owner) else {
            return false;
        };
        let before = own.len();
        own.retain(|waiting| waiting.id != id);
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
        let ahead = own.iter().position(|waiting| waiting.id == id)?;
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

    /// Those that run.
    pub fn running(&self) -> &[Job] {
        &self.running
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: fn(&Job, &[Job]) -> bool = |_, _| true;

    /// `id`, of the owner `owner`, with the command that the id ends in.
    fn job(owner: &str, id: &str) -> Job {
        Job {
            id: id.to_owned(),
            owner: owner.to_owned(),
            user: owner.to_owned(),
            command: id[1..].to_owned(),
        }
    }

    fn queue(ids: &[(&str, &str)]) -> FairQueue {
        let mut queue = FairQueue::default();
        for (owner, id) in ids {
            queue.push(job(owner, id));
        }
        queue
    }

    fn pop(queue: &mut FairQueue, may: impl Fn(&Job, &[Job]) -> bool) -> Option<String> {
        queue.pop(may).map(|job| job.id)
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
        assert_eq!((queue.len(), queue.running().len()), (0, 5));
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
                running: vec![],
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
        let one = |job: &Job, running: &[Job]| running.iter().all(|other| other.owner != job.owner);
        assert_eq!(pop(&mut queue, one).as_deref(), Some("a1"));
        assert_eq!(pop(&mut queue, one).as_deref(), Some("b1"));
        assert_eq!(pop(&mut queue, one), None);
        queue.end("b1");
        assert_eq!(pop(&mut queue, one).as_deref(), Some("b2"));
        assert_eq!(pop(&mut queue, one), None);
        queue.end("a1");
        assert_eq!(pop(&mut queue, one).as_deref(), Some("a2"));
    }

    #[test]
    fn an_execution_whose_command_is_at_its_limit_lets_its_owners_others_pass() {
        let mut queue = queue(&[("a", "a1"), ("b", "b1"), ("b", "b2"), ("c", "c1")]);
        let one =
            |job: &Job, running: &[Job]| running.iter().all(|other| other.command != job.command);
        assert_eq!(pop(&mut queue, one).as_deref(), Some("a1"));
        assert_eq!(pop(&mut queue, one).as_deref(), Some("b2"));
        assert_eq!(pop(&mut queue, one), None);
        queue.end("a1");
        assert_eq!(pop(&mut queue, one).as_deref(), Some("c1"));
        queue.end("c1");
        assert_eq!(pop(&mut queue, one).as_deref(), Some("b1"));
    }

    #[test]
    fn what_is_taken_out_never_runs() {
        let mut queue = queue(&[("a", "a1"), ("b", "b1")]);
        assert!(queue.remove("a", "a1") && !queue.remove("a", "a1"));
        assert_eq!(queue.position("b", "b1"), Some(1));
        assert_eq!(drain(&mut queue), ["b1"]);
    }
}
