//! `shifterimg import`: the file is opened as the user, and sent.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bundles::shifter::image::ImageType;
use ring::digest::{Context as Digest, SHA256};
use serde_json::Value;

use super::allowed;
use super::pull::Shower;
use crate::gateway::Gateways;
use crate::site::{Options, Site, path, shown};

/// Between two questions how it stands.
const BETWEEN: Duration = Duration::from_millis(500);

pub fn execute(options: &Options, image: &str, file: &Path) -> Result<ExitCode> {
    let site = Site::read(options)?;
    let image = site.image(image)?;
    if image.kind != ImageType::Custom {
        bail!(
            "image {}: what is imported is of type custom",
            shown(&image)
        );
    }
    let opened = File::open(file).with_context(|| format!("read {}", file.display()))?;
    if !opened.metadata()?.is_file() {
        bail!("{}: not a file", file.display());
    }
    let digest = digest(&opened).with_context(|| format!("read {}", file.display()))?;
    let name = path(&image);
    let tag = name.split_once('/').map_or("", |(_, tag)| tag);
    let mut target = format!("/v2/systems/{}/imports/{tag}?digest={digest}", site.system);
    let allowed = allowed(options)?;
    for (key, parameter) in [("allowed_uids", "users"), ("allowed_gids", "groups")] {
        if let Some(ids) = allowed[key].as_str() {
            target += &format!("&{parameter}={ids}");
        }
    }
    let gateways = Gateways::of(&site.patient(), options)?;
    let begun = gateways.send(&target, &opened)?;
    let system = begun["pull"]["system"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let number = begun["pull"]["number"].clone();
    let mut shower = Shower::new(shown(&image));
    loop {
        let queue = gateways.ask("GET", &format!("/v2/systems/{system}/queue"), None)?;
        let pulls = queue["pulls"].as_array().into_iter().flatten();
        let own = pulls.into_iter().find(|pull| pull["number"] == number);
        match own {
            // What is no longer among those that aren't finished is.
            None => return Ok(shower.end("READY", &Value::Null)),
            Some(pull) if pull["status"] == "FAILURE" => {
                return Ok(shower.end("FAILURE", pull));
            }
            Some(pull) => {
                shower.show(pull["status"].as_str().unwrap_or_default(), pull);
            }
        }
        sleep(BETWEEN);
    }
}

/// Of the file's content.
fn digest(mut file: &File) -> Result<String> {
    let mut context = Digest::new(&SHA256);
    let mut piece = vec![0; 1 << 20];
    loop {
        let length = file.read(&mut piece)?;
        if length == 0 {
            break;
        }
        context.update(&piece[..length]);
    }
    let found = context.finish();
    let digits = found.as_ref().iter().map(|byte| format!("{byte:02x}"));
    Ok(format!("sha256:{}", digits.collect::<String>()))
}
