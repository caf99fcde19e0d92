//! `config.toml`: the site's settings.

use std::path::{Path, PathBuf};

use bundles::promise::{Exception, RunAs};
use serde::Deserialize;

use super::{Error, Mode, Result, UsersImages, VerifyImages};

/// The whole file. A key that isn't known is an error: a setting that is misspelt must not be one that is absent.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Config {
    /// What happens to bundles that promise nothing.
    #[serde(default)]
    pub policy: Mode,
    #[serde(default)]
    pub seal: Seal,
    #[serde(default)]
    pub shifter: Shifter,
    /// `[[exception]]`.
    #[serde(default)]
    pub exception: Vec<AllowedException>,
}

/// `[seal]`.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Seal {
    /// `"UID:GID"`: who runs what would be root on the host.
    #[serde(default, deserialize_with = "run_as")]
    pub run_as: Option<RunAs>,
}

/// `[shifter]`.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct Shifter {
    /// What reads images that the site hasn't made.
    #[serde(default)]
    pub users_images: UsersImages,
    /// When an image's file is compared with its digest.
    #[serde(default)]
    pub verify_images: VerifyImages,
}

/// An exception that bundles may ask for.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct AllowedException {
    /// Which one, as it stands in the annotation.
    #[serde(deserialize_with = "exception")]
    pub allow: Exception,
    /// For bundles below these directories only.
    pub bundles: Option<Vec<PathBuf>>,
}

impl AllowedException {
    /// Whether it allows `exception` to the bundle in `directory`.
    pub(super) fn covers(&self, exception: &Exception, directory: &Path) -> bool {
        let here = |places: &Vec<PathBuf>| places.iter().any(|place| directory.starts_with(place));
        self.allow == *exception && self.bundles.as_ref().is_none_or(here)
    }
}

fn exception<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Exception, D::Error> {
    let text = String::deserialize(from)?;
    text.parse().map_err(serde::de::Error::custom)
}

fn run_as<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<RunAs>, D::Error> {
    let text = String::deserialize(from)?;
    parse_run_as(&text)
        .map(Some)
        .map_err(serde::de::Error::custom)
}

/// Reads `UID:GID`, neither of them root's.
///
/// # Errors
/// Says what is wanted.
pub fn parse_run_as(text: &str) -> std::result::Result<RunAs, String> {
    let id = |text: &str| text.parse().ok().filter(|id| ![0, u32::MAX].contains(id));
    text.split_once(':')
        .and_then(|(uid, gid)| {
            Some(RunAs {
                uid: id(uid)?,
                gid: id(gid)?,
            })
        })
        .ok_or_else(|| format!("\"{text}\" is not UID:GID in numbers, neither of them 0"))
}

