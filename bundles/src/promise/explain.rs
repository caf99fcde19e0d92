//! What a bundle exposes, and why.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::{Component, Path, PathBuf};

use oci_spec::runtime::{LinuxSeccompAction, Mount, Spec};
use serde::Serialize;

use super::spec_view::{host_id, is_bind, is_read_only, linux, mounts, process};
use super::{EXCEPTION_ANNOTATION, Kind, PROTECTIONS, WHY_ANNOTATION, user_hooks, why_key};
use crate::exposure::{Bounds, Exposure};
use crate::seccomp;

/// Everything that `explain` prints, as data.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The command line.
    pub command: Vec<String>,
    /// Scripts that the user runs before it, inside.
    pub user_hooks: Vec<String>,
    /// The working directory inside.
    pub working_directory: String,
    /// The promise's kind, where the bundle makes one.
    pub promise: Option<&'static str>,
    /// The promise's rows: name and meaning; empty where the bundle makes no promise.
    pub protections: Vec<(&'static str, &'static str)>,
    /// The exceptions to it that the bundle asks for, each with its reason.
    pub exceptions: Vec<(String, String)>,
    /// Every mount, in order.
    pub mounts: Vec<MountExplained>,
    /// Symbolic links of the root that lead to the mounts, with their targets.
    pub links: Vec<(String, String)>,
    /// Who the process is: inside, and on the host.
    pub identity: String,
    /// Limits, as name and value.
    pub limits: Vec<(&'static str, String)>,
    /// Allowed system calls by group.
    pub system_calls: BTreeMap<&'static str, Vec<String>>,
    /// The environment, in order.
    pub environment: Vec<String>,
}

/// One mount and why it is there.
#[derive(Debug, Clone, Serialize)]
pub struct MountExplained {
    /// Path inside.
    pub path: String,
    /// `read-only` or `read-write`; `hidden` where one of the specification's masked paths is over it.
    pub access: &'static str,
    /// What is there: a host path, or a file system of its own.
    pub what: String,
    /// The reason; names the rule or the file that needs it.
    pub why: String,
    /// The host's path, where it is one.
    pub source: Option<PathBuf>,
    /// The path of a later mount there or above, which this one isn't seen for. Told by the paths alone: links in the root
    /// file system may lead elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub covered_by: Option<String>,
    /// The masked path, this one or one above, in whose place there is nothing: an empty directory or `/dev/null`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden_by: Option<String>,
    /// How much of the host's it shows; measured by [`Explanation::measured`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exposure: Option<Exposure>,
}

/// Explains `spec`; `links` are the symbolic links of its root directory, which the caller reads.
pub fn explain(spec: &Spec, kind: Option<Kind>, links: Vec<(String, String)>) -> Explanation {
    let process = process(spec);
    Explanation {
        command: process
            .and_then(|process| process.args().clone())
            .unwrap_or_default(),
        user_hooks: user_hooks(spec).unwrap_or_default(),
        working_directory: process
            .map(|process| process.cwd().display().to_string())
            .unwrap_or_default(),
        promise: kind.map(Kind::as_str),
        protections: kind.map_or_else(Vec::new, |kind| {
            let rows = PROTECTIONS.iter();
            rows.map(|row| (row.name, row.meaning_in(kind))).collect()
        }),
        exceptions: exceptions(spec),
        mounts: explain_mounts(spec),
        links,
        identity: identity(spec),
        limits: limits(spec),
        system_calls: system_calls(spec),
        environment: process
            .and_then(|process| process.env().clone())
            .unwrap_or_default(),
    }
}

fn explain_mounts(spec: &Spec) -> Vec<MountExplained> {
    let all = mounts(spec);
    let absolute = all.iter().map(|mount| mount.destination().as_path());
    // Where each path is mounted upon for the last time.
    let last: HashMap<&Path, usize> = absolute
        .enumerate()
        .filter(|(_, path)| path.is_absolute())
        .map(|(at, path)| (path, at))
        .collect();
    let covering = |at: usize| covered_by(all[at].destination(), at, &last);
    let explained = all.iter().enumerate();
    explained
        .map(|(at, mount)| explain_mount(spec, mount, covering(at).map(|later| &all[later])))
        .collect()
}

