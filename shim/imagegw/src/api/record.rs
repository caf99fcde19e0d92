//! Images and pulls as JSON.

use serde_json::{Map, Value, json};

use crate::gateway::{Answer, Waiting, seconds};
use crate::state::{Access, Image, Pull};

/// What Shifter's records have, and have as this where it isn't there.
const FIELDS: [&str; 13] = [
    "id",
    "system",
    "itype",
    "tag",
    "status",
    "userACL",
    "groupACL",
    "ENV",
    "ENTRY",
    "WORKDIR",
    "LABELS",
    "last_pull",
    "status_message",
];
const MISSING: &str = "MISSING";

/// A record in Shifter's form: every field, `MISSING` where there is nothing to say.
fn record(mut known: Map<String, Value>) -> Value {
    for field in FIELDS {
        let value = known.entry(field).or_insert(Value::Null);
        if value.is_null() {
            *value = MISSING.into();
        }
    }
    Value::Object(known)
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

/// An image, for Shifter's client.
pub(super) fn shifter_image(image: &Image) -> Value {
    let settings = &image.settings;
    let access = image.private.then_some(&image.access);
    record(object(json!({
        "id": image.id,
        "system": image.system,
        "itype": image.kind.as_str(),
        "tag": image.tags,
        "status": image.status.as_str(),
        "userACL": access.and_then(|access| access.users.as_ref()),
        "groupACL": access.and_then(|access| access.groups.as_ref()),
        "ENV": some(&settings.environment),
        "ENTRY": settings.entry_point,
        "WORKDIR": settings.working_directory,
        "LABELS": (!settings.labels.is_empty()).then_some(&settings.labels),
        "last_pull": seconds(image.last_pull),
    })))
}

fn some(list: &[String]) -> Option<&[String]> {
    (!list.is_empty()).then_some(list)
}

/// A pull, likewise.
pub(super) fn shifter_pull(pull: &Pull) -> Value {
    record(object(json!({
        "system": pull.name.system,
        "itype": pull.name.kind.as_str(),
        "tag": [pull.name.tag],
        "status": pull.status.as_str(),
        "userACL": pull.access.users,
        "groupACL": pull.access.groups,
        "last_pull": seconds(pull.last_pull),
        "status_message": pull.message,
    })))
}

/// What a pull came to so far, likewise.
pub(super) fn shifter_answer(answer: &Answer) -> Value {
    match answer {
        Answer::Image(image) => shifter_image(image),
        Answer::Pull(pull) => shifter_pull(pull),
    }
}

/// An image, all of it.
pub(super) fn image(image: &Image, expiration: Option<u64>) -> Value {
    json!({
        "id": image.id,
        "system": image.system,
        "type": image.kind.as_str(),
        "tags": image.tags,
        "status": image.status.as_str(),
        "format": image.format.name(),
        "size": image.size,
        "digest": image.digest,
        "file_digest": image.file_digest,
        "verity_digest": image.verity_digest,
        "private": image.private,
        "access": access(&image.access),
        "owner": image.owner,
        "environment": image.settings.environment,
        "entry_point": image.settings.entry_point,
        "command": image.settings.command,
        "working_directory": image.settings.working_directory,
        "labels": image.settings.labels,
        "last_pull": seconds(image.last_pull),
        "expires": expiration.map(seconds),
    })
}

fn access(access: &Access) -> Value {
    json!({ "users": access.users, "groups": access.groups })
}

/// A pull, with how far it is.
pub(super) fn pull(pull: &Pull, done: Option<(u64, Option<u64>)>) -> Value {
    json!({
        "number": pull.number,
        "system": pull.name.system,
        "type": pull.name.kind.as_str(),
        "tag": pull.name.tag,
        "status": pull.status.as_str(),
        "message": pull.message,
        "owner": pull.requester.uid,
        "asked": seconds(pull.last_pull),
        "done": done.map(|(done, _)| done),
        "total": done.and_then(|(_, total)| total),
    })
}

/// A pull of the queue, for whoever may see it.
pub(super) fn waiting(waiting: &Waiting) -> Value {
    let mut value = pull(&waiting.pull, waiting.done);
    if !waiting.is_shown {
        for key in ["tag", "message", "owner", "done", "total"] {
            value[key] = Value::Null;
        }
    }
    value
}
