//! Where memory comes from in a program that is linked with musl, as those of a release are (`hack/build-static`).
//!
//! musl's own allocator is made to be small and hard to abuse, not to be fast: a start, which is most of a short command, took as
//! long with it as with glibc. This one is a library's, behind lists of small pieces that were given back: most of what a short
//! command asks for is small and soon given back, and took three times as long when pieces were cut up and joined each time.

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use dlmalloc::Dlmalloc;

#[cfg(target_env = "musl")]
#[global_allocator]
static HEAP: Heap = Heap::new();

/// Pieces of a class are this much larger than those of the one before.
const STEP: usize = 16;

/// What the library keeps of its own beside a piece: pieces are smaller by it, so that none is wasted on its alignment.
const OWN: usize = size_of::<usize>();

/// How many sizes have a list, up to 1,016 bytes.
const CLASSES: usize = 64;

/// Held while something is looked for, some tens of instructions, but for the calls that ask the kernel for memory. One that
/// finds it held lets others run: nothing here is worth a wait in the kernel. Letting go is an ordinary store, which the
/// standard library's lock can't do; its two exchanges took as long as all the rest.
struct Heap {
    held: AtomicBool,
    pieces: UnsafeCell<Pieces>,
}

// SAFETY: `with` lets one thread at a time to the pieces.
unsafe impl Sync for Heap {}

impl Heap {
    const fn new() -> Self {
        Self {
            held: AtomicBool::new(false),
            pieces: UnsafeCell::new(Pieces {
                behind: Dlmalloc::new(),
                free: [ptr::null_mut(); CLASSES],
            }),
        }
    }

    fn with<T>(&self, act: impl FnOnce(&mut Pieces) -> T) -> T {
        while self.held.swap(true, Ordering::Acquire) {
            thread::yield_now();
        }
        // SAFETY: whoever exchanged false for true is the only one until it stores false.
        let result = act(unsafe { &mut *self.pieces.get() });
        self.held.store(false, Ordering::Release);
        result
    }
}

struct Pieces {
    behind: Dlmalloc,
    /// Of each class the piece that was given back last, which begins with the address of the one before.
    free: [*mut Free; CLASSES],
}

struct Free {
    before: *mut Free,
}

/// The class of the pieces for this layout; none where it is too large or asks for more than a piece's alignment.
fn class(layout: Layout) -> Option<usize> {
    let class = (layout.size() + STEP - 1 - OWN) / STEP;
    (class < CLASSES && layout.align() <= STEP).then_some(class)
}

impl Pieces {
    fn take(&mut self, layout: Layout) -> *mut u8 {
        let Some(class) = class(layout) else {
            // SAFETY: the layout is the caller's.
            return unsafe { self.behind.malloc(layout.size(), layout.align()) };
        };
        let last = self.free[class];
        if last.is_null() {
            // SAFETY: a size and an alignment that are always allowed.
            return unsafe { self.behind.malloc(class * STEP + OWN, STEP) };
        }
        // SAFETY: what is in a list was written by `give_back` and is nobody else's.
        self.free[class] = unsafe { (*last).before };
        last.cast()
    }

    /// The library knows of memory that the kernel has just given, and doesn't clear that.
    fn take_zeroed(&mut self, layout: Layout) -> *mut u8 {
        if class(layout).is_none() {
            // SAFETY: the layout is the caller's.
            return unsafe { self.behind.calloc(layout.size(), layout.align()) };
        }
        let piece = self.take(layout);
        if !piece.is_null() {
            // SAFETY: it has that many bytes.
            unsafe { piece.write_bytes(0, layout.size()) };
        }
        piece
    }

    /// # Safety
    /// The piece came from `take` with this layout, and nobody uses it any more.
    unsafe fn give_back(&mut self, piece: *mut u8, layout: Layout) {
        let Some(class) = class(layout) else {
            // SAFETY: the caller's promise; without a class it came from there.
            return unsafe { self.behind.free(piece, layout.size(), layout.align()) };
        };
        let piece: *mut Free = piece.cast();
        let before = self.free[class];
        // SAFETY: the caller's promise; a piece has the room and the alignment for one address.
        unsafe { piece.write(Free { before }) };
        self.free[class] = piece;
    }

    /// # Safety
    /// As for `give_back`; `size` is not zero, and with the layout's alignment it is a layout.
    unsafe fn resize(&mut self, piece: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (class(layout), class(wanted)) {
            // SAFETY: the caller's promise; without a class it came from there.
            (None, None) => unsafe {
                self.behind
                    .realloc(piece, layout.size(), layout.align(), size)
            },
            (old, new) if old == new => piece,
            _ => {
                let moved = self.take(wanted);
                if !moved.is_null() {
                    let kept = size.min(layout.size());
                    // SAFETY: two pieces, each at least that long.
                    unsafe { ptr::copy_nonoverlapping(piece, moved, kept) };
                    // SAFETY: the caller's promise; what was in it is in the other one.
                    unsafe { self.give_back(piece, layout) };
                }
                moved
            }
        }
    }
}

