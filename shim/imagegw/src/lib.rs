//! `shifter-imagegw`: the image gateway.

pub mod blobs;
pub mod pull;