/// Reads the text of the file at `path`.
///
/// # Errors
/// [`Error::Invalid`], with the line.
pub(super) fn parse(text: &str, path: &Path) -> Result<Config> {
    let invalid = |line: usize, reason: &str| Error::Invalid {
        path: path.to_path_buf(),
        line,
        reason: reason.replace('\n', " "),
    };
    let config: Config = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        let line = 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        invalid(line, error.message())
    })?;
    let places = config
        .exception
        .iter()
        .flat_map(|one| one.bundles.iter().flatten());
    for place in places {
        if !place.is_absolute() {
            let shown = place.display().to_string();
            let line = 1 + text
                .lines()
                .position(|line| line.contains(&shown))
                .unwrap_or(0);
            return Err(invalid(
                line,
                &format!("exception.bundles: \"{shown}\" is no absolute path"),
            ));
        }
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config> {
        parse(text, Path::new("/etc/x.toml"))
    }

    #[test]
    fn an_empty_file_is_off() {
        for text in ["", "# nothing\n"] {
            let config = read(text).unwrap();
            assert_eq!(config.policy, Mode::Off);
            assert!(config.exception.is_empty() && config.seal.run_as.is_none());
        }
    }

    #[test]
    fn users_images_are_kept_from_the_kernel_unless_the_file_says_otherwise() {
        let users_images = |text: &str| read(text).map(|config| config.shifter.users_images);
        assert_eq!(users_images("").unwrap(), UsersImages::Fuse);
        for (word, meant) in [
            ("fuse", UsersImages::Fuse),
            ("kernel", UsersImages::Kernel),
            ("none", UsersImages::None),
        ] {
            let text = format!("[shifter]\nusers-images = \"{word}\"\n");
            assert_eq!(users_images(&text).unwrap(), meant);
        }
        let error = users_images("[shifter]\nusers-images = \"loop\"\n").unwrap_err();
        assert!(error.to_string().contains("x.toml:2"), "{error}");
    }

    #[test]
    fn images_are_verified_where_that_costs_nothing_unless_the_file_says_otherwise() {
        let verify_images = |text: &str| read(text).map(|config| config.shifter.verify_images);
        assert_eq!(verify_images("").unwrap(), VerifyImages::FsVerity);
        for (word, meant) in [
            ("never", VerifyImages::Never),
            ("fs-verity", VerifyImages::FsVerity),
            ("once", VerifyImages::Once),
            ("required", VerifyImages::Required),
        ] {
            let text = format!("[shifter]\nverify-images = \"{word}\"\n");
            assert_eq!(verify_images(&text).unwrap(), meant);
        }
        let error = verify_images("[shifter]\nverify-images = \"always\"\n").unwrap_err();
        assert!(error.to_string().contains("x.toml:2"), "{error}");
    }

    #[test]
    fn a_full_file_is_read() {
        let config = read(
            "policy = \"seal\"\n[seal]\nrun-as = \"65534:65533\"\n\
             [[exception]]\nallow = \"root\"\nbundles = [\"/srv/a\", \"/srv/b\"]\n\
             [[exception]]\nallow = \"device./dev/fuse\"\n",
        )
        .unwrap();
        assert_eq!(config.policy, Mode::Seal);
        assert_eq!(
            config.seal.run_as,
            Some(RunAs {
                uid: 65_534,
                gid: 65_533
            })
        );
        let [root, fuse] = &config.exception[..] else {
            panic!("{config:?}");
        };
        assert!(root.covers(&Exception::Root, Path::new("/srv/b/x")));
        assert!(!root.covers(&Exception::Root, Path::new("/srv/bb")));
        let fuse_device = Exception::Device("/dev/fuse".into());
        assert!(fuse.covers(&fuse_device, Path::new("/anywhere")));
        assert!(!fuse.covers(&Exception::Root, Path::new("/anywhere")));
    }

    /// The file that an installation has.
    const SHIPPED: &str = include_str!("../../../dist/config.toml");

    /// Its settings that are commented out: lines that begin with `#` and a key or a table's name.
    fn uncommented(line: &str) -> Option<&str> {
        line.strip_prefix('#').filter(|rest| {
            rest.starts_with(|first: char| first == '[' || first.is_ascii_lowercase())
        })
    }

    #[test]
    fn the_shipped_file_sets_nothing() {
        assert_eq!(read(SHIPPED).unwrap(), Config::default());
    }

    #[test]
    fn each_setting_in_the_shipped_file_can_be_uncommented() {
        let mut table = "";
        let mut count = 0;
        for setting in SHIPPED.lines().filter_map(uncommented) {
            count += 1;
            if setting.starts_with('[') {
                table = setting;
                continue;
            }
            // What a section can't be without.
            let needed = match (table, setting) {
                ("[[exception]]", setting) if !setting.starts_with("allow") => "allow = \"root\"\n",
                _ => "",
            };
            let text = format!("{table}\n{needed}{setting}\n");
            read(&text).unwrap_or_else(|error| panic!("{text}{error}"));
        }
        let all: Vec<&str> = SHIPPED
            .lines()
            .map(|line| uncommented(line).unwrap_or(line))
            .collect();
        let all = read(&all.join("\n")).unwrap();
        assert!(all.seal.run_as.is_some() && all.exception.len() == 1 && count >= 6);
    }

    #[test]
    fn every_setting_that_there_is_stands_in_the_shipped_file() {
        let keys = |text: &str| -> Vec<String> {
            let error = read(text).unwrap_err().to_string();
            let (_, known) = error.split_once("expected ").unwrap();
            known
                .split('`')
                .skip(1)
                .step_by(2)
                .map(str::to_owned)
                .collect()
        };
        let mut keys = [
            keys("x = 1"),
            keys("[seal]\nx = 1"),
            keys("[shifter]\nx = 1"),
            keys("[[exception]]\nx = 1"),
        ]
        .concat();
        assert!(keys.len() >= 6, "{keys:?}");
        keys.retain(|key| {
            !SHIPPED.lines().filter_map(uncommented).any(|line| {
                line.starts_with(&format!("{key} =")) || line.trim_matches(['[', ']']) == key
            })
        });
        assert_eq!(keys, [""; 0], "not in dist/config.toml");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, says) in [
            (
                "\npolcy = \"seal\"\n",
                "/etc/x.toml:2: unknown field `polcy`",
            ),
            (
                "policy = \"strict\"",
                "/etc/x.toml:1: unknown variant `strict`",
            ),
            ("policy = 1", "/etc/x.toml:1: "),
            (
                "policy = \"off\"\npolicy = \"seal\"",
                "/etc/x.toml:2: duplicate key",
            ),
            (
                "# a\n[seal]\nrunas = \"1:1\"",
                "/etc/x.toml:3: unknown field `runas`",
            ),
            (
                "[seal]\nrun-as = \"0:1\"",
                "/etc/x.toml:2: \"0:1\" is not UID:GID",
            ),
            (
                "[seal]\nrun-as = \"nobody\"",
                "/etc/x.toml:2: \"nobody\" is not UID:GID",
            ),
            (
                "[[exception]]\nallow = \"all\"",
                "/etc/x.toml:2: exception \"all\" is not one",
            ),
            (
                "[[exception]]\nbundles = []",
                "/etc/x.toml:1: missing field `allow`",
            ),
            (
                "[[exception]]\nallow = \"root\"\nbundles = [\"srv\"]",
                "/etc/x.toml:3: exception.bundles: \"srv\"",
            ),
            ("[seal", "/etc/x.toml:1: "),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.starts_with(says), "{text:?}: {error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }
}
