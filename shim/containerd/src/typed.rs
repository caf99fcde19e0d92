//! Messages inside of messages, which containerd names by a type's URL: bare names for protobuf, and OCI's in JSON.

use std::time::{SystemTime, UNIX_EPOCH};

use containerd_shim_protos::cgroups::metrics::Metrics;
use containerd_shim_protos::cgroups_v2::metrics::Metrics as UnifiedMetrics;
use containerd_shim_protos::events::task::{
    TaskCheckpointed, TaskCreate, TaskDelete, TaskExecAdded, TaskExecStarted, TaskExit, TaskOOM,
    TaskPaused, TaskResumed, TaskStart,
};
use containerd_shim_protos::protobuf::well_known_types::any::Any;
use containerd_shim_protos::protobuf::well_known_types::timestamp::Timestamp;
use containerd_shim_protos::protobuf::{Message, Result};
use containerd_shim_protos::shim::oci::{CheckpointOptions, Options, ProcessDetails};

/// A message that stands inside of others. Its name is written down here: to have it from the message's descriptor
/// would build the descriptors of everything that it knows, and keep them, half a megabyte a shim.
pub trait Typed: Message {
    /// The package that its name begins with.
    const PACKAGE: &'static str;
}

macro_rules! typed {
    ($($package:literal: $($message:ty),+;)+) => {
        $($(impl Typed for $message {
            const PACKAGE: &'static str = $package;
        })+)+
    };
}

typed! {
    "containerd.events": TaskCheckpointed, TaskCreate, TaskDelete, TaskExecAdded, TaskExecStarted, TaskExit, TaskOOM,
        TaskPaused, TaskResumed, TaskStart;
    "containerd.runc.v1": CheckpointOptions, Options, ProcessDetails;
    "io.containerd.cgroups.v1": Metrics;
    "io.containerd.cgroups.v2": UnifiedMetrics;
}

fn name<M: Typed>() -> String {
    format!("{}.{}", M::PACKAGE, M::NAME)
}

/// `message`, with its name.
///
/// # Errors
/// Where it can't be written.
pub fn pack<M: Typed>(message: &M) -> Result<Any> {
    Ok(Any {
        type_url: name::<M>(),
        value: message.write_to_bytes()?,
        ..Any::default()
    })
}

/// The message in `any`, if it is one of this type: what is meant for another runtime isn't for this one.
///
/// # Errors
/// Where it has the name and not the form.
pub fn unpack<M: Typed>(any: &Any) -> Result<Option<M>> {
    let given = any.type_url.rsplit('/').next().unwrap_or_default();
    if given != name::<M>() {
        return Ok(None);
    }
    M::parse_from_bytes(&any.value).map(Some)
}

/// A time as messages have it.
pub fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp {
        seconds: since.as_secs().cast_signed(),
        nanos: since.subsec_nanos().cast_signed(),
        ..Timestamp::default()
    }
}

#[cfg(test)]
mod tests {
    use containerd_shim_protos::protobuf::MessageFull;

    use super::*;

    fn is_its_own<M: Typed + MessageFull>() {
        assert_eq!(name::<M>(), M::descriptor().full_name());
    }

    #[test]
    fn each_name_is_that_of_the_descriptor() {
        is_its_own::<TaskExit>();
        is_its_own::<TaskOOM>();
        is_its_own::<TaskExecAdded>();
        is_its_own::<Options>();
        is_its_own::<CheckpointOptions>();
        is_its_own::<ProcessDetails>();
        is_its_own::<Metrics>();
        is_its_own::<UnifiedMetrics>();
    }

    #[test]
    fn what_is_meant_for_another_runtime_is_nothing() {
        let mut any = pack(&ProcessDetails::default()).unwrap();
        assert!(unpack::<Options>(&any).unwrap().is_none());
        assert!(unpack::<ProcessDetails>(&any).unwrap().is_some());
        any.type_url = format!("type.googleapis.com/{}", any.type_url);
        assert!(unpack::<ProcessDetails>(&any).unwrap().is_some());
    }
}
