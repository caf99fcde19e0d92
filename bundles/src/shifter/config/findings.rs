//! What there is to say of a configuration that is read without an error.

mod paths;

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::keys::{self, Standing};
use super::{Config, modules};
use crate::shifter::container::wanted_caches;
use crate::shifter::volumes::{Propagation, VolumeMap};

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// Someone could gain by it what they shouldn't have.
    Dangerous,
    /// Probably not what was meant.
    Doubtful,
    /// Without effect.
    Dead,
    /// Shifter itself says that it is going away.
    Deprecated,
}

/// One remark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How much it matters.
    pub weight: Weight,
    /// From 1, where it is about a line.
    pub line: Option<usize>,
    /// The key, where it is about one.
    pub key: String,
    /// What there is to say.
    pub text: String,
}

/// Keys whose later lines add to the earlier ones.
const LISTS: [&str; 8] = [
    "siteFs",
    "siteEnv",
    "siteEnvAppend",
    "siteEnvPrepend",
    "siteEnvUnset",
    "usersToImport",
    "imageGateway",
    "perNodeCacheAllowedFsType",
];

const SWITCHES: [&str; 4] = [
    "populateEtcDynamically",
    "allowLibcPwdCalls",
    "allowLocalChroot",
    "mountUdiRootWritable",
];

/// What a site shouldn't show in every container, and why.
const REVEALING: [(&str, &str); 6] = [
    ("/", "the whole host would be in every container"),
    ("/dev", "containers have a /dev of their own"),
    (
        "/etc",
        "the host's secrets and keys would be in every container",
    ),
    (
        "/proc",
        "every process of the host would be in every container",
    ),
    ("/root", "root's files would be in every container"),
    (
        "/run",
        "sockets of the host's services would be in every container",
    ),
];

impl Config {
    /// What of the file is without effect, deprecated, doubtful or dangerous, by weight and line. Files that it
    /// names are looked at: those that root acts upon have to belong to one of `owners`.
    pub fn findings(&self, owners: &[u32]) -> Vec<Finding> {
        let mut found = Findings {
            config: self,
            all: vec![],
        };
        found.keys();
        found.lines();
        found.missing();
        found.values();
        found.switches();
        found.mounts();
        found.images();
        found.paths(owners);
        let mut all = found.all;
        all.sort_by_key(|finding| (finding.weight, finding.line));
        all
    }
}

struct Findings<'a> {
    config: &'a Config,
    all: Vec<Finding>,
}

