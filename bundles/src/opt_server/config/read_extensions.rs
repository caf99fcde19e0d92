//! Reading `x-opt-runtime`. It is ours, so a key that isn't known in it is an error and no warning.

use std::collections::HashMap;

use super::error::{ConfigError, Problem, Whose};
use super::extensions::{AtOutputLimit, IdRange, Network, Said, UserGroup, Writable};
use super::json::{Member, Node};
use super::keys::{
    EXTENSION, FIRST_IDS, GROUP, ID_COUNTS, IDENTITY, Key, NETWORKS, OUTPUTS, POOL, SERVER,
    WRITABLE, limit_names, names,
};
use super::limits::{Limit, Limits};
use super::parse::no_duplicates;
use super::values::Value;
use crate::seccomp;
use crate::spelling::nearest;

/// What `x-opt-runtime` at the top of the file says.
pub(super) fn of_file(value: Value<'_>) -> Result<Said, ConfigError> {
    read(value, &SERVER)
}

/// What a command's says.
pub(super) fn of_command(value: Value<'_>) -> Result<Said, ConfigError> {
    read(value, &EXTENSION)
}

fn read(value: Value<'_>, keys: &'static [Key]) -> Result<Said, ConfigError> {
    let mut said = Said::default();
    for member in value.closed("x-opt-runtime", names(keys))? {
        let value = value.at(member.value);
        match &*member.key {
            "mount-writable" => {
                said.mount_writable = value.each(
                    "mount-writable",
                    "an array of paths and of objects with a \"path\"",
                    Value::writable,
                )?
            }
            "network" => said.network = Some(value.network()?),
            "limits" => said.limits = value.limits()?,
            "seccomp" => {
                said.seccomp = value.each(
                    "seccomp",
                    "an array of names of system calls",
                    Value::system_call,
                )?
            }
            "devices" => {
                said.devices = value.each("devices", "an array of paths", Value::device)?
            }
            "dlopen" => {
                said.dlopen = value.each(
                    "dlopen",
                    "an array of paths and names of libraries",
                    Value::library,
                )?
            }
            "output" => said.output = Some(value.at_output_limit()?),
            "pool" => said.pool = Some(value.small_number("pool", POOL, "sandboxes")?),
            "identity" => said.identity = Some(value.id_range()?),
            "user-groups" => said.user_groups = value.user_groups()?,
            // `closed` lets nothing else through.
            _ => {}
        }
    }
    Ok(said)
}

impl<'a> Value<'a> {
    /// The same place's, for another value.
    fn at(self, node: Node<'a>) -> Self {
        Self { node, ..self }
    }

