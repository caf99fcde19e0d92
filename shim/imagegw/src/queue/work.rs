//! A worker: one job after the other, until the queue is closed.

use std::fs;
use std::path::PathBuf;

use super::complete::{Made, complete};
use super::transfer::{Target, TransferError};
use super::watch::{Stop, Watch};
use super::{Job, imported, removal};
use crate::gateway::Gateway;
use crate::pull::{
    BadReference, Credentials, Found, LayerCount, Platform, PullError, PullRequest, Pulled, Source,
};
use crate::state::{Image, Pull, Settings, Status, StoreError, now};

/// Why a pull came to nothing. One line, for whoever asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum WorkError {
    #[error(transparent)]
    Pull(#[from] PullError),
    #[error(transparent)]
    Reference(#[from] BadReference),
    #[error(transparent)]
    Transfer(#[from] TransferError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("{0}")]
    Refused(String),
}

/// Does what there is to do until the queue is closed.
pub fn work(gateway: &Gateway) {
    while let Some(job) = gateway.queue.next() {
        match job {
            Job::Pull(number) => pull(gateway, number),
            Job::Removal(system, id) => removal::remove(gateway, &system, &id),
        }
    }
}

pub(super) fn pull(gateway: &Gateway, number: u64) {
    let taken = gateway.state.change_pull(number, |pull| {
        pull.attempts += 1;
        pull.status = match pull.import {
            Some(_) => Status::Hashing,
            None => Status::Pulling,
        };
        pull.last_heartbeat = Some(now());
    });
    let pull = match taken {
        Ok(Some(pull)) => pull,
        // It was given up while it waited.
        Ok(None) => return gateway.queue.forget(number),
        Err(error) => {
            // It stays on the disk as it is, for the next start.
            tracing::error!(number, error = %runtime::telling::line(&error), "can't begin a pull");
            return;
        }
    };
    let mut watch = Watch::new(gateway, number, pull.import.is_some());
    let done = make(gateway, &pull, &mut watch);
    let stop = watch.stop();
    if stop == Some(Stop::Ending) && done.is_err() {
        return;
    }
    if let Err(error) = done {
        fail(gateway, &pull, &told(&error, stop));
    }
    gateway.queue.forget(number);
    let outcome = gateway.state.see(|memory| memory.pull(number));
    gateway
        .metrics
        .ended(outcome.map_or(Status::Ready, |pull| pull.status));
}

fn told(error: &WorkError, stop: Option<Stop>) -> String {
    match (error, stop) {
        (WorkError::Pull(PullError::Stopped), Some(Stop::Cancelled)) => "given up".to_owned(),
        (WorkError::Pull(PullError::Stopped), Some(Stop::TooLong)) => {
            "took longer than this gateway lets a pull take".to_owned()
        }
        (WorkError::Transfer(error @ TransferError::Stopped { .. }), Some(stop)) => {
            let why = told(&WorkError::Pull(PullError::Stopped), Some(stop));
            format!("{why}: {}", runtime::telling::line(error))
        }
        _ => runtime::telling::line(error),
    }
}

/// Writes down that a pull came to nothing.
pub(super) fn fail(gateway: &Gateway, pull: &Pull, message: &str) {
    tracing::info!(pull = pull.number, tag = %pull.name.tag, message, "failed");
    let written = gateway.state.change_pull(pull.number, |pull| {
        pull.status = Status::Failure;
        pull.message = Some(message.to_owned());
        pull.last_pull = now();
    });
    if let Err(error) = written {
        tracing::error!(pull = pull.number, error = %runtime::telling::line(&error), "can't write a failure");
    }
    if let Some(waiting) = &pull.import {
        gateway.drop_import(waiting);
    }
}

/// From what is asked for to an image that is ready.
fn make(gateway: &Gateway, pull: &Pull, watch: &mut Watch<'_>) -> Result<(), WorkError> {
    let request = request(gateway, pull)?;
    if let Some(stop) = watch.stop() {
        return Err(stopped(stop));
    }
    let found = gateway.maker.find(&request)?;
    let id = identifier(pull, &found);
    may_keep(gateway, pull, &found, &id)?;
    watch.is_of(&id);
    let _held = gateway.queue.hold(&pull.name.system, &id);
    let should_stop = || watch.stop().is_some();
    let target = Target::of(gateway, &pull.name.system, &should_stop);
    let request = PullRequest {
        stays_at: target.and_then(|target| target.path(&id, request.format)),
        ..request.at(found.manifest_digest.clone())
    };
    let there = there(gateway, pull, &id, &should_stop);
    let made = match there {
        Some(image) => Made::again(pull, &found, image),
        None => {
            let pulled = gateway.maker.pull(&request, watch)?;
            let LayerCount { all, taken_over } = pulled.layers;
            tracing::info!(pull = pull.number, layers = all, taken_over, "made");
            gateway.metrics.made(pulled.layers);
            new(pull, id, pulled)
        }
    };
    let kept = keep(gateway, pull, &made, watch);
    discard(&made);
    kept
}

/// Has an image that was made, or is there, be what was asked for.
fn keep(gateway: &Gateway, pull: &Pull, made: &Made, watch: &Watch<'_>) -> Result<(), WorkError> {
    if let Some(stop) = watch.stop() {
        return Err(stopped(stop));
    }
    if made.file.is_some() {
        may_store(gateway, pull, &made.image.id, made.image.size)?;
    }
    watch.status(Status::Transfer);
    complete(gateway, pull, made, &|| watch.stop().is_some())
}

fn stopped(_: Stop) -> WorkError {
    WorkError::Pull(PullError::Stopped)
}

/// The image, where its file is on the system already and only what is said of it can be new.
fn there(
    gateway: &Gateway,
    pull: &Pull,
    id: &str,
    should_stop: &dyn Fn() -> bool,
) -> Option<Image> {
    let system = &pull.name.system;
    let image = gateway.state.see(|memory| memory.image(system, id))?;
    let is_same = image.status == Status::Ready && image.format == gateway.configuration.format;
    let target = Target::of(gateway, system, should_stop)?;
    (is_same && target.has(id, image.format, image.size)).then(|| (*image).clone())
}

fn request(gateway: &Gateway, pull: &Pull) -> Result<PullRequest, WorkError> {
    let source = match &pull.import {
        Some(waiting) => imported::source(&gateway.imports().join(waiting)),
        None => Source::Registry(
            gateway
                .reference(&pull.name.tag)
                .map_err(|failure| WorkError::Refused(failure.message))?,
        ),
    };
    let credentials = gateway.queue.credentials(pull.number);
    if pull.with_credentials && credentials.is_none() {
        return Err(WorkError::Refused(
            "the gateway was started anew and has no credentials any more; pull again".to_owned(),
        ));
    }
    Ok(PullRequest {
        source,
        platform: Platform::here(),
        credentials: credentials.unwrap_or(Credentials::Anonymous),
        format: gateway.configuration.format,
        destination: work_file(gateway, pull),
        stays_at: None,
    })
}

/// Where a file is made before it goes to its system.
pub(super) fn work_file(gateway: &Gateway, pull: &Pull) -> PathBuf {
    let name = format!("{}.{}", pull.number, gateway.configuration.format.name());
    gateway.configuration.state.join("made").join(name)
}

/// The name of an image's file: the digest's digits. That of an import can't be one of a registry's.
fn identifier(pull: &Pull, found: &Found) -> String {
    let digest = found.manifest_digest.as_str();
    let digits = digest.rsplit(':').next().unwrap_or(digest).to_owned();
    match pull.import {
        None => digits,
        Some(_) => {
            let text = format!("import {digits}");
            let digest = String::from(daemon::Digest::of(&text));
            digest.trim_start_matches("sha256:").to_owned()
        }
    }
}

fn may_keep(gateway: &Gateway, pull: &Pull, found: &Found, id: &str) -> Result<(), WorkError> {
    let limits = &gateway.configuration.limits;
    if found.size > limits.image_size {
        let (is, most) = (found.size, limits.image_size);
        return Err(WorkError::Refused(format!(
            "the image's layers are {is} bytes, and {most} are allowed"
        )));
    }
    // How large its file becomes isn't known yet.
    may_store(gateway, pull, id, 1)
}

/// Whether whoever asks may have an image of so many bytes beside the others.
fn may_store(gateway: &Gateway, pull: &Pull, id: &str, more: u64) -> Result<(), WorkError> {
    let Some(most) = gateway.configuration.limits.stored_per_user else {
        return Ok(());
    };
    let (system, uid) = (&pull.name.system, pull.requester.uid);
    let stored: u64 = gateway.state.see(|memory| {
        let images = memory.images(system);
        let own = images.filter(|image| image.owner == uid && image.status == Status::Ready);
        let own = own.filter(|image| image.id != id);
        own.map(|image| image.size).sum()
    });
    let would = stored.saturating_add(more);
    if would > most {
        return Err(WorkError::Refused(format!(
            "your images would hold {would} bytes, and {most} are allowed; hint: shifterimg delete"
        )));
    }
    Ok(())
}

fn new(pull: &Pull, id: String, pulled: Pulled) -> Made {
    let config = pulled.config;
    let some = |list: Vec<String>| (!list.is_empty()).then_some(list);
    let settings = Settings {
        environment: config.env,
        entry_point: some(config.entrypoint),
        command: some(config.cmd),
        working_directory: some(vec![config.working_directory.clone()])
            .filter(|_| !config.working_directory.is_empty())
            .map(|_| config.working_directory),
        labels: config.labels,
    };
    Made {
        file: Some(pulled.file),
        is_private: pulled.found.is_private || pull.import.is_some(),
        image: Image {
            system: pull.name.system.clone(),
            id,
            kind: pull.name.kind,
            tags: vec![],
            status: Status::Ready,
            format: pulled.format,
            size: pulled.size,
            file_digest: None,
            verity_digest: Some(pulled.digest),
            digest: pulled.found.manifest_digest.to_string(),
            private: false,
            access: crate::state::Access::default(),
            owner: pull.requester.uid,
            settings,
            last_pull: now(),
            expiration: None,
        },
    }
}

/// What isn't needed once the image is where it belongs, or nowhere.
fn discard(made: &Made) {
    if let Some(file) = &made.file {
        // What stays is removed at the next start.
        let _ = fs::remove_file(file);
    }
}
