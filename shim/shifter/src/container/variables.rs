//! What the caller's variables and options ask for.

use std::env;
use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use bundles::shifter::Config;
use bundles::shifter::config::Module;
use bundles::shifter::environment::{Environment, Sources, assignment, read_file};
use bundles::shifter::volumes::{Asker as VolumesOf, VolumeMap};
use runtime::own_executable;

use super::Options;
use super::caller::Asker;
use super::mode::Mode;

/// Variables about who one is: name, name again, home directory, shell.
const OF_USER: [&str; 4] = ["USER", "LOGNAME", "HOME", "SHELL"];

/// The image, the volumes and the modules that are asked for, by options or else by variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Requested {
    pub image: String,
    pub volumes: Vec<VolumeMap>,
    pub modules: Option<String>,
}

impl Requested {
    pub(super) fn of(options: &Options) -> Result<Self> {
        Self::named(options)?.context("no image is named; hint: shifter --image=NAME COMMAND")
    }

    /// Likewise; none where nothing is asked for at all.
    pub(super) fn named(options: &Options) -> Result<Option<Self>> {
        Self::from(options, |name| env::var(name).ok())
    }

    /// A variable counts by its own name, or else with what Slurm's plugin puts before it.
    fn from(options: &Options, variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>> {
        let variable = |name: &str| {
            let plain = variable(&format!("SHIFTER_{name}"));
            plain.or_else(|| variable(&format!("SLURM_SPANK_SHIFTER_{name}")))
        };
        let by_variables = || match (variable("IMAGETYPE"), variable("IMAGE")) {
            (Some(kind), Some(image)) => Some(format!("{kind}:{image}")),
            _ => variable("IMAGEREQUEST"),
        };
        let image = options.image.clone().or_else(by_variables);
        // The first volume of the command line discards the variable's.
        let volumes = match options.volumes.is_empty() {
            true => variable("VOLUME").unwrap_or_default(),
            false => options.volumes.join(";"),
        };
        let modules = options.module.clone().or_else(|| variable("MODULE"));
        let Some(image) = image else {
            if !volumes.is_empty() || modules.is_some() {
                bail!("no image is named; hint: shifter --image=NAME COMMAND");
            }
            return Ok(None);
        };
        Ok(Some(Self {
            image,
            volumes: VolumeMap::parse(&volumes, VolumesOf::User)?,
            modules,
        }))
    }
}

/// What the command's variables depend on, of an image.
#[derive(Debug, Clone, Copy)]
pub(super) struct ImageSays<'a> {
    /// What it was asked for as.
    pub request: &'a str,
    /// Its name in the store.
    pub identifier: &'a str,
    /// Its own variables.
    pub environment: &'a [(String, String)],
}

/// The most that a file of variables may hold, in bytes.
pub(super) const LONGEST_FILE: u64 = 1 << 20;

/// The variables of `--env-file`: of the file that was `found` in the container, read as the user, which is Shifter's
/// way; or else, where there is none, outside, as whoever calls.
pub(super) fn of_file(
    path: &Path,
    found: io::Result<Option<Vec<u8>>>,
) -> Result<Vec<(String, String)>> {
    let name = path.display().to_string();
    let content = match found.with_context(|| format!("read {name} in the container"))? {
        Some(content) => content,
        None => fs::read(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                anyhow!("--env-file: {name} is neither in the container nor outside")
            }
            _ => anyhow!("--env-file: read {name}: {error}"),
        })?,
    };
    let text = String::from_utf8(content).map_err(|_| anyhow!("{name} is not UTF-8 text"))?;
    Ok(read_file(&text, &name)?)
}

/// The command's variables, with those of a `file`. Without an `asker`, the caller is who runs it.
pub(super) fn environment(
    options: &Options,
    config: &Config,
    modules: &[&Module],
    devices: &[(String, String)],
    image: &ImageSays<'_>,
    asker: Option<&Asker>,
    file: &[(String, String)],
) -> Result<Vec<String>> {
    let mut caller = callers(asker);
    if options.clearenv {
        caller.retain(|(name, _)| options.keep_env.contains(name));
    }
    let given = options
        .env
        .iter()
        .map(|text| assignment(text).with_context(|| "--env".to_owned()));
    let environment = Environment::assemble(&Sources {
        caller: &caller,
        image_names: Some((image.request, image.identifier)),
        image: image.environment,
        file,
        options: &given.collect::<Result<Vec<_>>>()?,
        unset: &options.unset_env,
        devices,
        modules,
        site: Some(&config.environment),
    });
    Ok(environment.entries())
}

