//! Where memory comes from in a program that is linked with musl, as those of a release are (`hack/build-static`).
//!
//! musl's own allocator is made to be small and hard to abuse, not to be fast: a start, which is most of a short command, took as
//! long with it as with glibc. This one is a library's; what uses it is safe Rust.

use dlmalloc::GlobalDlmalloc;

#[global_allocator]
static ALLOCATOR: GlobalDlmalloc = GlobalDlmalloc;
