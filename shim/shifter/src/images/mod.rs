//! Images on this node: looked at, mounted by the kernel once however many containers use one, and let go of.

pub mod check;
mod error;
mod kernel;
pub mod layout;
pub mod own;
pub(crate) mod share;
mod shown;

pub use error::ImageError;
pub use share::{Held, Node, Use};
pub use shown::{ShowError, Shown};
