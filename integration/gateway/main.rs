//! `shifter-imagegw` against real registries, and images as other people's tools make them.

mod fixture;
mod images;
mod pulls;
mod signatures;
mod sources;
