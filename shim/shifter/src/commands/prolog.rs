//! `prolog`: what Slurm's prolog does for a job that asks for a container.
//!
//! What asks is the job's user, in the job's comment or by way of Shifter's plugin: none of it is believed to be anything
//! but words. A prolog that fails takes the node out of service, so only the site's own faults make it fail; what the
//! user asked in vain, the user is told by the step.

use std::env;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;
use runtime::telling;

use super::setup_root::Site;
use crate::container::hosts;
use crate::container::job::{Asked, Key, refuse, set_up};

/// Begins a comment that asks for a container.
const WORD: &str = "shifter";

/// Arguments of `prolog`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    site: Site,
}

/// What a job asks for, as it would on shifter's own command line.
#[derive(Debug, Default, PartialEq, Eq, Parser)]
#[command(name = WORD, disable_help_flag = true, disable_version_flag = true)]
struct Request {
    #[arg(short, long)]
    image: String,
    #[arg(short = 'V', long = "volume")]
    volumes: Vec<String>,
    #[arg(short, long)]
    module: Option<String>,
}

/// Makes the container, or leaves word why there is none.
pub fn execute(arguments: &Arguments) -> Result<ExitCode> {
    let Some(request) = Request::find(|name| env::var(name).ok()) else {
        return Ok(ExitCode::SUCCESS);
    };
    let config = arguments.site.configuration()?;
    let number = |name: &str| env::var(name).ok()?.parse().ok();
    let mut asked = Asked {
        key: Key::of_this_process()?,
        user: env::var("SLURM_JOB_USER").ok(),
        uid: Some(number("SLURM_JOB_UID").context("SLURM_JOB_UID is no number")?),
        // Older versions of Slurm don't tell it.
        gid: number("SLURM_JOB_GID"),
        image: String::new(),
        is_identifier: false,
        volumes: String::new(),
        modules: None,
        hosts: hosts::told(hosts::OF_PROLOG).unwrap_or_else(|error| {
            telling::say(&format!("shifter: no /var/hostsfile: {error}\n"));
            None
        }),
        ssh_key: env::var("SPANK_SHIFTER_SSH_PUBKEY").ok(),
    };
    let made = request.and_then(|request| {
        asked.image = request.image;
        asked.volumes = request.volumes.join(";");
        asked.modules = request.module;
        set_up(&config, &asked, &arguments.site.state.state)
    });
    if let Err(error) = made {
        let problem = telling::line(error.as_ref());
        telling::say(&format!("shifter: job {}: {problem}\n", asked.key));
        refuse(&config, &asked, problem)?;
    }
    Ok(ExitCode::SUCCESS)
}

impl Request {
    /// What the variables of a prolog ask for; none where they ask for nothing.
    fn find(variable: impl Fn(&str) -> Option<String>) -> Option<Result<Self>> {
        let plugin = |name: &str| variable(&format!("SPANK_SHIFTER_{name}"));
        let image = match (plugin("IMAGETYPE"), plugin("IMAGE")) {
            (Some(kind), Some(image)) => Some(format!("{kind}:{image}")),
            _ => plugin("IMAGEREQUEST"),
        };
        if let Some(image) = image {
            return Some(Ok(Self {
                image,
                volumes: plugin("VOLUME").into_iter().collect(),
                module: plugin("MODULE"),
            }));
        }
        let comment = variable("SLURM_JOB_COMMENT")?;
        let words: Vec<&str> = comment.split_ascii_whitespace().collect();
        if words.first() != Some(&WORD) {
            return None;
        }
        let parsed = Self::try_parse_from(words).map_err(|error| {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            anyhow::anyhow!("the job's comment: {line}")
        });
        Some(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> Option<Result<Request>> {
        Request::find(|name| {
            let mut all = variables.iter();
            let (_, value) = all.find(|(known, _)| *known == name)?;
            Some((*value).to_owned())
        })
    }

    fn request(image: &str, volumes: &[&str], module: Option<&str>) -> Request {
        Request {
            image: image.to_owned(),
            volumes: volumes.iter().map(|one| (*one).to_owned()).collect(),
            module: module.map(str::to_owned),
        }
    }

    #[test]
    fn a_job_asks_in_its_comment_or_by_shifters_plugin() {
        for (variables, wanted) in [
            (
                &[(
                    "SLURM_JOB_COMMENT",
                    "shifter --image=a:b -V /c:/d --volume=/e:/f -m g",
                )][..],
                request("a:b", &["/c:/d", "/e:/f"], Some("g")),
            ),
            (
                &[
                    ("SPANK_SHIFTER_IMAGETYPE", "id"),
                    ("SPANK_SHIFTER_IMAGE", "x"),
                    ("SPANK_SHIFTER_VOLUME", "/a:/b;/c:/d"),
                    ("SLURM_JOB_COMMENT", "shifter --image=other"),
                ],
                request("id:x", &["/a:/b;/c:/d"], None),
            ),
            (
                &[("SPANK_SHIFTER_IMAGEREQUEST", "docker:x")],
                request("docker:x", &[], None),
            ),
        ] {
            assert_eq!(found(variables).unwrap().unwrap(), wanted);
        }
        for nothing in [
            &[][..],
            &[("SLURM_JOB_COMMENT", "")],
            &[("SLURM_JOB_COMMENT", "shifters --image=x")],
            &[("SHIFTER_IMAGEREQUEST", "of the prolog's own")],
        ] {
            assert!(found(nothing).is_none(), "{nothing:?}");
        }
        for wrong in [
            "shifter",
            "shifter --image=x rm",
            "shifter --config=/tmp/x --image=y",
        ] {
            let error = found(&[("SLURM_JOB_COMMENT", wrong)]).unwrap().unwrap_err();
            let line = error.to_string();
            assert!(
                line.starts_with("the job's comment: ") && !line.contains('\n'),
                "{line}"
            );
        }
    }
}
