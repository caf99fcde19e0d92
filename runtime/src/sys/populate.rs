//! Pages that are sure to be needed, all at once.

use std::ptr::from_ref;

/// How much of the stack making a container takes, in bytes, and of what is allocated.
const STACK: usize = 88 << 10;
const HEAP: usize = 48 << 10;

/// A page, as the kernel has them on this architecture at least.
const PAGE: usize = 4096;

/// Has the kernel give this process, which is about to make a container, the pages of its stack and heap for that. One by one each costs
/// a fault, four microseconds in a virtual machine; at once less than half of it. To be called by a program's first thread.
pub(crate) fn populate_for_a_container() {
    let here = 0_u8;
    // The kernel has a stack be 128 KiB long when it executes a program; what isn't there isn't populated.
    populate(from_ref(&here).addr() - STACK, STACK);
    let heap = Vec::<u8>::with_capacity(HEAP);
    populate(heap.as_ptr().addr(), HEAP);
}

/// Nothing depends on it: an older kernel doesn't know how.
fn populate(from: usize, length: usize) {
    let first = from.next_multiple_of(PAGE);
    let length = (from + length).saturating_sub(first);
    let address = std::ptr::with_exposed_provenance_mut(first);
    // SAFETY: this maps what these pages hold already, and changes nothing of it.
    unsafe { libc::madvise(address, length, libc::MADV_POPULATE_WRITE) };
}

#[cfg(test)]
mod tests {
    use nix::sys::resource::{UsageWho, getrusage};

    use super::*;

    fn faults() -> i64 {
        let usage = getrusage(UsageWho::RUSAGE_THREAD).unwrap();
        usage.minor_page_faults()
    }

    #[test]
    fn what_is_populated_costs_no_fault_and_keeps_its_content() {
        const PAGES: usize = 64;
        let mut memory = vec![0_u8; (PAGES + 2) * PAGE];
        memory[PAGE] = 7;
        populate(memory.as_ptr().addr(), memory.len());
        let before = faults();
        for page in 1..=PAGES {
            memory[page * PAGE + 1] = 1;
        }
        let (after, kept) = (faults(), memory[PAGE]);
        assert!(after - before < PAGES as i64 / 8, "{}", after - before);
        assert_eq!(kept, 7);
    }

    #[inline(never)]
    fn use_stack() {
        let mut deep = [0_u8; STACK - 4 * PAGE];
        std::hint::black_box(&mut deep);
    }

    #[test]
    fn the_stack_is_there_when_a_container_is_made() {
        let faults = std::thread::spawn(|| {
            populate_for_a_container();
            let before = faults();
            use_stack();
            faults() - before
        });
        assert!(faults.join().unwrap() < 4);
    }

    #[test]
    fn what_is_not_there_stays_so() {
        populate(PAGE, 2 * PAGE);
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let begins = maps.lines().filter_map(|line| line.split('-').next());
        let lowest = begins.filter_map(|from| usize::from_str_radix(from, 16).ok());
        assert!(lowest.min() > Some(2 * PAGE), "{maps}");
    }
}
