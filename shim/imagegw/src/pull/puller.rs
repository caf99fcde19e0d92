//! A pull from its beginning to its end.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::thread;

use super::configuration::Configuration;
use super::earlier::Earlier;
use super::error::PullError;
use super::image_file;
use super::local::{Archive, Directory, Docker, Layout};
use super::make::{self, Made};
use super::manifest::{Descriptor, Manifest};
use super::meter::Meter;
use super::origin::{Origin, Resolved, must_be, resolve};
use super::pulled::{Found, LayerCount, LeftOut, Pulled};
use super::reference::Version;
use super::registry::InRegistry;
use super::request::{Progress, PullRequest, Step};
use super::scratch::Scratch;
use super::settings::Settings;
use super::source::Source;
use super::unpacking::{Layer, Taker, unpack};
use super::vouch;
use crate::blobs::{Blob, Blobs, Digest, Fetch};
use crate::layers::Layers;

/// Pulls images, any number of them at once.
#[derive(Debug)]
pub struct Puller {
    pub(super) settings: Settings,
    blobs: Blobs,
    pub(super) earlier: Earlier,
}

impl Puller {
    /// One that works in the directories of `settings`, which are made, and takes away what killed ones have left there.
    ///
    /// # Errors
    /// [`PullError::Root`] for root, whoever it is in a user namespace; [`PullError::Io`].
    pub fn new(settings: Settings) -> Result<Self, PullError> {
        if rustix::process::geteuid().is_root() {
            return Err(PullError::Root);
        }
        let path = &settings.expand;
        let mut builder = fs::DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(path);
        made.map_err(PullError::io("make", path))?;
        Scratch::sweep(path)?;
        let blobs = Blobs::open(&settings.cache)?;
        let earlier = Earlier::new(blobs.layers());
        Ok(Self {
            settings,
            blobs,
            earlier,
        })
    }

    /// What a source says of an image now. Nothing but documents is fetched.
    ///
    /// # Errors
    /// [`PullError`].
    pub fn look_up(&self, request: &PullRequest) -> Result<Found, PullError> {
        match &request.source {
            Source::ImageFile { path } => self.image_file(path, &request.source),
            _ => self.open(request).map(|opened| opened.found),
        }
    }

    /// Makes an image file, whole or not at all.
    ///
    /// # Errors
    /// [`PullError`].
    pub fn pull(
        &self,
        request: &PullRequest,
        progress: &dyn Progress,
    ) -> Result<Pulled, PullError> {
        progress.step(Step::Pulling);
        if let Source::ImageFile { path } = &request.source {
            let found = self.image_file(path, &request.source)?;
            return image_file::pull(&self.settings, path, found, request, progress);
        }
        let Opened {
            origin,
            resolved,
            found,
            signed_by,
        } = self.open(request)?;
        let fetching = Fetching {
            blobs: &self.blobs,
            origin: &*origin,
            manifest: &resolved.manifest,
            progress,
            total: found.size,
            what: request.source.to_string(),
        };
        let configuration = fetching.configuration(request)?;
        let named = resolved.manifest.layers.iter();
        let layers: Vec<Layer<'_>> = named
            .zip(configuration.layers())
            .map(|(Descriptor { digest, .. }, meant)| Layer {
                digest,
                meant,
                earlier: None,
            })
            .collect();
        let (made, left_out, taken_over) = self.make(&fetching, &layers, request)?;
        self.settle(&resolved.manifest);
        let all = layers.len();
        Ok(Pulled {
            found,
            config: configuration.config.unwrap_or_default(),
            file: request.destination.clone(),
            format: request.format,
            digest: made.digest,
            size: made.size,
            left_out,
            layers: LayerCount { all, taken_over },
            signed_by,
        })
    }

