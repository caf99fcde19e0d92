//! `image convert`: an image of another format, or of a directory.

use std::io::{IsTerminal, stderr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::ValueEnum;
use runtime::telling;

use crate::images::layout::Layout;
use crate::images::own::meta_of_source;
use bundles::shifter::image::{Caller, Meta};
use image_files::MetaText;
use image_files::convert::{Conversion, Place, Target, Watch};
use imagegw::pull::LeftOut;
use rustix::process::{getegid, geteuid};

/// Arguments of `image convert`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// What to make; without it the destination's ending says
    #[arg(long, value_name = "FORMAT")]
    to: Option<Format>,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
    /// Tell nothing but errors
    #[arg(long)]
    quiet: bool,
    /// A squashfs or EROFS image, a directory, or an OCI layout: DIRECTORY[:NAME]
    source: PathBuf,
    /// What is made: NAME.squashfs, NAME.erofs, or a directory, whose name ends with a dot or a slash
    destination: PathBuf,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Squashfs,
    Erofs,
    Vfs,
}

/// Makes it, telling on standard error how far it is.
pub fn execute(arguments: &Arguments) -> Result<ExitCode> {
    if geteuid().is_root() {
        bail!(
            "root's rights are not for reading images; hint: as the account that keeps the store: runuser -u ACCOUNT -- …"
        );
    }
    let Some(target) = arguments.target() else {
        bail!(
            "{}: its ending says no format; hint: --to erofs",
            arguments.destination.display()
        );
    };
    let layout = Layout::find(&arguments.source);
    let format = match target {
        Target::Squashfs => Some(imagegw::pull::Format::Squashfs),
        Target::Erofs => Some(imagegw::pull::Format::Erofs),
        Target::Directory => None,
    };
    if let (Some(layout), Some(format)) = (layout, format) {
        return arguments.of_layout(&layout, format);
    }
    let mut progress = Progress::new(arguments.quiet);
    let said = arguments.said(&mut progress)?;
    let said = said.as_ref().map(Said::text);
    let conversion = Conversion {
        source: &arguments.source,
        destination: &arguments.destination,
        target,
        replace: arguments.force,
        meta: said.as_ref(),
    };
    let cleaned = conversion.run(&mut progress);
    progress.end_line();
    let cleaned = cleaned?;
    progress.tell(&format!(
        "{} files, {} of them; setuid and setgid bits taken away: {}; devices, pipes and sockets left out: {}",
        cleaned.entries,
        megabytes(cleaned.bytes),
        cleaned.set_id,
        cleaned.special
    ));
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    fn of_layout(&self, layout: &Layout, format: imagegw::pull::Format) -> Result<ExitCode> {
        let place = Place {
            path: &self.destination,
            replace: self.force,
        };
        let mut progress = Progress::new(self.quiet);
        let pulled = layout.convert(&place, format, &mut progress);
        progress.end_line();
        let pulled = pulled?;
        let LeftOut {
            special,
            set_id,
            attributes,
        } = pulled.left_out;
        progress.tell(&format!(
            "{}, {}; setuid and setgid bits taken away: {set_id}; devices, pipes and sockets left out: {special}; \
             extended attributes: {attributes}",
            pulled.found.manifest_digest,
            megabytes(pulled.size),
        ));
        Ok(ExitCode::SUCCESS)
    }

    /// What the `.meta` file of what is made says: what the source's does. None where that would be taken for the
    /// source's own.
    fn said(&self, progress: &mut Progress) -> Result<Option<Said>> {
        let of = |path: &Path| std::path::absolute(path.with_extension("meta"));
        if of(&self.source)? == of(&self.destination)? {
            progress.tell("no .meta file: beside the source, it would be the source's as well");
            return Ok(None);
        }
        let caller = Caller {
            uid: geteuid().as_raw(),
            gid: getegid().as_raw(),
            groups: vec![],
        };
        let meta = meta_of_source(&self.source, &caller)?;
        Ok(Some(meta.map_or_else(Said::default, Said::of)))
    }

    fn target(&self) -> Option<Target> {
        let by_ending = || {
            let text = self.destination.to_string_lossy();
            let ending = Path::new(&*text).extension().unwrap_or_default();
            match ending.to_str() {
                _ if text.ends_with(['.', '/']) => Some(Target::Directory),
                Some("squashfs" | "sqsh" | "sqfs") => Some(Target::Squashfs),
                Some("erofs") => Some(Target::Erofs),
                _ => None,
            }
        };
        match self.to {
            Some(Format::Squashfs) => Some(Target::Squashfs),
            Some(Format::Erofs) => Some(Target::Erofs),
            Some(Format::Vfs) => Some(Target::Directory),
            None => by_ending(),
        }
    }
}

/// What is said of an image apart from its file.
#[derive(Debug, Default)]
struct Said {
    meta: Option<Meta>,
    environment: Vec<String>,
}

impl Said {
    fn of(meta: Meta) -> Self {
        let variables = meta.environment.iter();
        let environment = variables.map(|(name, value)| format!("{name}={value}"));
        Self {
            environment: environment.collect(),
            meta: Some(meta),
        }
    }

    fn text(&self) -> MetaText<'_> {
        let mut text = MetaText {
            environment: &self.environment,
            ..MetaText::default()
        };
        if let Some(meta) = &self.meta {
            text.entry_point = meta.entry_point.as_deref().unwrap_or_default();
            text.command = meta.command.as_deref().unwrap_or_default();
            text.working_directory = meta.working_directory.as_deref().unwrap_or_default();
            text.users = &meta.access.users;
            text.groups = &meta.access.groups;
            text.digests.manifest.clone_from(&meta.digests.manifest);
        }
        text
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

/// How far it is: a line a step, which changes where somebody looks on.
struct Progress {
    is_quiet: bool,
    is_terminal: bool,
    step: &'static str,
    began: Instant,
    has_open_line: bool,
}

impl Progress {
    fn new(is_quiet: bool) -> Self {
        Self {
            is_quiet,
            is_terminal: stderr().is_terminal(),
            step: "",
            began: Instant::now(),
            has_open_line: false,
        }
    }

    fn tell(&self, text: &str) {
        if !self.is_quiet {
            telling::say(&format!("shifter: {text}\n"));
        }
    }

    fn end_line(&mut self) {
        if self.has_open_line {
            telling::say("\n");
            self.has_open_line = false;
        }
    }
}

impl Watch for Progress {
    fn step(&mut self, name: &'static str) {
        self.end_line();
        self.step = name;
        self.began = Instant::now();
        self.tell(name);
    }

    fn goes_on(&mut self, bytes: Option<u64>) {
        if self.is_quiet || !self.is_terminal {
            return;
        }
        let seconds = self.began.elapsed().as_secs();
        let bytes = bytes.map(|bytes| format!(", {}", megabytes(bytes)));
        telling::say(&format!(
            "\rshifter: {}: {seconds} s{}\x1b[K",
            self.step,
            bytes.unwrap_or_default()
        ));
        self.has_open_line = true;
    }
}
