//! The end of a pull: who may use the image, its files on the system, and the record that says so.
//!
//! The image's file first, its `.meta` behind it, the record last, each on the disk before the next. Nobody finds an
//! image of which a part is missing.

use std::path::PathBuf;

use super::meta::meta;
use super::transfer::Target;
use super::work::WorkError;
use crate::gateway::Gateway;
use crate::pull::Found;
use crate::state::{Access, Change, Image, Memory, Pull, Status, now};

/// An image that was made, or found to be there.
#[derive(Debug)]
pub(super) struct Made {
    /// Its file, where it has to go to the system yet.
    pub file: Option<PathBuf>,
    /// Whether it took credentials to have it.
    pub is_private: bool,
    /// All but its tags and who may use it.
    pub image: Image,
}

impl Made {
    /// One that is there already.
    pub(super) fn again(pull: &Pull, found: &Found, image: Image) -> Self {
        Self {
            file: None,
            is_private: found.is_private || pull.import.is_some(),
            image,
        }
    }
}

pub(super) fn complete(
    gateway: &Gateway,
    pull: &Pull,
    made: &Made,
    should_stop: &dyn Fn() -> bool,
) -> Result<(), WorkError> {
    let system = &pull.name.system;
    let Some(target) = Target::of(gateway, system, should_stop) else {
        let text = format!("the configuration has no system {system:?} any more");
        return Err(WorkError::Refused(text));
    };
    let image = gateway.state.see(|memory| settled(memory, pull, made));
    if let Some(file) = &made.file {
        target.put_image(file, &image.id, image.format)?;
    }
    target.put_meta(&image.id, meta(&image).as_bytes())?;
    gateway.state.change(|memory, _| {
        let mut changes = without_tag(memory, pull, &image.id);
        changes.push(Change::Image(Box::new(image.clone())));
        changes.push(Change::NoPull(pull.number));
        (changes, ())
    })?;
    if let Some(waiting) = &pull.import {
        gateway.drop_import(waiting);
    }
    tracing::info!(pull = pull.number, tag = %pull.name.tag, id = %image.id, system, "ready");
    Ok(())
}

/// The image as it will be: with the tag, and with whoever may use it.
fn settled(memory: &Memory, pull: &Pull, made: &Made) -> Image {
    let mut image = made.image.clone();
    let old = memory.image(&image.system, &image.id);
    let old = old.filter(|old| old.status == Status::Ready);
    image.last_pull = now();
    image.status = Status::Ready;
    if let Some(old) = &old {
        image.tags.clone_from(&old.tags);
        image.owner = old.owner;
        image.expiration = old.expiration;
    }
    if !image.tags.contains(&pull.name.tag) {
        image.tags.push(pull.name.tag.clone());
    }
    (image.private, image.access) = access(pull, made.is_private, old.as_deref());
    image
}

/// Who may use an image from now on.
///
/// What a registry shows to everybody is everybody's. Else whoever had it first and administrators say who, and say it
/// anew with each pull; whoever else could fetch it is added and changes nothing for others.
fn access(pull: &Pull, is_private: bool, old: Option<&Image>) -> (bool, Access) {
    if !is_private {
        return (false, Access::default());
    }
    let uid = pull.requester.uid;
    match old {
        Some(old) if !old.private => (false, Access::default()),
        Some(old) if old.owner != uid && !pull.requester.is_admin => {
            (true, old.access.clone().with_user(uid))
        }
        _ => (true, pull.access.clone()),
    }
}

/// Other images that have the tag lose it.
fn without_tag(memory: &Memory, pull: &Pull, id: &str) -> Vec<Change> {
    let name = &pull.name;
    let others = memory.images(&name.system);
    let others = others.filter(|image| image.kind == name.kind && image.id != id);
    let have_it = others.filter(|image| image.tags.contains(&name.tag));
    have_it
        .map(|image| {
            let mut image = (**image).clone();
            image.tags.retain(|tag| *tag != name.tag);
            Change::Image(Box::new(image))
        })
        .collect()
}
