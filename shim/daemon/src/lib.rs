//! What every server of the project's needs: connections within limits over TLS, a certificate, secrets kept as
//! digests, a database, files that are whole or not there, settings that are read strictly, requests counted, a log, and
//! systemd told how it stands.

pub mod answers;
mod certificate;
mod database;
mod json_file;
mod listener;
mod log;
pub mod metrics;
mod notify;
pub mod openapi;
mod secret;
mod signals;
mod timed;
mod whole_file;

pub use certificate::Certificate;
pub use database::{DatabaseError, EmbeddedDatabase};
pub use json_file::{FileError, read as read_json};
pub use listener::{Connections, Limits, Listener, serve};
pub use log::log;
pub use notify::notify;
pub use secret::{Digest, NoRandom, fresh, random_text};
pub use signals::{Asked, Signals};
pub use whole_file::WholeFile;
