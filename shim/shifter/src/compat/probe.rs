//! What there is to see of a site's containers: from inside, and from outside.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs};

use anyhow::{Context, Result, bail};
use bundles::shifter::Config;
use bundles::shifter::config::USUAL_PATH;
use bundles::shifter::trusted::ROOT;
use runtime::own_executable;
use rustix::fs::Mode;
use rustix::process::{getuid, umask};

use super::Site;

/// Run by the container's shell.
const INSIDE: &str = include_str!("inside.sh");

/// Where the checks are run from: a directory that every container has.
const DIRECTORY: &str = "/tmp";

/// A umask that nobody has by default.
const UMASK: u32 = 0o031;

/// What the container's shell doesn't tell.
pub(super) const NOTHING: &str = "nothing";

/// All that the checks look at.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// What the container's shell tells, by name.
    inside: BTreeMap<String, Vec<String>>,
    /// What it should tell.
    pub expected: Expected,
    /// How command lines end, by name: the exit code, and what was printed.
    ends: BTreeMap<&'static str, (Option<i32>, String)>,
}

/// What the host and the site's configuration say.
#[derive(Debug, Default)]
pub(super) struct Expected {
    /// The user's line in `passwd`, as `getent` has it, or else `etcPath`.
    pub passwd: String,
    /// The identifier, where the image is named by it.
    pub identifier: Option<String>,
    /// The image as it is asked for.
    pub request: String,
    /// The site's default modules, each with a comma behind it.
    pub modules: String,
    pub hostname: String,
    pub directory: String,
    pub umask: String,
}

impl Seen {
    /// What the container's shell tells of `name`, a line each.
    pub(super) fn all(&self, name: &str) -> &[String] {
        self.inside.get(name).map_or(&[], Vec::as_slice)
    }

    /// The first of those lines.
    pub(super) fn one(&self, name: &str) -> String {
        let first = self.all(name).first();
        first.cloned().unwrap_or_else(|| NOTHING.to_owned())
    }

    /// How a command line ended.
    pub(super) fn end(&self, name: &str) -> String {
        match self.ends.get(name) {
            Some((Some(code), printed)) if printed.is_empty() => format!("exit code {code}"),
            Some((Some(0), printed)) => printed.clone(),
            Some((Some(code), printed)) => format!("{printed}, exit code {code}"),
            _ => "ended by a signal".to_owned(),
        }
    }

    #[cfg(test)]
    pub(super) fn expecting(expected: Expected) -> Self {
        Self {
            expected,
            ..Self::default()
        }
    }

    #[cfg(test)]
    pub(super) fn told(&mut self, name: &str, value: &str) {
        let all = self.inside.entry(name.to_owned()).or_default();
        all.push(value.to_owned());
    }
}

/// Runs containers of the site's and looks at them.
pub(super) fn look(site: &Site) -> Result<Seen> {
    let inside = inside(site)?;
    let mut seen = Seen {
        inside,
        ..Seen::default()
    };
    seen.expected = expected(site, &seen)?;
    for (name, options, command) in command_lines() {
        seen.ends.insert(name, site.end(options, command)?);
    }
    Ok(seen)
}

/// Command lines whose ends tell something: a name, options, and the command.
fn command_lines() -> [(
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
); 9] {
    [
        ("exit code", &[], &["sh", "-c", "exit 42"]),
        ("not found", &[], &["/nosuch/command"]),
        (
            "--env",
            &["--env=COMPAT_VALUE=b c"],
            &["sh", "-c", "printf %s \"$COMPAT_VALUE\""],
        ),
        (
            "--clearenv",
            &["--clearenv"],
            &["sh", "-c", "printf %s \"${SHIFTER_COMPAT-unset}\""],
        ),
        (
            "--volume",
            &["--volume=/tmp:/mnt"],
            &["sh", "-c", "[ /mnt -ef /tmp ] && printf mounted"],
        ),
        ("volume on /etc", &["--volume=/tmp:/etc/x"], &["true"]),
        ("volume's flag", &["--volume=/tmp:/mnt:rec"], &["true"]),
        (
            "empty variable",
            &["--env=COMPAT_VALUE="],
            &[
                "sh",
                "-c",
                "printf %s \"${COMPAT_VALUE-unset}${COMPAT_VALUE+set}\"",
            ],
        ),
        ("volume's blank", &["--volume=/t mp:/mnt"], &["true"]),
    ]
}

