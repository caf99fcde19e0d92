//! What the program is run for.

mod delete;
mod info;
mod serve;
mod start;

pub use delete::delete;
pub use info::info;
pub use serve::serve;
pub use start::start;

/// The action of a helper in the place of one that was killed.
pub const HELPER: &str = "helper";

/// Serves as the helper of the shim at the other end of standard input.
///
/// # Errors
/// Where standard input is no socket.
pub fn helper() -> anyhow::Result<()> {
    runtime::own_executable::protect()?;
    crate::helper::serve_standard_input()
}