    /// An image file, what was left out of it, and how many of its layers were taken from earlier ones.
    fn make(
        &self,
        fetching: &Fetching<'_>,
        layers: &[Layer<'_>],
        request: &PullRequest,
    ) -> Result<(Made, LeftOut, usize), PullError> {
        let Settings {
            bounds, written, ..
        } = &self.settings;
        let progress = fetching.progress;
        if make::is_written_as_it_comes(written, request, progress) {
            return self.update(fetching, layers, request);
        }
        let scratch = Scratch::new(&self.settings.expand)?;
        let tree = scratch.tree();
        fs::create_dir(&tree).map_err(PullError::io("make", &tree))?;
        let begin = || Layers::new(&tree, *bounds);
        let fetch = |taker: &Taker<'_>| fetching.layers(layers, taker);
        let laid = unpack(begin, layers, progress, fetch)?;
        make::judge(&tree, request, progress)?;
        progress.step(Step::Conversion);
        let made = make::image(scratch, written, request, progress)?;
        Ok((made, laid.left_out, 0))
    }

    /// Brings blobs to the disk, and takes away of what is kept what is too much; nobody waits for it: the image is there.
    fn settle(&self, manifest: &Manifest) {
        let digests = [&manifest.config].into_iter().chain(&manifest.layers);
        let digests: Vec<Digest> = digests.map(|blob| blob.digest.clone()).collect();
        let blobs = self.blobs.clone();
        let earlier = self.earlier.clone();
        let most = self.settings.most_cached;
        thread::spawn(move || {
            digests.iter().for_each(|digest| blobs.settle(digest));
            // What fails is tried again with the next image.
            let _ = earlier.sweep();
            let _ = blobs.sweep(most);
        });
    }

    fn image_file(&self, path: &Path, source: &Source) -> Result<Found, PullError> {
        if let Some(policy) = &self.settings.policy {
            vouch::local(policy, source)?;
        }
        image_file::found(path, self.settings.most_bytes)
    }

    /// Finds the image, and whoever vouches for it.
    fn open<'a>(&'a self, request: &'a PullRequest) -> Result<Opened<'a>, PullError> {
        let policy = self.settings.policy.as_ref();
        let (origin, resolved, signed_by): (Box<dyn Origin + 'a>, _, _) = match &request.source {
            Source::Registry(reference) => {
                let credentials = &request.credentials;
                let origin = InRegistry::new(&self.settings, reference, credentials);
                let resolved = self.resolve(&origin, request)?;
                let vouch =
                    |policy| vouch::in_registry(policy, &origin, &resolved, &request.source);
                let signed_by = policy.map(vouch).transpose()?.flatten();
                (Box::new(origin), resolved, signed_by)
            }
            source => {
                let vouch = |policy| vouch::local(policy, source);
                let signed_by = policy.map(vouch).transpose()?.flatten();
                let origin = local(source)?;
                let resolved = self.resolve(&*origin, request)?;
                (origin, resolved, signed_by)
            }
        };
        let found = self.found(&*origin, &resolved, request)?;
        Ok(Opened {
            origin,
            resolved,
            found,
            signed_by,
        })
    }

    fn resolve(&self, origin: &dyn Origin, request: &PullRequest) -> Result<Resolved, PullError> {
        let pinned = match request.source.version() {
            Some(Version::Digest(digest)) => Some(digest),
            _ => None,
        };
        resolve(
            origin,
            &request.platform,
            pinned,
            &request.source.to_string(),
        )
    }

    fn found(
        &self,
        origin: &dyn Origin,
        resolved: &Resolved,
        request: &PullRequest,
    ) -> Result<Found, PullError> {
        let what = request.source.to_string();
        let size = resolved.manifest.check(&what, self.settings.most_bytes)?;
        let digest = resolved.digest().cloned();
        Ok(Found {
            manifest_digest: digest.ok_or(PullError::NotFound { image: what })?,
            size,
            is_private: origin.is_private(),
        })
    }
}

/// An image that was found.
struct Opened<'a> {
    origin: Box<dyn Origin + 'a>,
    resolved: Resolved,
    found: Found,
    signed_by: Option<String>,
}