impl Site {
    /// `shifter` as a user would run it, with nothing of the caller's that names an image.
    fn shifter(&self) -> Result<Command> {
        let program = own_executable::path().context("find this program")?;
        let mut command = Command::new(program);
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            let text = text.strip_prefix("SLURM_SPANK_").unwrap_or(&text);
            if text.starts_with("SHIFTER_") {
                command.env_remove(&name);
            }
        }
        command.arg(format!("--image={}", self.image));
        for (option, value) in [
            ("--config", &self.config),
            ("--root", &self.root),
            ("--state", &self.state),
        ] {
            if let Some(value) = value {
                command.arg(option).arg(value);
            }
        }
        if let Some(user) = &self.user {
            command.args(["--user", user]);
        }
        command
            .env("SHIFTER_COMPAT", "the caller's")
            .current_dir(DIRECTORY)
            .stdin(Stdio::null());
        Ok(command)
    }

    /// How a command line ends, and what it prints.
    fn end(&self, options: &[&str], command: &[&str]) -> Result<(Option<i32>, String)> {
        let mut shifter = self.shifter()?;
        let output = shifter.args(options).args(command).output();
        let output = output.context("run shifter")?;
        let printed = String::from_utf8_lossy(&output.stdout);
        Ok((output.status.code(), printed.trim_end().to_owned()))
    }
}

fn inside(site: &Site) -> Result<BTreeMap<String, Vec<String>>> {
    let mut shifter = site.shifter()?;
    shifter.args(["/bin/sh", "-c", INSIDE]);
    let before = umask(Mode::from_raw_mode(UMASK));
    let output = shifter.output();
    umask(before);
    let output = output.context("run shifter")?;
    let mut told: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        if let Some((name, value)) = line.split_once('\t') {
            let all = told.entry(name.to_owned()).or_default();
            all.push(value.replace('\t', " "));
        }
    }
    if !told.contains_key("end") {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().map(str::trim).rfind(|line| !line.is_empty());
        let said = said.unwrap_or("it says nothing");
        let said = said.strip_prefix("shifter: ").unwrap_or(said);
        bail!("a container of {} can't be looked at: {said}", site.image);
    }
    Ok(told)
}

fn expected(site: &Site, seen: &Seen) -> Result<Expected> {
    let path = site.config.clone().unwrap_or_else(|| USUAL_PATH.into());
    let config = Config::read(&path, &ROOT)?;
    let uid = seen.one("Uid");
    let uid = uid.split(' ').next().unwrap_or_default();
    let modules = config.choose_modules(None)?;
    let default_is_id = config.default_image_type.as_deref() == Some("id");
    let identifier = site.image.strip_prefix("id:");
    let untyped = Some(&*site.image).filter(|_| default_is_id && !site.image.contains(':'));
    let name = fs::read_to_string("/proc/sys/kernel/hostname");
    Ok(Expected {
        passwd: account(&whose(site, uid), &config),
        identifier: identifier.or(untyped).map(str::to_owned),
        request: site.image.clone(),
        modules: modules.iter().map(|one| format!("{},", one.name)).collect(),
        hostname: name.context("read the host's name")?.trim().to_owned(),
        directory: DIRECTORY.to_owned(),
        umask: format!("{UMASK:04o}"),
    })
}

/// Whom `getent` is to be asked for: by name where root says it, else by uid.
fn whose(site: &Site, uid: &str) -> String {
    match site.user.as_deref().map(|user| user.split_once(':')) {
        Some(Some((uid, _))) => uid.to_owned(),
        Some(None) => site.user.clone().unwrap_or_default(),
        None if uid.is_empty() => getuid().as_raw().to_string(),
        None => uid.to_owned(),
    }
}

/// The user's line of `passwd`. The host needn't know who has a number only.
fn account(user: &str, config: &Config) -> String {
    let getent = Command::new("getent").args(["passwd", user]).output();
    let found = getent.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    if let Some(line) = found.ok().filter(|line| !line.is_empty()) {
        return line;
    }
    let etc = config.etc_path.as_deref().unwrap_or(Path::new("/etc"));
    let passwd = fs::read_to_string(etc.join("passwd")).unwrap_or_default();
    let is_users = |line: &&str| {
        let fields: Vec<&str> = line.split(':').collect();
        fields.first() == Some(&user) || fields.get(2) == Some(&user)
    };
    let line = passwd.lines().find(is_users);
    line.unwrap_or("a line for the user").to_owned()
}
