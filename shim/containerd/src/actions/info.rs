//! `-info`: what this runtime is, for a containerd that asks before it runs anything (2.0 and later).

use std::io::{self, Write};

use anyhow::{Context, Result};
use containerd_shim_protos::protobuf::Message;
use containerd_shim_protos::protobuf::well_known_types::any::Any;
use containerd_shim_protos::types::introspection::{RuntimeInfo, RuntimeVersion};

use crate::program::RUNTIME;

/// The type of OCI's features, in JSON.
const FEATURES: &str = "types.containerd.io/opencontainers/runtime-spec/1/features/Features";

/// Prints it.
///
/// # Errors
/// Where nobody reads it.
pub fn info() -> Result<()> {
    let mut info = RuntimeInfo::new();
    info.name = RUNTIME.to_owned();
    info.version = Some(RuntimeVersion {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..RuntimeVersion::default()
    })
    .into();
    info.features = Some(Any {
        type_url: FEATURES.to_owned(),
        value: serde_json::to_vec(&runtime::features::features())?,
        ..Any::default()
    })
    .into();
    let bytes = info.write_to_bytes()?;
    io::stdout().write_all(&bytes).context("print")
}