fn local(source: &Source) -> Result<Box<dyn Origin>, PullError> {
    Ok(match source {
        Source::OciLayout { path, name } => {
            Box::new(Layout::new(Directory::open(path)?, name.clone()))
        }
        Source::OciArchive { path, name } => {
            Box::new(Layout::new(Archive::open(path)?, name.clone()))
        }
        Source::DockerArchive { path, name } => {
            Box::new(Docker::new(Archive::open(path)?, name.as_deref())?)
        }
        Source::Registry(_) | Source::ImageFile { .. } => {
            return Err(PullError::NotFound {
                image: source.to_string(),
            });
        }
    })
}

/// Fetches an image's blobs, those that aren't there already.
pub(super) struct Fetching<'a> {
    blobs: &'a Blobs,
    pub(super) origin: &'a dyn Origin,
    manifest: &'a Manifest,
    pub(super) progress: &'a dyn Progress,
    total: u64,
    what: String,
}

/// One of them.
struct OneBlob<'a> {
    origin: &'a dyn Origin,
    descriptor: &'a Descriptor,
    meter: Meter<'a>,
    what: &'a str,
    /// Who takes it, where it is a layer.
    taker: Option<&'a Taker<'a>>,
}

impl Fetch for OneBlob<'_> {
    fn open(&self, from: u64) -> Result<Box<dyn Read + '_>, PullError> {
        self.origin.blob(self.descriptor, from)
    }

    /// A digest is no secret: whoever names one has to have the blob, or be shown it, without us.
    fn may_have_it(&self) -> Result<(), PullError> {
        let Descriptor { digest, size, .. } = self.descriptor;
        if self.origin.shows(digest) {
            return Ok(());
        }
        let blob = self.origin.blob(self.descriptor, 0)?;
        if self.origin.registry().is_some() {
            // One that doesn't know that question.
            return Ok(());
        }
        let what = || format!("{}: {digest}", self.what);
        must_be(&mut blob.take(size.saturating_add(1)), digest, what)
    }

    fn begins(&self, blob: Blob) {
        if let Some(taker) = self.taker {
            taker.take(blob);
        }
    }

    fn goes_on(&self, bytes: u64) -> bool {
        self.taker.is_none_or(Taker::takes_more_of_it) && self.meter.goes_on(bytes)
    }
}

impl Fetching<'_> {
    fn configuration(&self, request: &PullRequest) -> Result<Configuration, PullError> {
        let mut file = self.blob(&self.manifest.config, 0, None)?;
        let mut content = vec![];
        let read = file.read_to_end(&mut content);
        read.map_err(PullError::io(
            "read the configuration of",
            Path::new(&self.what),
        ))?;
        let layers = self.manifest.layers.len();
        Configuration::parse(&content, &request.platform, layers, &self.what)
    }

    /// Hands over those of the layers that have to be fetched.
    pub(super) fn layers(&self, layers: &[Layer<'_>], taker: &Taker<'_>) -> Result<(), PullError> {
        let mut before = self.manifest.config.size;
        for (layer, wanted) in self.manifest.layers.iter().zip(layers) {
            if wanted.earlier.is_some() {
                before += layer.size;
                continue;
            }
            if !taker.takes_more() {
                return Err(PullError::Stopped);
            }
            self.blob(layer, before, Some(taker))?;
            before += layer.size;
            self.progress.bytes(before, Some(self.total));
        }
        Ok(())
    }

    fn blob(
        &self,
        descriptor: &Descriptor,
        before: u64,
        taker: Option<&Taker<'_>>,
    ) -> Result<File, PullError> {
        let Descriptor { digest, size, .. } = descriptor;
        let what = format!("{}: {digest}", self.what);
        let one = OneBlob {
            origin: self.origin,
            descriptor,
            meter: Meter::new(self.progress, before, Some(self.total)),
            what: &self.what,
            taker,
        };
        self.blobs.get_or_fetch(digest, *size, &what, &one)
    }
}
