//! `shifter-imagegw`: the image gateway.

pub mod auth;
pub mod blobs;
pub mod configuration;
pub mod layers;
pub mod pull;
pub mod signature;
pub mod state;
