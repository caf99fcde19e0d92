//! `shifter-imagegw`: the image gateway.
