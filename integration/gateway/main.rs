//! `shifter-imagegw` and `shifterimg` against real registries and a real munged, as sites and users run them, and images
//! as other people's tools make them.

mod buildah;
mod certificates;
mod clients;
mod firewall;
mod fixture;
mod images;
mod imports;
mod mounted;
mod munged;
mod nodes;
mod options;
mod origin;
mod proofs;
mod protocol;
mod proxies;
mod pulls;
mod queue_page;
mod remote;
mod restarts;
mod serving;
mod signatures;
mod sites;
mod sources;
mod sshd;
mod tokens;
mod unit;
mod updates;