impl Findings<'_> {
    fn add(&mut self, weight: Weight, line: Option<usize>, key: &str, text: impl Into<String>) {
        self.all.push(Finding {
            weight,
            line,
            key: key.to_owned(),
            text: text.into(),
        });
    }

    /// About the line that has the last word on `key`.
    fn of(&mut self, weight: Weight, key: &str, text: impl Into<String>) {
        let line = Some(self.config.last(key).line).filter(|line| *line > 0);
        self.add(weight, line, key, text);
    }

    fn keys(&mut self) {
        for entry in &self.config.entries.all {
            let line = Some(entry.line);
            let key = &entry.key;
            if let Some(known) = keys::find(key) {
                match known.standing {
                    Standing::Used => {}
                    Standing::Unused(why) => self.add(Weight::Dead, line, key, why),
                    Standing::Deprecated => {
                        let text = "is deprecated and does nothing";
                        self.add(Weight::Deprecated, line, key, text);
                    }
                }
                continue;
            }
            match modules::split(key) {
                None => {
                    let text = "names no key of a module: module_NAME_KEY";
                    self.add(Weight::Doubtful, line, key, text);
                }
                Some((name, key_of_module)) => self.module(entry.line, name, key_of_module),
            }
        }
    }

    fn module(&mut self, line: usize, name: &str, key: &str) {
        let whole = format!("module_{name}_{key}");
        if modules::KEYS.contains(&key) {
            return;
        }
        let known = modules::KEYS.iter();
        let mut ends = known.filter(|known| key.ends_with(&format!("_{known}")));
        let text = if ends.next().is_some() {
            format!("is a key of the module {name:?}: a module's name can't have _ in it")
        } else {
            let known = modules::KEYS.join(", ");
            format!("{key:?} is not a key of a module; those are {known}")
        };
        self.add(Weight::Doubtful, Some(line), &whole, text);
    }

    fn lines(&mut self) {
        for line in &self.config.entries.without_key {
            self.add(Weight::Doubtful, Some(*line), "", "has no = and is ignored");
        }
        let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
        for entry in &self.config.entries.all {
            let key = entry.key.as_str();
            let is_list = LISTS.contains(&key) || key.ends_with("_siteFs");
            let earlier = seen.insert(key, entry.line);
            if let Some(earlier) = earlier.filter(|_| !is_list) {
                let text = format!("is given again on line {}, which counts", entry.line);
                self.add(Weight::Doubtful, Some(earlier), key, text);
            }
        }
    }

    fn missing(&mut self) {
        let given = |name: &str| self.config.last(name).line > 0;
        let absent = keys::KEYS
            .iter()
            .filter(|key| key.shifter_needs_it && !given(key.name));
        for key in absent.collect::<Vec<_>>() {
            let text = "is missing: not needed here, but Shifter refuses the file without it";
            self.of(Weight::Doubtful, key.name, text);
        }
        if self.config.system.is_none() && !self.config.gateways.is_empty() {
            let text = "is missing: the gateway is asked for a platform by this name";
            self.of(Weight::Doubtful, "system", text);
        }
    }

    fn values(&mut self) {
        for entry in &self.config.entries.all {
            let may_be_quoted = entry.key == "siteFs" || entry.key.ends_with("_siteFs");
            if entry.value.starts_with(['"', '\'']) && !may_be_quoted {
                let text = "the quotes are part of the value";
                self.add(Weight::Doubtful, Some(entry.line), &entry.key, text);
            }
        }
        if !self.config.users_to_import.is_empty() && !self.config.populate_etc {
            let text = "does nothing without populateEtcDynamically=1";
            self.of(Weight::Dead, "usersToImport", text);
        }
        let config = self.config;
        let modules = config.modules.iter();
        for module in modules.filter(|module| module.sshd.program.is_none()) {
            for key in ["sshdPort", "sshdListen"] {
                let key = format!("module_{}_{key}", module.name);
                if config.last(&key).line > 0 {
                    let text = format!("does nothing without module_{}_sshd", module.name);
                    self.of(Weight::Dead, &key, text);
                }
            }
        }
        let allowed = &self.config.cache.allowed;
        if !allowed.is_empty() && !allowed.iter().any(|name| name == "xfs") {
            let text = "no cache is allowed: xfs is what there is, and it isn't named";
            self.of(Weight::Doubtful, "perNodeCacheAllowedFsType", text);
        }
    }

    fn switches(&mut self) {
        for entry in &self.config.entries.all {
            let is_switch = SWITCHES.contains(&entry.key.as_str())
                || modules::split(&entry.key).is_some_and(|(_, key)| key == "enabled");
            if is_switch && !["0", "1"].contains(&entry.value.as_str()) {
                let read = u8::from(super::Value(&entry.value).flag());
                let text = format!("{:?} is read as {read}; write 0 or 1", entry.value);
                self.add(Weight::Doubtful, Some(entry.line), &entry.key, text);
            }
        }
        if self.config.allow_local_images {
            let text = "lets users name directories of theirs and root's as images; Shifter does even without it";
            self.of(Weight::Dangerous, "allowLocalChroot", text);
        }
        if self.config.root_writable {
            let text = "1 leaves the container's root writable; Shifter's documentation has it the other way round";
            self.of(Weight::Doubtful, "mountUdiRootWritable", text);
        }
        if self.config.max_group_count == 0 {
            let text = "is 0: the user is in no group by name; 31 is recommended";
            self.of(Weight::Doubtful, "maxGroupCount", text);
        }
        if self.config.propagation == Propagation::Slave {
            let text = "slave: what is mounted on the host later appears in running containers as it is, \
                        setuid programs included";
            self.of(Weight::Dangerous, "mountPropagationStyle", text);
        }
    }

    fn mounts(&mut self) {
        let config = self.config;
        for (number, map) in config.site_fs.iter().enumerate() {
            self.mount("siteFs", map);
            let mut before = config.site_fs[..number].iter();
            if let Some(other) = before.find(|other| other.to == map.to) {
                let text = format!("{map}: {other} is there already, and covered");
                self.of(Weight::Doubtful, "siteFs", text);
            }
        }
        for module in &config.modules {
            let key = format!("module_{}_siteFs", module.name);
            for map in &module.site_fs {
                self.mount(&key, map);
            }
        }
    }

    fn mount(&mut self, key: &str, map: &VolumeMap) {
        if map.cache.is_some() {
            let modules = [];
            if let Err(error) = wanted_caches(self.config, &modules, std::slice::from_ref(map)) {
                self.of(Weight::Doubtful, key, error.to_string());
            }
            return;
        }
        if let Some((_, why)) = REVEALING.iter().find(|(path, _)| *path == map.from) {
            self.of(Weight::Dangerous, key, format!("{map}: {why}"));
        }
        if map.propagation == Some(Propagation::Slave) {
            let text = format!(
                "{map}: what is mounted there later on the host appears as it is, setuid programs included"
            );
            self.of(Weight::Dangerous, key, text);
        }
        if map.recursive {
            let text = format!(
                "{map}: what is mounted below is nosuid and nodev as well, which Shifter leaves out"
            );
            self.of(Weight::Doubtful, key, text);
        }
        if !Path::new(&map.from).exists() {
            self.of(Weight::Doubtful, key, format!("{} is not there", map.from));
        }
    }

    fn images(&mut self) {
        let config = self.config;
        match config.default_image_type.as_deref() {
            Some("docker" | "custom" | "id" | "local") => {}
            Some(other) => {
                let text = format!("{other:?} is no type: docker, custom, id or local");
                self.of(Weight::Doubtful, "defaultImageType", text);
            }
            None => {
                let text = "is missing: every image has to be named with its type";
                self.of(Weight::Doubtful, "defaultImageType", text);
            }
        }
        let plain = config
            .gateways
            .iter()
            .filter(|url| url.starts_with("http://"));
        for url in plain {
            let text = format!("{url}: passwords for registries go there in the clear");
            self.of(Weight::Dangerous, "imageGateway", text);
        }
        if config.cache.path.is_some() && config.cache.size_limit == 0 {
            let text = "is missing: a user's caches may take all that is free there";
            self.of(Weight::Doubtful, "perNodeCacheSizeLimit", text);
        }
    }
}
