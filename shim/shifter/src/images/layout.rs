//! OCI layouts, as skopeo, umoci and buildah write them: an image of one is made by the gateway's own code.

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use bundles::shifter::image::Digests;
use image_files::MetaText;
use image_files::convert::{Place, Scratch, Watch};
use imagegw::pull::{
    Credentials, Format, Platform, Progress, PullRequest, Pulled, Puller, Settings, Source, Step,
};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

/// An image in a layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The directory.
    pub directory: PathBuf,
    /// The image's name in it; none where it has only one.
    pub name: Option<String>,
}

impl Layout {
    /// `DIRECTORY[:NAME]`, where there is such a layout.
    pub fn find(text: &Path) -> Option<Self> {
        let is_layout = |directory: &Path| directory.join("oci-layout").is_file();
        if is_layout(text) {
            let directory = text.to_path_buf();
            return Some(Self {
                directory,
                name: None,
            });
        }
        let text = text.to_str()?;
        let mut parted = text
            .match_indices(':')
            .map(|(index, _)| (&text[..index], &text[index + 1..]));
        let (directory, name) = parted.find(|(directory, _)| is_layout(Path::new(directory)))?;
        Some(Self {
            directory: directory.into(),
            name: Some(name.to_owned()),
        })
    }

    /// Makes an image file of it, whole or not at all, and its `.meta` file beside it.
    ///
    /// # Errors
    /// What the layout hasn't, or what can't be done; nothing is left then.
    pub fn convert(
        &self,
        place: &Place<'_>,
        format: Format,
        watch: &mut dyn Watch,
    ) -> Result<Pulled> {
        let beside = place.path.with_extension("meta");
        let meta_place = Place {
            path: &beside,
            ..*place
        };
        place.must_be_free()?;
        meta_place.must_be_free()?;
        let scratch = Scratch::new(place.above())?;
        let [cache, expand, image, meta] =
            ["cache", "expand", "image", "meta"].map(|name| scratch.path().join(name));
        let request = PullRequest {
            source: Source::OciLayout {
                path: fs::canonicalize(&self.directory)?,
                name: self.name.clone(),
            },
            platform: Platform::here(),
            credentials: Credentials::Anonymous,
            format,
            destination: image.clone(),
            stays_at: None,
        };
        let signals = Signals::new()?;
        let told = Told {
            watch: RefCell::new(watch),
            signals: &signals,
        };
        let pulled = Puller::new(Settings::new(cache, expand))?.pull(&request, &told);
        if let Some(signal) = signals.seen.get() {
            bail!("stopped by signal {signal}");
        }
        let pulled = pulled?;
        told.watch.borrow_mut().step("put it in its place");
        let text = meta_of(&pulled, &mut **told.watch.borrow_mut());
        fs::write(&meta, text).with_context(|| format!("write {}", meta.display()))?;
        place.put(&image)?;
        // Behind it, as the gateway does: nobody finds in a store what isn't there.
        meta_place.put(&meta)?;
        Ok(pulled)
    }
}

/// The text of the `.meta` file.
fn meta_of(pulled: &Pulled, watch: &mut dyn Watch) -> String {
    let config = &pulled.config;
    let (text, left_out) = MetaText {
        format: pulled.format.name(),
        digests: Digests {
            content: None,
            verity: Some(pulled.digest.clone()),
            manifest: Some(pulled.found.manifest_digest.to_string()),
        },
        entry_point: &config.entrypoint,
        command: &config.cmd,
        working_directory: &config.working_directory,
        users: &[],
        groups: &[],
        environment: &config.env,
        user: &config.user,
    }
    .text();
    if !left_out.is_empty() {
        watch.step("leave out what no line of a .meta file can say");
    }
    text
}

/// Signals that end this program, once what it has made is away.
struct Signals {
    arrived: SignalFd,
    seen: Cell<Option<u32>>,
}

impl Signals {
    fn new() -> Result<Self> {
        let mut ending = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            ending.add(signal);
        }
        ending.thread_block()?;
        let flags = SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK;
        Ok(Self {
            arrived: SignalFd::with_flags(&ending, flags)?,
            seen: Cell::new(None),
        })
    }
}

/// A pull's progress, told as a conversion's.
struct Told<'a> {
    watch: RefCell<&'a mut dyn Watch>,
    signals: &'a Signals,
}

impl Progress for Told<'_> {
    fn step(&self, step: Step) {
        let name = match step {
            Step::Pulling => "look at the layers",
            Step::Examination => "unpack",
            Step::Conversion => "write",
        };
        self.watch.borrow_mut().step(name);
    }

    fn bytes(&self, done: u64, _: Option<u64>) {
        self.watch.borrow_mut().goes_on(Some(done));
    }

    fn should_stop(&self) -> bool {
        if let Ok(Some(signal)) = self.signals.arrived.read_signal() {
            self.signals.seen.set(Some(signal.ssi_signo));
        }
        self.signals.seen.get().is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_is_named_with_its_image_or_without() {
        let place = tempfile::tempdir().unwrap();
        let layout = place.path().join("a:b");
        fs::create_dir(&layout).unwrap();
        fs::write(layout.join("oci-layout"), "{}").unwrap();
        let find = |text: &str| Layout::find(&place.path().join(text));
        let named = |name: Option<&str>| {
            Some(Layout {
                directory: layout.clone(),
                name: name.map(str::to_owned),
            })
        };
        assert_eq!(find("a:b"), named(None));
        assert_eq!(find("a:b:latest"), named(Some("latest")));
        assert_eq!(find("a:b:reg.io:5/x:1"), named(Some("reg.io:5/x:1")));
        assert_eq!(find("a"), None);
        assert_eq!(find("c:d"), None);
    }
}