// SAFETY: a piece is one caller's until it is given back; null where there is no memory. Nothing here allocates through the
// standard library or panics.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.with(|pieces| pieces.take(layout))
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        self.with(|pieces| pieces.take_zeroed(layout))
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller promises that the pointer came from here with this layout.
        self.with(|pieces| unsafe { pieces.give_back(pointer, layout) });
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the pointer came from here with this layout, and a good size.
        self.with(|pieces| unsafe { pieces.resize(pointer, layout, size) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A piece of a heap, filled with a byte.
    struct Filled {
        piece: *mut u8,
        layout: Layout,
        with: u8,
    }

    impl Filled {
        fn of(heap: &Heap, size: usize, alignment: usize, with: u8) -> Self {
            let layout = Layout::from_size_align(size, alignment).unwrap();
            // SAFETY: the size isn't zero.
            let piece = unsafe { heap.alloc(layout) };
            assert!(!piece.is_null() && piece.addr().is_multiple_of(alignment));
            // SAFETY: it was given that many bytes.
            unsafe { piece.write_bytes(with, size) };
            Self {
                piece,
                layout,
                with,
            }
        }

        fn bytes(&self) -> &[u8] {
            // SAFETY: all were written to when it was made or made longer.
            unsafe { std::slice::from_raw_parts(self.piece, self.layout.size()) }
        }

        fn is_whole(&self) -> bool {
            self.bytes().iter().all(|byte| *byte == self.with)
        }

        /// What was in it stays, up to the shorter length.
        fn resize(&mut self, heap: &Heap, size: usize) {
            let kept = size.min(self.layout.size());
            // SAFETY: it came from this heap with this layout.
            self.piece = unsafe { heap.realloc(self.piece, self.layout, size) };
            self.layout = Layout::from_size_align(size, self.layout.align()).unwrap();
            // SAFETY: it has that many bytes, the first of which were written before.
            let start = unsafe { std::slice::from_raw_parts(self.piece, kept) };
            assert!(start.iter().all(|byte| *byte == self.with));
            // SAFETY: as before.
            unsafe { self.piece.write_bytes(self.with, size) };
        }

        fn give_back(self, heap: &Heap) {
            // SAFETY: it came from this heap with this layout.
            unsafe { heap.dealloc(self.piece, self.layout) };
        }
    }

    /// Numbers that look random and are the same every time.
    fn numbers(seed: u64) -> impl FnMut(usize) -> usize {
        let mut state = seed;
        move |below| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as usize % below
        }
    }

    #[test]
    fn what_was_given_back_last_is_given_again() {
        let heap = Heap::new();
        for size in [1, 8, 9, 24, 25, 1016] {
            let pieces = [1, 2].map(|with| Filled::of(&heap, size, 8, with));
            let [first, second] = [&pieces[0], &pieces[1]].map(|piece| piece.piece);
            for piece in pieces {
                piece.give_back(&heap);
            }
            let again = [3, 4].map(|with| Filled::of(&heap, size, 8, with).piece);
            assert_eq!(again, [second, first], "{size} bytes");
        }
    }

    #[test]
    fn a_class_has_room_for_its_sizes() {
        for size in 1..=CLASSES * STEP {
            let layout = Layout::from_size_align(size, 1).unwrap();
            match class(layout) {
                Some(class) => assert!((size..size + STEP).contains(&(class * STEP + OWN))),
                None => assert!(size > (CLASSES - 1) * STEP + OWN),
            }
        }
        assert_eq!(class(Layout::from_size_align(64, 32).unwrap()), None);
    }

    #[test]
    fn what_is_asked_for_as_zeros_is_so_after_something_else_was_there() {
        let heap = Heap::new();
        for size in [1, 100, 1016, 1017, 100_000] {
            Filled::of(&heap, size, 8, 7).give_back(&heap);
            let layout = Layout::from_size_align(size, 8).unwrap();
            // SAFETY: the size isn't zero.
            let piece = unsafe { heap.alloc_zeroed(layout) };
            // SAFETY: it was given that many bytes.
            let zeros = unsafe { std::slice::from_raw_parts(piece, size) };
            assert!(zeros.iter().all(|byte| *byte == 0), "{size} bytes");
        }
    }

    /// Takes, changes and gives back in one order after another, looking each time whether somebody else wrote to it.
    fn use_it(heap: &Heap, seed: u64) {
        let mut next = numbers(seed);
        let mut held: Vec<Filled> = vec![];
        for round in 0..20_000 {
            // Mostly small, as a command's.
            let below = [64, 64, 1200, 9000][next(4)];
            let size = 1 + next(below);
            match next(3) {
                0 if held.len() < 200 => {
                    held.push(Filled::of(heap, size, 1 << next(7), round as u8))
                }
                1 if !held.is_empty() => {
                    let which = next(held.len());
                    held[which].resize(heap, size);
                }
                _ if !held.is_empty() => {
                    let piece = held.swap_remove(next(held.len()));
                    assert!(piece.is_whole());
                    piece.give_back(heap);
                }
                _ => {}
            }
        }
        for piece in held {
            assert!(piece.is_whole());
            piece.give_back(heap);
        }
    }

    #[test]
    fn a_piece_is_nobody_elses_whoever_takes_and_gives_back_at_the_same_time() {
        let heap = Heap::new();
        thread::scope(|scope| {
            for seed in 1..=4 {
                let heap = &heap;
                scope.spawn(move || use_it(heap, seed));
            }
        });
    }
}
