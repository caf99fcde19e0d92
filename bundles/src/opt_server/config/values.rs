//! What each key's value may be.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use super::MountDependencies;
use super::error::{ConfigError, Problem, Whose};
use super::json::{Document, Node};

const VARIABLES: &str = "environment-variables";
const OPTIONS: &str = "append-options";

/// A value, and whose it is.
#[derive(Clone, Copy)]
pub(super) struct Value<'a> {
    pub document: &'a Document<'a>,
    pub whose: &'a Whose,
    pub node: Node<'a>,
}

/// What the name of a command, a user or a group must not contain, if it does.
pub fn bad_name(name: &str) -> Option<&'static str> {
    name.chars().find_map(|c| match c {
        '/' => Some("a slash"),
        c if c.is_whitespace() => Some("white space"),
        c if c.is_control() => Some("a control character"),
        _ => None,
    })
}

impl<'a> Value<'a> {
    pub fn error(self, problem: Problem) -> ConfigError {
        self.document.error(self.node, self.whose, problem)
    }

    pub fn wrong_type(self, key: &'static str, wanted: &'static str) -> ConfigError {
        self.error(Problem::WrongType {
            key,
            wanted,
            found: self.node.describe(),
        })
    }

    fn refuse_nul(self, key: &'static str, text: &str) -> Result<(), ConfigError> {
        if text.contains('\0') {
            return Err(self.error(Problem::Nul {
                key,
                found: text.to_owned(),
            }));
        }
        Ok(())
    }

    pub fn string(self, key: &'static str) -> Result<String, ConfigError> {
        self.node
            .string()
            .ok_or_else(|| self.wrong_type(key, "a string"))
    }

    pub fn array(
        self,
        key: &'static str,
        wanted: &'static str,
    ) -> Result<Vec<Node<'a>>, ConfigError> {
        self.node
            .elements()
            .ok_or_else(|| self.wrong_type(key, wanted))
    }

    /// The elements of an array of strings.
    fn strings(
        self,
        key: &'static str,
        wanted: &'static str,
    ) -> Result<Vec<(Self, String)>, ConfigError> {
        let element = |node: Node<'a>| {
            let value = Self { node, ..self };
            Ok((
                value,
                node.string().ok_or_else(|| value.wrong_type(key, wanted))?,
            ))
        };
        self.array(key, wanted)?.into_iter().map(element).collect()
    }

    /// A name that people type: `key` is what it is given in.
    pub fn name(self, key: &'static str) -> Result<String, ConfigError> {
        let name = self.string(key)?;
        if name.is_empty() {
            let wanted = match key {
                "name" => "the word that users type",
                _ => "a name",
            };
            return Err(self.error(Problem::Empty { key, wanted }));
        }
        match bad_name(&name) {
            None => Ok(name),
            Some(what) => Err(self.error(Problem::BadName { key, name, what })),
        }
    }

    pub fn path(self, key: &'static str) -> Result<PathBuf, ConfigError> {
        let path = self.string(key)?;
        self.checked_path(key, path)
    }

    pub fn paths(self, key: &'static str) -> Result<Vec<PathBuf>, ConfigError> {
        let paths = self.strings(key, "an array of paths")?;
        paths
            .into_iter()
            .map(|(value, path)| value.checked_path(key, path))
            .collect()
    }

    fn checked_path(self, key: &'static str, found: String) -> Result<PathBuf, ConfigError> {
        if found.is_empty() {
            return Err(self.error(Problem::Empty {
                key,
                wanted: "an absolute path",
            }));
        }
        self.refuse_nul(key, &found)?;
        let path = Path::new(&found);
        if !path.is_absolute() {
            return Err(self.error(Problem::RelativePath { key, found }));
        }
        if path.components().any(|part| part == Component::ParentDir) {
            return Err(self.error(Problem::ParentInPath { key, found }));
        }
        Ok(PathBuf::from(found))
    }

    pub fn mount_dependencies(self) -> Result<MountDependencies, ConfigError> {
        const WANTED: &str = "\"DIRECTORIES\" or \"FILES\"";
        let found = self
            .node
            .string()
            .ok_or_else(|| self.wrong_type("mount-dependencies", WANTED))?;
        [MountDependencies::Directories, MountDependencies::Files]
            .into_iter()
            .find(|known| known.as_str() == found)
            .ok_or_else(|| self.error(Problem::BadMountDependencies { found }))
    }

    /// `{"NAME": "value"}` or `["NAME=value"]`: PIFOP does not say which it takes.
    pub fn variables(self) -> Result<Vec<(String, String)>, ConfigError> {
        const WANTED: &str = "an object of strings or an array of \"NAME=value\"";
        let mut variables = Vec::new();
        let mut lines: HashMap<String, usize> = HashMap::new();
        let mut add = |value: Self, name: String, content: String| {
            value.check_variable(&name, &content)?;
            let line = value.document.line(value.node);
            if let Some(first) = lines.insert(name.clone(), line) {
                return Err(value.error(Problem::DuplicateVariable { name, first }));
            }
            variables.push((name, content));
            Ok(())
        };
        if let Some(members) = self.node.members() {
            for member in members {
                let content = Self {
                    node: member.value,
                    ..self
                };
                let content = content
                    .node
                    .string()
                    .ok_or_else(|| content.wrong_type(VARIABLES, WANTED))?;
                add(
                    Self {
                        node: member.at,
                        ..self
                    },
                    member.key,
                    content,
                )?;
            }
        } else {
            for (value, found) in self.strings(VARIABLES, WANTED)? {
                let Some((name, content)) = found.split_once('=') else {
                    return Err(value.error(Problem::NotAnAssignment { found }));
                };
                add(value, name.to_owned(), content.to_owned())?;
            }
        }
        Ok(variables)
    }

    fn check_variable(self, name: &str, content: &str) -> Result<(), ConfigError> {
        self.refuse_nul(VARIABLES, name)?;
        self.refuse_nul(VARIABLES, content)?;
        if name.is_empty() {
            return Err(self.error(Problem::EmptyVariable));
        }
        if name.contains('=') {
            return Err(self.error(Problem::EqualsInVariable {
                found: name.to_owned(),
            }));
        }
        Ok(())
    }

    /// A string is split into words by a shell's quoting rules, and nothing is expanded; an array's
    /// elements are words already.
    pub fn options(self) -> Result<Vec<String>, ConfigError> {
        const WANTED: &str = "a string or an array of strings";
        if let Some(found) = self.node.string() {
            self.refuse_nul(OPTIONS, &found)?;
            return self.split(found);
        }
        let word = |(value, word): (Self, String)| value.refuse_nul(OPTIONS, &word).map(|()| word);
        self.strings(OPTIONS, WANTED)?
            .into_iter()
            .map(word)
            .collect()
    }

    fn split(self, found: String) -> Result<Vec<String>, ConfigError> {
        // shlex drops what follows a word's leading `#`. An option that vanishes in silence may be the
        // one that restricts the program, so a comment is an error: it is there if `#` makes a difference.
        let lengths = |text: &str| {
            Some(
                shlex::split(text)?
                    .iter()
                    .map(String::len)
                    .collect::<Vec<_>>(),
            )
        };
        if lengths(&found) != lengths(&found.replace('#', "_")) {
            return Err(self.error(Problem::Comment { found }));
        }
        shlex::split(&found).ok_or_else(|| self.error(Problem::UnbalancedQuote { found }))
    }
}