/// The variables of this process. Those that are about root are the user's, where it is root's.
fn callers(asker: Option<&Asker>) -> Vec<(String, String)> {
    let asker = asker.filter(|asker| asker.mode == Mode::Rootful);
    let is_roots = |name: &str| {
        let session = name.starts_with("XDG_") || name.starts_with("SUDO_");
        asker.is_some() && (session || OF_USER.contains(&name))
            || name == own_executable::PATH_VARIABLE
    };
    // What isn't text can't be in a bundle.
    let text = env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let mut variables: Vec<(String, String)> = text.filter(|(name, _)| !is_roots(name)).collect();
    if let Some(user) = asker.and_then(|asker| asker.user.as_ref()) {
        let theirs = [&user.name, &user.name, &user.home, &user.shell];
        let theirs = std::iter::zip(OF_USER, theirs);
        variables.extend(theirs.map(|(name, value)| (name.to_owned(), value.clone())));
    }
    variables
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    fn requested(line: &[&str], variables: &[(&str, &str)]) -> Result<Option<Requested>> {
        let line = ["shifter"].iter().chain(line);
        let options = Line::try_parse_from(line).unwrap().options;
        Requested::from(&options, |name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn options_count_before_variables_and_both_names_of_those() {
        for (line, variables, image) in [
            (
                &["--image=a"][..],
                &[("SHIFTER_IMAGEREQUEST", "b")][..],
                "a",
            ),
            (&[], &[("SHIFTER_IMAGEREQUEST", "b")], "b"),
            (&[], &[("SLURM_SPANK_SHIFTER_IMAGEREQUEST", "b")], "b"),
            (
                &[],
                &[("SHIFTER_IMAGETYPE", "id"), ("SHIFTER_IMAGE", "c")],
                "id:c",
            ),
            (
                &[],
                &[("SHIFTER_IMAGE", "c"), ("SHIFTER_IMAGEREQUEST", "b")],
                "b",
            ),
        ] {
            let requested = requested(line, variables).unwrap();
            assert_eq!(requested.unwrap().image, image);
        }
        for variables in [&[][..], &[("SHIFTER_IMAGE", "c")]] {
            assert_eq!(requested(&[], variables).unwrap(), None);
        }
        assert!(requested(&["-m=x"], &[]).is_err());
    }

    /// As getopt(3) reads them, and the command's own options are the command's.
    #[test]
    fn options_end_where_the_command_begins() {
        let parsed = |line: &str| {
            let line = line.split(' ');
            Line::try_parse_from(line).unwrap().options
        };
        let all = parsed("shifter -ix -V/a:/b -eA=1 -mm -E -w=/d --entry=p sh -c --image=y -w");
        assert_eq!(all.image.as_deref(), Some("x"));
        assert_eq!(all.volumes, ["/a:/b"]);
        assert_eq!(all.env, ["A=1"]);
        assert_eq!(all.module.as_deref(), Some("m"));
        assert_eq!(all.workdir.as_deref(), Some("/d"));
        assert_eq!(all.entrypoint.as_deref(), Some("p"));
        assert_eq!(all.command, ["sh", "-c", "--image=y", "-w"]);
        let bare = parsed("shifter -w --entrypoint --image x -- -c");
        assert_eq!(bare.workdir.as_deref(), Some(""));
        assert_eq!(bare.entrypoint.as_deref(), Some(""));
        assert_eq!(bare.command, ["-c"]);
    }

    #[test]
    fn a_volume_of_the_command_line_discards_those_of_the_variable() {
        let variable = [("SHIFTER_VOLUME", "/c:/d")];
        let volumes = |line: &[&str]| {
            let line = [&["--image=a"], line].concat();
            let requested = requested(&line, &variable).unwrap().unwrap();
            bundles::shifter::volumes::signature(&requested.volumes)
        };
        assert_eq!(volumes(&[]), "/c:/d");
        assert_eq!(
            volumes(&["-V", "/a:/b", "--volume=/e:/f;/g:/h"]),
            "/a:/b;/e:/f;/g:/h"
        );
    }
}
