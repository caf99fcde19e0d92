//! Images of a site's store on this node, mounted by `shifter image`: as root, each in a mount namespace of its own.

mod bench;
mod convert;
mod mounted;
mod own;
mod refused;
mod shared;
mod store;
