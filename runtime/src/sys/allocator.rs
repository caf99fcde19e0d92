//! Where memory comes from in a program that is linked with musl, as those of a release are (`hack/build-static`).
//!
//! musl's own allocator is made to be small and hard to abuse, not to be fast: a start, which is most of a short command, took as
//! long with it as with glibc. This one is a library's, behind the standard library's lock: the library's own is musl's, in
//! which a start spent as long as in the allocator.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::{Mutex, MutexGuard, PoisonError};

use dlmalloc::Dlmalloc;

#[global_allocator]
static HEAP: Heap = Heap(Mutex::new(Dlmalloc::new()));

struct Heap(Mutex<Dlmalloc>);

impl Heap {
    fn lock(&self) -> MutexGuard<'_, Dlmalloc> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// SAFETY: each call is the library's own of the same meaning, with the caller's promises handed on, and one at a time. The lock
// is taken and let go of without an allocation.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the layout is the caller's.
        unsafe { self.lock().malloc(layout.size(), layout.align()) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the layout is the caller's.
        unsafe { self.lock().calloc(layout.size(), layout.align()) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller promises that the pointer came from here with this layout.
        unsafe { self.lock().free(pointer, layout.size(), layout.align()) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the pointer came from here with this layout.
        unsafe {
            self.lock()
                .realloc(pointer, layout.size(), layout.align(), size)
        }
    }
}
