//! A filter that tells a listener of what it refuses.
//!
//! The kernel tells nobody of a call that fails with an errno. So each such answer becomes a question to the
//! listener, who asks the filter as it was ([`Filter::decide`]) and answers just that. Calls that pass aren't
//! slowed down, and where nobody listens any more the kernel answers ENOSYS: nothing passes that didn't before.

use super::compile::Filter;
use super::flags::{Flags, NEW_LISTENER, WAIT_KILLABLE_RECV};
use super::program::{ARCHITECTURE, Instruction, NUMBER, code};
use super::simulate::Decision;
use super::table::machine;

impl Filter {
    /// The filter to load in place of this one: it has a listener told of each call that this one answers with
    /// an errno, and of each native call named in `observed`, whatever this one says of it.
    ///
    /// The listener must answer by [`Self::decide`] of this one, and nothing else.
    #[must_use]
    pub fn telling(&self, observed: &[&str]) -> Self {
        let mut program = observed_first(observed);
        program.extend(self.program.iter().map(told));
        Self {
            program,
            flags: Flags {
                bits: self.flags.bits | NEW_LISTENER | WAIT_KILLABLE_RECV,
                has_listener: true,
            },
            unknown: self.unknown.clone(),
        }
    }

    /// The same for kernels before Linux 5.19, on which a signal may interrupt the wait for the answer.
    #[must_use]
    pub fn interruptible(&self) -> Self {
        let mut other = self.clone();
        other.flags.bits &= !WAIT_KILLABLE_RECV;
        other
    }
}

fn told(instruction: &Instruction) -> Instruction {
    let mut instruction = *instruction;
    if instruction.code == code::RETURN
        && let Decision::Errno(_) = Decision::from_return(instruction.k)
    {
        instruction.k = Decision::Notify.to_return();
    }
    instruction
}

/// Asks about the observed calls; whatever else falls through, to what follows.
fn observed_first(observed: &[&str]) -> Vec<Instruction> {
    let Some(machine) = machine() else {
        return vec![];
    };
    let names = observed.iter();
    let numbers: Vec<u32> = names.filter_map(|name| machine.number(name)).collect();
    let Ok(count) = u8::try_from(numbers.len()) else {
        return vec![];
    };
    if count == 0 {
        return vec![];
    }
    let plain = |code, k| Instruction {
        code,
        jt: 0,
        jf: 0,
        k,
    };
    let equal = |k, jt, jf| Instruction {
        code: code::EQUAL,
        jt,
        jf,
        k,
    };
    // The load, the comparisons, and the answer after them are what another architecture skips.
    let mut program = vec![
        plain(code::LOAD, ARCHITECTURE),
        equal(machine.native.audit(), 0, count.saturating_add(2)),
        plain(code::LOAD, NUMBER),
    ];
    for (left, number) in (0..count).rev().zip(numbers) {
        // The last one that doesn't match skips the answer.
        program.push(equal(number, left, u8::from(left == 0)));
    }
    program.push(plain(code::RETURN, Decision::Notify.to_return()));
    program
}

#[cfg(test)]
mod tests {
    use super::super::{Call, compile_strict, opt_server, syscalls};
    use super::*;

    fn filter() -> Filter {
        compile_strict(&opt_server().to_oci()).unwrap()
    }

    fn calls() -> impl Iterator<Item = Call> {
        let arch = machine().unwrap().native.audit();
        let native = syscalls().map(|(_, number)| u32::try_from(number).unwrap());
        let odd = [999, 0x4000_0000, 0x4000_00a5, u32::MAX];
        let args = [[0; 6], [u64::MAX; 6], [0, 0o4755, 0o101, 0o4755, 0, 0]];
        native.chain(odd).flat_map(move |nr| {
            let archs = [arch, 0x4000_0003, 0];
            archs
                .into_iter()
                .flat_map(move |arch| args.map(|args| Call { arch, nr, args }))
        })
    }

    #[test]
    fn errnos_become_questions_and_nothing_else_changes() {
        let (plain, telling) = (filter(), filter().telling(&[]));
        let mut asked = 0;
        for call in calls() {
            let expected = match plain.decide(&call) {
                Decision::Errno(_) => Decision::Notify,
                other => other,
            };
            assert_eq!(telling.decide(&call), expected, "{call:?}");
            asked += usize::from(expected == Decision::Notify);
        }
        assert!(asked > 100, "{asked}");
        assert!(telling.flags().has_listener);
        assert_eq!(telling.interruptible().flags().bits, NEW_LISTENER);
    }

    #[test]
    fn observed_calls_are_always_told() {
        let observed = ["execve", "openat", "no_such_call", "read"];
        let (plain, telling) = (filter(), filter().telling(&observed));
        let native = machine().unwrap().native.audit();
        for call in calls() {
            let name = super::super::syscall_name(call.nr.into()).unwrap_or_default();
            let is_observed = call.arch == native && observed.contains(&name);
            let expected = match plain.decide(&call) {
                _ if is_observed => Decision::Notify,
                Decision::Errno(_) => Decision::Notify,
                other => other,
            };
            assert_eq!(telling.decide(&call), expected, "{name} {call:?}");
        }
    }
}