    /// The members of an object of ours, named `key` in messages.
    fn closed(
        self,
        key: &'static str,
        known: impl Iterator<Item = &'static str> + Clone,
    ) -> Result<Vec<Member<'a>>, ConfigError> {
        let members = self
            .node
            .members()
            .ok_or_else(|| self.wrong_type(key, "an object"))?;
        no_duplicates(self.document, self.whose, &members)?;
        for member in &members {
            if !known.clone().any(|name| name == member.key) {
                let problem = Problem::NotInObject {
                    key: member.key.clone(),
                    object: key,
                    meant: nearest(&member.key, known.clone()),
                    known: known.collect(),
                };
                return Err(self.at(member.at).error(problem));
            }
        }
        Ok(members)
    }

    fn each<T>(
        self,
        key: &'static str,
        wanted: &'static str,
        read: impl Fn(Self) -> Result<T, ConfigError>,
    ) -> Result<Vec<T>, ConfigError> {
        let elements = self.array(key, wanted)?;
        elements
            .into_iter()
            .map(|node| read(self.at(node)))
            .collect()
    }

    fn writable(self) -> Result<Writable, ConfigError> {
        if self.node.members().is_none() {
            let path = self.path("mount-writable")?;
            return Ok(Writable { path, why: None });
        }
        let (mut path, mut why) = (None, None);
        for member in self.closed("mount-writable", names(&WRITABLE))? {
            let value = self.at(member.value);
            match &*member.key {
                "path" => path = Some(value.path("path")?),
                _ => why = Some(value.plain_text("why")?),
            }
        }
        let path = path.ok_or_else(|| self.error(Problem::Missing { key: "path" }))?;
        Ok(Writable { path, why })
    }

    /// A string that is printed on one line.
    fn plain_text(self, key: &'static str) -> Result<String, ConfigError> {
        let found = self.string(key)?;
        if found.contains(char::is_control) {
            return Err(self.error(Problem::ControlCharacter { key, found }));
        }
        Ok(found)
    }

    fn network(self) -> Result<Network, ConfigError> {
        let meanings = [Network::None, Network::Host];
        self.choice("network", "\"none\" or \"host\"", NETWORKS, meanings)
    }

    fn at_output_limit(self) -> Result<AtOutputLimit, ConfigError> {
        let meanings = [AtOutputLimit::End, AtOutputLimit::Truncate];
        self.choice("output", "\"end\" or \"truncate\"", OUTPUTS, meanings)
    }

    /// One of two `words`, and what it means.
    fn choice<T: Copy>(
        self,
        key: &'static str,
        wanted: &'static str,
        words: [&str; 2],
        meanings: [T; 2],
    ) -> Result<T, ConfigError> {
        let found = self.node.string();
        let mut known = words.iter().zip(meanings);
        let meant = known.find(|(word, _)| found.as_deref() == Some(word));
        meant
            .map(|(_, meaning)| meaning)
            .ok_or_else(|| self.wrong_type(key, wanted))
    }

    fn limits(self) -> Result<Limits, ConfigError> {
        let mut limits = Limits::default();
        for member in self.closed("limits", limit_names())? {
            let value = self.at(member.value);
            if let Some(limit) = Limit::named(&member.key) {
                let out_of_range = || value.out_of_range(limit.name, limit.wanted());
                let number = value.node.number().ok_or_else(out_of_range)?;
                limit.set(&mut limits, number).map_err(|_| out_of_range())?;
            }
        }
        Ok(limits)
    }

    fn small_number(
        self,
        key: &'static str,
        (least, most): (u64, u64),
        unit: &str,
    ) -> Result<u32, ConfigError> {
        let number = self.node.number();
        number
            .filter(|number| (least..=most).contains(number))
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| {
                self.out_of_range(
                    key,
                    format!("a whole number of {unit} from {least} to {most}"),
                )
            })
    }

    fn out_of_range(self, key: &'static str, wanted: String) -> ConfigError {
        let found = self.node.describe_number();
        self.error(Problem::OutOfRange { key, wanted, found })
    }

    fn system_call(self) -> Result<String, ConfigError> {
        let found = self.string("seccomp")?;
        match seccomp::addition_refused(&found) {
            None => Ok(found),
            Some(reason) => Err(self.error(Problem::SystemCall { found, reason })),
        }
    }

    fn device(self) -> Result<std::path::PathBuf, ConfigError> {
        let path = self.path("devices")?;
        if path.starts_with("/dev") && path.components().count() > 2 {
            return Ok(path);
        }
        let found = path.display().to_string();
        Err(self.error(Problem::NotADevice { found }))
    }

    /// A path, or a name without any slash.
    fn library(self) -> Result<std::path::PathBuf, ConfigError> {
        let found = self.string("dlopen")?;
        if found.is_empty() || found.contains(['/', '\0']) || [".", ".."].contains(&&*found) {
            return self.path("dlopen");
        }
        Ok(found.into())
    }

    fn id_range(self) -> Result<IdRange, ConfigError> {
        let (mut first, mut count) = (None, None);
        for member in self.closed("identity", names(&IDENTITY))? {
            let value = self.at(member.value);
            match &*member.key {
                "first-id" => first = Some(value.small_number("first-id", FIRST_IDS, "ids")?),
                _ => count = Some(value.small_number("ids", ID_COUNTS, "ids")?),
            }
        }
        let missing = |key| self.error(Problem::Missing { key });
        let first = first.ok_or_else(|| missing("first-id"))?;
        let count = count.ok_or_else(|| missing("ids"))?;
        // The last id means "no change" to the kernel, and is nobody's.
        if first.checked_add(count).is_none() {
            return Err(self.error(Problem::TooManyIds { first, count }));
        }
        Ok(IdRange { first, count })
    }

    fn user_groups(self) -> Result<Vec<UserGroup>, ConfigError> {
        let members = self
            .node
            .members()
            .ok_or_else(|| self.wrong_type("user-groups", "an object"))?;
        no_duplicates(self.document, self.whose, &members)?;
        let mut group_of: HashMap<String, String> = HashMap::new();
        let mut groups = vec![];
        for member in members {
            let name = self.at(member.at).name("user-groups")?;
            let whose = Whose::Group(name.clone());
            let group = Value {
                document: self.document,
                whose: &whose,
                node: member.value,
            }
            .user_group(name)?;
            for user in &group.users {
                if let Some(other) = group_of.insert(user.clone(), group.name.clone()) {
                    let value = Value {
                        whose: &whose,
                        ..self.at(member.value)
                    };
                    return Err(value.error(Problem::TwoGroups {
                        user: user.clone(),
                        other,
                    }));
                }
            }
            groups.push(group);
        }
        Ok(groups)
    }

    fn user_group(self, name: String) -> Result<UserGroup, ConfigError> {
        let mut group = UserGroup {
            name,
            ..UserGroup::default()
        };
        for member in self.closed("user-groups", names(&GROUP))? {
            let value = self.at(member.value);
            match &*member.key {
                "users" => {
                    group.users =
                        value.each("users", "an array of names", |one| one.name("users"))?
                }
                "limits" => group.limits = value.limits()?,
                "monitoring-rights" => {
                    group.monitoring_rights = value.truth("monitoring-rights")?
                }
                _ => group.admin_rights = value.truth("admin-rights")?,
            }
        }
        Ok(group)
    }

    fn truth(self, key: &'static str) -> Result<bool, ConfigError> {
        self.node
            .truth()
            .ok_or_else(|| self.wrong_type(key, "true or false"))
    }
}
