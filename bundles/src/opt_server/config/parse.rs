//! From JSON to a [`Config`]: which keys there are, and that each is given once.

use std::collections::HashMap;
use std::path::Path;

use super::error::{ConfigError, Problem, Whose};
use super::extensions::Said;
use super::file::Word;
use super::json::{Document, Member, Node};
use super::judge::{self, Verdict};
use super::keys::EXTENSIONS;
use super::lines::Lines;
use super::read_extensions;
use super::values::{self, Value};
use super::{Command, Config, Warning, file};

/// Parses and checks the whole file.
pub(super) fn config(text: &[u8], path: &Path) -> Result<Config, ConfigError> {
    file::check_size(text.len() as u64, path)?;
    let document = Document::new(text, path)?;
    let root = document.root()?;
    let mut config = Config {
        path: path.to_owned(),
        server_name: None,
        commands: Vec::new(),
        extensions: Default::default(),
        warnings: Vec::new(),
        lines: Lines::of(document.text()),
        word: Word::Named,
    };
    let members = root.members().ok_or_else(|| {
        document.error(
            root,
            &Whose::File,
            Problem::NotAnObject {
                found: root.describe(),
            },
        )
    })?;
    no_duplicates(&document, &Whose::File, &members)?;
    let whose = Whose::File;
    let value = |node| Value {
        document: &document,
        whose: &whose,
        node,
    };
    // It may stand after the commands that it holds for.
    let said = match members.iter().find(|member| member.key == EXTENSIONS) {
        Some(member) => read_extensions::of_file(value(member.value))?,
        None => Said::default(),
    };
    for member in &members {
        let value = value(member.value);
        match &*member.key {
            "server-name" => config.server_name = Some(value.string("server-name")?),
            "commands" => config.commands = commands(value, &said, &mut config.warnings)?,
            "$schema" => drop(value.string("$schema")?),
            EXTENSIONS => config.extensions = said.of_server(),
            key => config.warnings.extend(unknown(
                &document,
                &Whose::File,
                member,
                judge::judge_top(key),
            )?),
        }
    }
    config.warnings.sort_by_key(|warning| warning.line);
    Ok(config)
}

fn commands(
    value: Value<'_>,
    file: &Said,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<Command>, ConfigError> {
    let document = value.document;
    let mut commands = Vec::new();
    let mut lines: HashMap<String, usize> = HashMap::new();
    for (place, node) in value
        .array("commands", "an array of objects")?
        .into_iter()
        .enumerate()
    {
        let command = command(document, node, place + 1, file, warnings)?;
        if let Some(first) = lines.insert(command.name.clone(), command.line) {
            let whose = Whose::Command(command.name);
            return Err(document.error(node, &whose, Problem::DuplicateName { first }));
        }
        commands.push(command);
    }
    Ok(commands)
}

/// One entry of `commands`, the `number`th from 1.
fn command(
    document: &Document<'_>,
    node: Node<'_>,
    number: usize,
    file: &Said,
    warnings: &mut Vec<Warning>,
) -> Result<Command, ConfigError> {
    let nameless = Whose::Nth(number);
    let members = node.members().ok_or_else(|| {
        document.error(
            node,
            &nameless,
            Problem::CommandNotAnObject {
                found: node.describe(),
            },
        )
    })?;
    // A name that is itself at fault is quoted by its own message.
    let named = members
        .iter()
        .find(|member| member.key == "name")
        .and_then(|member| member.value.string());
    let whose = named
        .filter(|name| !name.is_empty() && values::bad_name(name).is_none())
        .map_or(nameless, Whose::Command);
    no_duplicates(document, &whose, &members)?;

    let (mut name, mut executable) = (None, None);
    let mut mount_readable = Vec::new();
    let mut mount_dependencies = Default::default();
    let mut environment_variables = Vec::new();
    let mut append_options = Vec::new();
    let mut said = Said::default();
    for member in &members {
        let value = Value {
            document,
            whose: &whose,
            node: member.value,
        };
        match &*member.key {
            "name" => name = Some(value.name("name")?),
            "executable" => executable = Some(value.path("executable")?),
            "mount-readable" => mount_readable = value.paths("mount-readable")?,
            "mount-dependencies" => mount_dependencies = value.mount_dependencies()?,
            "environment-variables" => environment_variables = value.variables()?,
            "append-options" => append_options = value.options()?,
            EXTENSIONS => said = read_extensions::of_command(value)?,
            key => warnings.extend(unknown(
                document,
                &whose,
                member,
                judge::judge_command(key),
            )?),
        }
    }
    let missing = |key| document.error(node, &whose, Problem::Missing { key });
    Ok(Command {
        name: name.ok_or_else(|| missing("name"))?,
        executable: executable.ok_or_else(|| missing("executable"))?,
        mount_readable,
        mount_dependencies,
        environment_variables,
        append_options,
        extensions: said.over(file),
        line: document.line(node),
    })
}

/// A key given twice: serde_json and most other readers take the last, a human the first.
pub(super) fn no_duplicates(
    document: &Document<'_>,
    whose: &Whose,
    members: &[Member<'_>],
) -> Result<(), ConfigError> {
    let mut seen: HashMap<&str, Node<'_>> = HashMap::new();
    for member in members {
        if let Some(first) = seen.insert(&member.key, member.at) {
            let (key, first) = (member.key.clone(), document.line(first));
            return Err(document.error(member.at, whose, Problem::DuplicateKey { key, first }));
        }
    }
    Ok(())
}

/// A key that is not one of those known here: refused, warned of, or left alone.
fn unknown(
    document: &Document<'_>,
    whose: &Whose,
    member: &Member<'_>,
    verdict: Verdict,
) -> Result<Option<Warning>, ConfigError> {
    let key = member.key.clone();
    let problem = match verdict {
        Verdict::Foreign => return Ok(None),
        Verdict::Unknown(why) => return Ok(Some(document.warning(member.at, whose, key, why))),
        Verdict::Misspelt(meant) => Problem::Misspelt { key, meant },
        Verdict::Misplaced => Problem::Misplaced { key },
    };
    Err(document.error(member.at, whose, problem))
}
