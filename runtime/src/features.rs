//! What this runtime can do, in the OCI spec's `features` structure.

/// The newest version of the OCI runtime spec that is understood.
pub const OCI_VERSION_MAX: &str = "1.2.1";