fn explain_mount(spec: &Spec, mount: &Mount, covering: Option<&Mount>) -> MountExplained {
    let source = mount
        .source()
        .as_ref()
        .map(|path| path.display().to_string());
    let typ = mount.typ().as_deref().unwrap_or("none");
    let what = match source {
        Some(source) if is_bind(mount) => format!("host {source}"),
        _ => format!("{typ} of its own"),
    };
    let why = spec
        .annotations()
        .as_ref()
        .and_then(|all| all.get(&why_key(mount.destination())))
        .cloned()
        .unwrap_or_else(|| format!("the bundle gives no reason ({WHY_ANNOTATION}…)"));
    let hidden_by = hidden_by(spec, mount);
    MountExplained {
        path: mount.destination().display().to_string(),
        access: match hidden_by {
            Some(_) => "hidden",
            None if is_read_only(mount) || is_closed(spec, mount) => "read-only",
            None => "read-write",
        },
        what,
        why,
        source: mount.source().clone().filter(|_| is_bind(mount)),
        covered_by: covering.map(|later| later.destination().display().to_string()),
        hidden_by: hidden_by.cloned(),
        exposure: None,
    }
}

/// Whether it is one of the paths that are read-only whatever is mounted there.
fn is_closed(spec: &Spec, mount: &Mount) -> bool {
    let paths = linux(spec).and_then(|linux| linux.readonly_paths().as_ref());
    let mut paths = paths.into_iter().flatten();
    paths.any(|path| Path::new(path) == mount.destination())
}

/// The path that is masked there or above: masks come after all mounts.
fn hidden_by<'a>(spec: &'a Spec, mount: &Mount) -> Option<&'a String> {
    let paths = linux(spec).and_then(|linux| linux.masked_paths().as_ref());
    let mut paths = paths.into_iter().flatten();
    paths.find(|path| path.starts_with('/') && mount.destination().starts_with(path))
}

/// The last of the mounts after `at`, that of `path`, which covers it.
fn covered_by(path: &Path, at: usize, last: &HashMap<&Path, usize>) -> Option<usize> {
    let is_plain = |part| matches!(part, Component::RootDir | Component::Normal(_));
    if !path.components().all(is_plain) {
        return None;
    }
    let covering = path.ancestors().filter_map(|path| last.get(path).copied());
    covering.max().filter(|later| *later > at)
}

/// Also those that this version doesn't know, which the runtime refuses.
fn exceptions(spec: &Spec) -> Vec<(String, String)> {
    let annotations = spec.annotations().iter().flatten();
    let mut exceptions: Vec<(String, String)> = annotations
        .filter_map(|(key, why)| Some((key.strip_prefix(EXCEPTION_ANNOTATION)?, why)))
        .map(|(what, why)| (what.to_owned(), why.clone()))
        .collect();
    exceptions.sort_unstable();
    exceptions
}

fn identity(spec: &Spec) -> String {
    let (Some(process), Some(linux)) = (process(spec), linux(spec)) else {
        return "none".to_owned();
    };
    let user = process.user();
    let on_host =
        |id, map| host_id(spec, id, map).map_or("unmapped".to_owned(), |id| id.to_string());
    let groups = match user.additional_gids().as_deref() {
        None | Some([]) => "no supplementary groups".to_owned(),
        Some(gids) => format!("supplementary groups {gids:?}"),
    };
    format!(
        "uid {} gid {} inside, uid {} gid {} on the host, {groups}",
        user.uid(),
        user.gid(),
        on_host(user.uid(), linux.uid_mappings()),
        on_host(user.gid(), linux.gid_mappings()),
    )
}

fn limits(spec: &Spec) -> Vec<(&'static str, String)> {
    let mut limits = vec![];
    if let Some(resources) = linux(spec).and_then(|linux| linux.resources().as_ref()) {
        if let Some(pids) = resources.pids() {
            limits.push(("processes", pids.limit().to_string()));
        }
        if let Some(bytes) = resources
            .memory()
            .as_ref()
            .and_then(|memory| memory.limit())
        {
            limits.push(("memory", format!("{bytes} bytes")));
        }
    }
    let rlimits = process(spec).and_then(|process| process.rlimits().as_ref());
    for rlimit in rlimits.into_iter().flatten() {
        limits.push(("resource", format!("{} {}", rlimit.typ(), rlimit.hard())));
    }
    limits
}

