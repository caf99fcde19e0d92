//! Root meets containers whose state an ordinary user wrote: Slurm and engines call the runtime as root on
//! them. Whatever that state says, root must do no more with it than the user could have done alone.
//!
//! Each attack is first shown to work where the state is root's own, or under runc and crun: a test of an
//! attack that can't work would prove nothing.

mod files;
mod forged;
mod hooks;
mod store;

/// The ordinary user. No database knows it, so its group is nobody's.
const ALICE: u32 = 54_321;
const ANOTHER: u32 = 54_322;
const NO_GROUP: u32 = 65_534;
