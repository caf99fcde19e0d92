//! ttrpc, containerd's protocol between itself and shims: a header of ten bytes, and a message of protobuf.
//!
//! Messages are the `ttrpc` crate's. Its server isn't used: it has nine threads a connection, and one more for each
//! request that waits, of which a shim has one for as long as its container runs. Here, one thread reads all
//! connections ([`serve`]), and an answer may come whenever it is there ([`Reply`]).

mod client;
mod frame;
mod server;

pub use client::Client;
pub use server::{Reply, serve};
