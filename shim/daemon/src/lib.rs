//! What every server of the project's needs: connections within limits over TLS, a certificate, secrets kept as
//! digests, files that are whole or not there, settings that are read strictly, and systemd told how it stands.

pub mod answers;
mod certificate;
mod json_file;
mod listener;
mod notify;
mod secret;
mod signals;
mod timed;
mod whole_file;

pub use certificate::Certificate;
pub use json_file::{FileError, read as read_json};
pub use listener::{Connections, Limits, Listener, serve};
pub use notify::notify;
pub use secret::{Digest, NoRandom, fresh, random_text};
pub use signals::{Asked, Signals};
pub use whole_file::WholeFile;
