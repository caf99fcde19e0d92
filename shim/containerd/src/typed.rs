//! Messages inside of messages, which containerd names by a type's URL: bare names for protobuf, and OCI's in JSON.

use containerd_shim_protos::protobuf::MessageFull;
use containerd_shim_protos::protobuf::well_known_types::any::Any;
use containerd_shim_protos::protobuf::well_known_types::timestamp::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// `message`, with its name.
///
/// # Errors
/// Where it can't be written.
pub fn pack<M: MessageFull>(message: &M) -> containerd_shim_protos::protobuf::Result<Any> {
    Ok(Any {
        type_url: M::descriptor().full_name().to_owned(),
        value: message.write_to_bytes()?,
        ..Any::default()
    })
}

/// The message in `any`, if it is one of this type: what is meant for another runtime isn't for this one.
///
/// # Errors
/// Where it has the name and not the form.
pub fn unpack<M: MessageFull>(any: &Any) -> containerd_shim_protos::protobuf::Result<Option<M>> {
    let name = any.type_url.rsplit('/').next().unwrap_or_default();
    if name != M::descriptor().full_name() {
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
