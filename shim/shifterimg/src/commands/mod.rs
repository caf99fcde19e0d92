//! One file a mode, or two that are nearly the same.

mod delete;
mod expire;
mod images;
mod import;
mod inspect;
mod login;
mod lookup;
mod pull;
mod queue;

use std::process::ExitCode;

use anyhow::Result;
use clap::Subcommand;
use serde_json::{Value, json};

use crate::site::Options;
use crate::users;

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Mode {
    /// List the images that are ready for you
    Images {
        /// As the gateway told them
        #[arg(long)]
        json: bool,
    },
    /// Print an image's identifier; exit with 1 where there is none that is yours to use
    Lookup {
        /// [TYPE:]TAG
        image: String,
    },
    /// Have an image pulled, and wait for it; exit with 1 where that fails
    Pull {
        /// [TYPE:]TAG
        image: String,
    },
    /// Have an image pulled, and don't wait
    Pullnb {
        /// [TYPE:]TAG
        image: String,
    },
    /// Keep a user's name and password for a registry
    Login {
        /// The gateway's name for the registry [default: that of images that name none]
        location: Option<String>,
    },
    /// Have an image removed (administrators)
    Expire {
        /// [TYPE:]TAG
        image: String,
    },
    /// Have all images removed that expired (administrators)
    Autoexpire,
    /// Make an image of a file of yours: what docker save or podman save wrote
    Import {
        /// custom:TAG
        image: String,
        /// The file
        file: std::path::PathBuf,
    },
    /// List the pulls that aren't finished, or failed
    Queue {
        /// As the gateway told them
        #[arg(long)]
        json: bool,
        /// Print the address of the queue's page, and a name and a password that a browser gets in with
        #[arg(long, conflicts_with = "json")]
        page: bool,
    },
    /// Print all that the gateway knows of an image, as JSON
    Inspect {
        /// [TYPE:]TAG
        image: String,
    },
    /// Have an image removed that is yours
    Delete {
        /// [TYPE:]TAG
        image: String,
    },
}

/// Does it.
pub fn execute(mode: Mode, options: &Options) -> Result<ExitCode> {
    match mode {
        Mode::Images { json } => images::execute(options, json),
        Mode::Lookup { image } => lookup::execute(options, &image),
        Mode::Pull { image } => pull::execute(options, &image, true),
        Mode::Pullnb { image } => pull::execute(options, &image, false),
        Mode::Login { location } => login::execute(options, location.as_deref()),
        Mode::Expire { image } => expire::one(options, &image),
        Mode::Autoexpire => expire::overdue(options),
        Mode::Import { image, file } => import::execute(options, &image, &file),
        Mode::Queue { page: true, .. } => queue::page(options),
        Mode::Queue { json, .. } => queue::execute(options, json),
        Mode::Inspect { image } => inspect::execute(options, &image),
        Mode::Delete { image } => delete::execute(options, &image),
    }
}

/// Who is to use the image, by `--user` and `--group`.
fn allowed(options: &Options) -> Result<Value> {
    let mut body = json!({});
    for (key, database, list) in [
        ("allowed_uids", "passwd", &options.user),
        ("allowed_gids", "group", &options.group),
    ] {
        if let Some(list) = list {
            let ids = users::numbers(database, list)?;
            let ids: Vec<String> = ids.iter().map(u32::to_string).collect();
            body[key] = ids.join(",").into();
        }
    }
    Ok(body)
}