/// Allowed calls, by the group that the sealed profile's table gives them.
fn system_calls(spec: &Spec) -> BTreeMap<&'static str, Vec<String>> {
    let mut groups: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    let rules = linux(spec)
        .and_then(|linux| linux.seccomp().as_ref())
        .and_then(|profile| profile.syscalls().as_ref());
    for rule in rules.into_iter().flatten() {
        if rule.action() != LinuxSeccompAction::ScmpActAllow {
            continue;
        }
        let conditional = rule.args().as_ref().is_some_and(|args| !args.is_empty());
        for name in rule.names() {
            let shown = if conditional {
                format!("{name}*")
            } else {
                name.clone()
            };
            let group = groups.entry(seccomp::group_of(name)).or_default();
            if !group.contains(&shown) {
                group.push(shown);
            }
        }
    }
    groups
}

/// The width of what is printed, where a list must be broken into lines.
const WIDTH: usize = 100;

impl Explanation {
    /// The same with what each mount of the host's shows, as far as `bounds` go.
    #[must_use]
    pub fn measured(mut self, mut bounds: Bounds) -> Self {
        for mount in &mut self.mounts {
            let measure = |source: &PathBuf| Exposure::measure(source, &mut bounds);
            mount.exposure = mount.source.as_ref().map(measure);
        }
        self
    }

    /// The same without the mounts, for who has shown them already.
    #[must_use]
    pub fn without_mounts(mut self) -> Self {
        self.mounts.clear();
        self.links.clear();
        self
    }

    fn write_mounts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\nmounts: everything that can be seen inside")?;
        let width = self.mounts.iter().map(|mount| mount.path.len()).max();
        let width = width.unwrap_or(0).min(40);
        for mount in &self.mounts {
            writeln!(
                f,
                "  {:<width$} {:<10} {}\n  {:<width$}   why: {}",
                mount.path, mount.access, mount.what, "", mount.why
            )?;
            if let Some(later) = &mount.covered_by {
                writeln!(f, "  {:<width$}   covered by the later {later}", "")?;
            }
            if let Some(path) = &mount.hidden_by {
                writeln!(f, "  {:<width$}   hidden by the masked path {path}", "")?;
            }
            if let Some(exposure) = &mount.exposure {
                writeln!(f, "  {:<width$}   shows {exposure}", "")?;
            }
        }
        for (link, target) in &self.links {
            writeln!(
                f,
                "  {link} -> {target}   (a link of the host's, recreated)"
            )?;
        }
        Ok(())
    }
}

/// A list in lines of no more than [`WIDTH`], the later ones indented.
fn write_list(f: &mut fmt::Formatter<'_>, title: &str, words: &[String]) -> fmt::Result {
    let mut line = format!("  {title}:");
    for word in words {
        if line.len() + 1 + word.len() > WIDTH {
            writeln!(f, "{line}")?;
            line = "   ".to_owned();
        }
        line.push(' ');
        line.push_str(word);
    }
    writeln!(f, "{line}")
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "command: {}", self.command.join(" "))?;
        for hook in &self.user_hooks {
            writeln!(f, "before it: /bin/sh {hook}, as the same user")?;
        }
        writeln!(f, "working directory: {}", self.working_directory)?;
        writeln!(f, "identity: {}", self.identity)?;
        match self.promise {
            Some(kind) => writeln!(f, "\npromise: {kind}")?,
            None => writeln!(
                f,
                "\npromise: none; nothing is enforced beyond the OCI spec"
            )?,
        }
        for (name, meaning) in &self.protections {
            writeln!(f, "  {name:<18} {meaning}")?;
        }
        for (what, why) in &self.exceptions {
            writeln!(f, "  except {what}: {why}")?;
        }
        if !self.mounts.is_empty() {
            self.write_mounts(f)?;
        }
        writeln!(f, "\nlimits:")?;
        for (name, value) in &self.limits {
            writeln!(f, "  {name}: {value}")?;
        }
        writeln!(
            f,
            "\nsystem calls allowed (* = with conditions on arguments):"
        )?;
        for (group, names) in &self.system_calls {
            write_list(f, group, names)?;
        }
        writeln!(f, "\nenvironment:")?;
        for entry in &self.environment {
            writeln!(f, "  {entry}")?;
        }
        Ok(())
    }
}
