//! Listening to what a command's system call filter refuses, and counting it.
//!
//! Each answer is the filter's own: nothing passes here that it wouldn't let pass. A call that is refused in a
//! loop would keep this process busy, on nobody's account; so after [`FREE`] answers each one is delayed.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use bundles::seccomp::{Decision, EPERM, Filter, Refusal, refusal};
use rustix::event::{PollFd, PollFlags, poll};

use super::super::{Error, Result};
use super::Refused;
use super::looked::{AllLooked, Looked};
use crate::sys::{Answer, Question, answer, is_waiting, next_question};

/// Answers that are given at once: more than any program asks for in good faith, which tries a call and
/// then goes another way.
const FREE: u64 = 10_000;

/// How long each answer after those is held back: at most 5000 a second, for about a fortieth of a processor.
const DELAY: Duration = Duration::from_micros(200);

/// Different refusals that are told; a command can make up any number of numbers.
const TOLD: usize = 200;

type Counts = BTreeMap<(Refusal, u16), u64>;

/// What was found out so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Refusals {
    counts: Arc<Mutex<Counts>>,
    /// What it looked for, where that is observed.
    looked: Arc<Mutex<AllLooked>>,
}

impl Refusals {
    /// Listens until nobody has the filter any more. Only when this process forks no more.
    pub(super) fn listen(listener: OwnedFd, filter: Filter) -> Result<Self> {
        let found = Self::default();
        let mut listening = Listening {
            listener,
            filter,
            found: found.clone(),
            answers: 0,
        };
        thread::Builder::new()
            .name("refusals".to_owned())
            .spawn(move || {
                // Whoever asks after an error gets ENOSYS: the kernel's answer where nobody listens.
                let _ = listening.run();
            })
            .map_err(Error::step("make a thread for refused system calls"))?;
        Ok(found)
    }

    /// What was refused, the most frequent first.
    pub(super) fn told(&self) -> Vec<Refused> {
        let counts = lock(&self.counts);
        let mut told: Vec<Refused> = counts
            .iter()
            .map(|((refusal, errno), count)| Refused {
                refusal: refusal.clone(),
                errno: *errno,
                count: *count,
            })
            .collect();
        told.sort_by_key(|refused| std::cmp::Reverse(refused.count));
        told
    }

    /// What it looked for, the latest last.
    pub(super) fn looked(&self) -> Vec<Looked> {
        lock(&self.looked).told()
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Listening {
    listener: OwnedFd,
    filter: Filter,
    found: Refusals,
    answers: u64,
}

impl Listening {
    fn run(&mut self) -> io::Result<()> {
        loop {
            let mut waiting = [PollFd::new(&self.listener, PollFlags::IN)];
            match poll(&mut waiting, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
            let events = waiting[0].revents();
            if events.contains(PollFlags::IN) {
                if let Some(question) = next_question(self.listener.as_fd())? {
                    self.reply(&question)?;
                }
            } else if !events.is_empty() {
                // Nobody has the filter any more.
                return Ok(());
            }
        }
    }

    fn reply(&mut self, question: &Question) -> io::Result<()> {
        let errno = match self.filter.decide(&question.call) {
            Decision::Errno(errno) => errno,
            Decision::Allow => return self.observe(question),
            // Not asked for, by the filter that was loaded.
            _ => u16::try_from(EPERM).unwrap_or(1),
        };
        self.count(question, errno);
        self.answers += 1;
        if self.answers > FREE {
            thread::sleep(DELAY);
        }
        answer(self.listener.as_fd(), question.id, Answer::Errno(errno))
    }

    /// An observed call, which the filter lets pass.
    fn observe(&self, question: &Question) -> io::Result<()> {
        let is_waiting = || is_waiting(self.listener.as_fd(), question.id);
        lock(&self.found.looked).note(question.thread, &question.call, is_waiting);
        answer(self.listener.as_fd(), question.id, Answer::GoOn)
    }

    fn count(&self, question: &Question, errno: u16) {
        let mut counts = lock(&self.found.counts);
        let mut key = (refusal(&question.call), errno);
        if counts.len() >= TOLD && !counts.contains_key(&key) {
            key.0 = Refusal {
                name: "others".to_owned(),
                rule: format!("more than {TOLD} different refusals"),
            };
        }
        *counts.entry(key).or_default() += 1;
    }
}
