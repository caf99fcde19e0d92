//! Who asks.

mod session;

pub use session::Session;
