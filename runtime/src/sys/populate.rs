//! Pages that are sure to be needed, all at once.

use std::ptr::from_ref;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::kernel_file;

/// How much of the stack making a container takes, in bytes, and of what is allocated.
const STACK: usize = 88 << 10;
const HEAP: usize = 48 << 10;

/// What is mapped and larger was hardly meant to be touched as a whole, bytes.
const MOST: usize = 16 << 20;

/// A page, as the kernel has them on this architecture at least.
const PAGE: usize = 4096;

/// Where they are, in a process that has asked for them.
static STACK_TOP: AtomicUsize = AtomicUsize::new(0);
static HEAP_START: AtomicUsize = AtomicUsize::new(0);

// SAFETY: no byte of theirs is ever read.
unsafe extern "C" {
    // Where the linker has the data begin that is zero at first, and where it ends: ld(1).
    static __bss_start: u8;
    static _end: u8;
}

/// Has the kernel give this process, which is about to make a container, the pages of its stack and heap for that. One by one each costs
/// a fault, four microseconds in a virtual machine; at once less than half of it. To be called by a program's first thread.
pub(crate) fn populate_for_a_container() {
    let top = here();
    // The kernel has a stack be 128 KiB long when it executes a program; what isn't there isn't populated.
    populate(top - STACK, STACK);
    let heap = Vec::<u8>::with_capacity(HEAP);
    populate(heap.as_ptr().addr(), HEAP);
    STACK_TOP.store(top, Ordering::Relaxed);
    HEAP_START.store(heap.as_ptr().addr(), Ordering::Relaxed);
}

/// The same after a fork(2), of what both processes go on writing to and share so far: each would have a fault for each page. The
/// child doesn't come back to what is `above` it on the stack.
pub(crate) fn populate_after_fork(above: bool) {
    let [top, heap] = [&STACK_TOP, &HEAP_START].map(|at| at.load(Ordering::Relaxed));
    if heap == 0 {
        return;
    }
    populate(heap, HEAP);
    let [data, end] = [&raw const __bss_start, &raw const _end].map(<*const u8>::addr);
    populate(page_of(data), end - page_of(data));
    if above {
        let here = page_of(here());
        populate(here, top.saturating_sub(here));
    }
}

/// The same with all that this process has, for one that waits and has to be quick then: its text, and what it writes to, which
/// it may share with processes that it was forked from or has forked. A mapping of more than [`MOST`] is left.
pub(crate) fn populate_all() {
    // Where it can't be read, what isn't there comes with a fault, as ever.
    let maps = kernel_file::read("/proc/self/maps").unwrap_or_default();
    for (from, length, how) in maps.lines().filter_map(mapping) {
        if length <= MOST {
            advise(from, length, how);
        }
    }
}

/// `address-address rights …`: proc(5).
fn mapping(line: &str) -> Option<(usize, usize, libc::c_int)> {
    let mut fields = line.split(' ');
    let (from, to) = fields.next()?.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    let how = match fields.next()?.as_bytes() {
        [b'r', b'w', _, b'p'] => libc::MADV_POPULATE_WRITE,
        [b'r', b'-', _, b'p'] => libc::MADV_POPULATE_READ,
        _ => return None,
    };
    let from = address(from)?;
    Some((from, address(to)?.checked_sub(from)?, how))
}

#[inline(always)]
fn here() -> usize {
    let here = 0_u8;
    from_ref(&here).addr()
}

fn page_of(address: usize) -> usize {
    address & !(PAGE - 1)
}

fn populate(from: usize, length: usize) {
    let first = from.next_multiple_of(PAGE);
    let length = (from + length).saturating_sub(first);
    advise(first, length, libc::MADV_POPULATE_WRITE);
}

/// Nothing depends on it: an older kernel doesn't know how.
fn advise(from: usize, length: usize, how: libc::c_int) {
    let address = std::ptr::with_exposed_provenance_mut(from);
    // SAFETY: `how` is one of the two that map what these pages hold already, and change nothing of it.
    unsafe { libc::madvise(address, length, how) };
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

    /// How many faults the first write to what is shared with a child is.
    fn faults_after_fork() -> i64 {
        let child = crate::sys::fork_child(|| {
            // Until it is killed.
            std::thread::sleep(std::time::Duration::from_mins(1));
            0
        });
        populate_after_fork(true);
        let before = faults();
        HEAP_START.fetch_add(0, Ordering::Relaxed);
        let after = faults();
        let child = child.unwrap();
        nix::sys::signal::kill(child, nix::sys::signal::Signal::SIGKILL).unwrap();
        nix::sys::wait::waitpid(child, None).unwrap();
        after - before
    }

    #[test]
    fn what_is_shared_with_a_child_is_copied_at_once() {
        let thread = std::thread::spawn(|| {
            populate_for_a_container();
            // Whatever else is tested here may fork just then.
            (0..10).any(|_| faults_after_fork() == 0)
        });
        assert!(thread.join().unwrap());
    }

    #[test]
    fn all_that_is_mapped_and_read_is_populated_and_not_what_is_shared_or_closed() {
        let line = |rights: &str| format!("1000-3000 {rights} 00000000 00:00 0 [heap]");
        let (read, write) = (libc::MADV_POPULATE_READ, libc::MADV_POPULATE_WRITE);
        for (rights, how) in [
            ("rw-p", Some(write)),
            ("r-xp", Some(read)),
            ("r--p", Some(read)),
            ("rw-s", None),
            ("---p", None),
        ] {
            let expected = how.map(|how| (0x1000, 0x2000, how));
            assert_eq!(mapping(&line(rights)), expected, "{rights}");
        }
        assert_eq!(mapping("nonsense"), None);
    }

    /// As in a process that is ready, which was forked and has forked since.
    #[test]
    fn what_a_process_has_costs_no_fault_after_a_fork() {
        const PAGES: usize = 64;
        let mut memory = vec![1_u8; PAGES * PAGE];
        let mut count = |populates: bool| {
            let child = crate::sys::fork_child(|| {
                if populates {
                    populate_all();
                }
                let before = faults();
                for page in memory.chunks_mut(PAGE) {
                    page[0] += 1;
                }
                i32::try_from(faults() - before).map_or(255, |faults| faults.min(255))
            });
            match nix::sys::wait::waitpid(child.unwrap(), None).unwrap() {
                nix::sys::wait::WaitStatus::Exited(_, faults) => faults,
                other => panic!("{other:?}"),
            }
        };
        assert!(count(false) >= i32::try_from(PAGES).unwrap() - 2);
        assert!(count(true) < i32::try_from(PAGES).unwrap() / 8);
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
