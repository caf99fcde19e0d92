//! Where memory comes from in a program that is linked with musl, as those of a release are (`hack/build-static`).
//!
//! musl's own allocator is made to be small and hard to abuse, and has every page touched that it hands out from; a start,
//! which is most of a short command, took a third longer with it. This one is a library's; what uses it is safe Rust.

use dlmalloc::GlobalDlmalloc;

#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;
