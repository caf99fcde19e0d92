//! Where a loader looks for a library, in its order.
//!
//! glibc: `DT_RPATH` of the object that needs it and of those that loaded that one, up to the program (unless
//! the object has a `DT_RUNPATH`); its own `DT_RUNPATH`; the cache; the system directories. musl: the search
//! paths of either kind along the same chain; the system directories.
use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::arch::Architecture;
use super::closure::Object;
use super::error::{ElfError, malformed, show};
use super::file::Source;
use super::image::{Dynamic, Image};
use super::musl;
use super::resolver::Resolver;
use super::tokens::{Tokens, expand};

/// A library that was found.
#[derive(Debug)]
pub(super) struct Hit {
    pub(super) path: PathBuf,
    pub(super) image: Image,
    pub(super) id: (u64, u64),
    /// How, to follow "needed by X".
    pub(super) how: String,
    /// Whether the loader must be able to read its configuration to find it.
    pub(super) needs_config: bool,
}

/// What a search came to.
#[derive(Debug)]
pub(super) enum Outcome {
    Found(Box<Hit>),
    /// The places where it was looked for.
    Missing(Vec<PathBuf>),
    /// Only a file for another machine has the name.
    Wrong(PathBuf, Architecture),
}

/// The search paths of one object, with tokens replaced.
#[derive(Debug, Default)]
pub(super) struct SearchPaths {
    /// `DT_RPATH`, or for musl either kind: it holds for what this object loads, directly or not.
    pub(super) inherited: Vec<PathBuf>,
    /// `DT_RUNPATH`: it holds for what this object itself needs.
    pub(super) own: Option<Vec<PathBuf>>,
}

#[derive(Debug, Default)]
struct Tried {
    places: Vec<PathBuf>,
    wrong: Option<(PathBuf, Architecture)>,
}

/// The search of one program's loader.
#[derive(Debug)]
pub(super) struct Searcher<'r> {
    resolver: &'r Resolver,
    program: &'r Path,
    arch: Architecture,
    system: Vec<PathBuf>,
    /// What `$LIB` stands for.
    lib: String,
    /// The configuration of musl's loader; `Some(None)` where it has none.
    musl: Option<Option<PathBuf>>,
    /// A directory with its `glibc-hwcaps` subdirectories, best first, as far as they exist.
    variants: HashMap<PathBuf, Vec<PathBuf>>,
    probes: usize,
}

impl<'r> Searcher<'r> {
    pub(super) fn new(
        resolver: &'r Resolver,
        program: &'r Path,
        arch: Architecture,
        loader: &Path,
    ) -> Result<Self, ElfError> {
        let (mut system, lib) = arch.system_directories(Path::new("/"));
        let mut musl = None;
        if musl::is_loader(loader) {
            let directories = musl::directories(loader)?;
            system = directories.list;
            musl = Some(directories.config);
        } else if let Some(directories) = &resolver.system_directories {
            system.clone_from(directories);
        }
        Ok(Self {
            resolver,
            program,
            arch,
            system,
            lib,
            musl,
            variants: HashMap::new(),
            probes: 0,
        })
    }

    pub(super) fn is_musl(&self) -> bool {
        self.musl.is_some()
    }

    pub(super) fn arch(&self) -> Architecture {
        self.arch
    }

    /// The file that tells the loader about directories beyond its own.
    pub(super) fn config(&self) -> &Path {
        match &self.musl {
            Some(Some(config)) => config,
            _ => &self.resolver.cache_path,
        }
    }

    /// Replaces tokens in the name of a needed library; musl doesn't.
    pub(super) fn expand_name(&self, name: &[u8], origin: &Path) -> Vec<u8> {
        match self.is_musl() {
            true => name.to_owned(),
            false => expand(name, self.tokens(origin)),
        }
    }

    pub(super) fn search_paths(&self, dynamic: &Dynamic, origin: &Path) -> SearchPaths {
        let directories = |list: &Vec<u8>| -> Vec<PathBuf> {
            let expand = |part: &[u8]| musl::split(&expand(part, self.tokens(origin)));
            let parts = list.split(|byte| *byte == b':');
            parts.flat_map(expand).map(without_slashes).collect()
        };
        let (rpath, runpath) = (dynamic.rpath.as_ref(), dynamic.runpath.as_ref());
        if self.is_musl() {
            let list = runpath.or(rpath).filter(|list| musl::knows_tokens_of(list));
            return SearchPaths {
                inherited: list.map(directories).unwrap_or_default(),
                own: None,
            };
        }
        SearchPaths {
            // With a RUNPATH, the RPATH is as if it weren't there.
            inherited: rpath
                .filter(|_| runpath.is_none())
                .map(directories)
                .unwrap_or_default(),
            own: runpath.map(directories),
        }
    }

    fn tokens<'a>(&'a self, origin: &'a Path) -> Tokens<'a> {
        Tokens {
            origin,
            lib: &self.lib,
            platform: self.arch.platform(),
        }
    }

    /// Looks for `name` on behalf of `objects[loader]`.
    pub(super) fn find(
        &mut self,
        name: &[u8],
        objects: &[Object],
        loader: usize,
    ) -> Result<Outcome, ElfError> {
        let mut tried = Tried::default();
        let found = match name.contains(&b'/') {
            true => {
                let path = Path::new(OsStr::from_bytes(name));
                let hit = self.probe(path, &mut tried)?;
                tried.places.push(path.parent().unwrap_or(path).to_owned());
                hit.map(|hit| hit.because("by its full path".to_owned()))
            }
            false => self.by_name(OsStr::from_bytes(name), objects, loader, &mut tried)?,
        };
        Ok(match (found, tried.wrong) {
            (Some(hit), _) => Outcome::Found(Box::new(hit)),
            (None, Some((path, arch))) => Outcome::Wrong(path, arch),
            (None, None) => Outcome::Missing(tried.places),
        })
    }

    fn by_name(
        &mut self,
        name: &OsStr,
        objects: &[Object],
        loader: usize,
        tried: &mut Tried,
    ) -> Result<Option<Hit>, ElfError> {
        let object = &objects[loader];
        let mut link = Some(loader).filter(|_| object.search_paths.own.is_none());
        while let Some(holder) = link.map(|index| &objects[index]) {
            if let Some(hit) = self.in_directories(&holder.search_paths.inherited, name, tried)? {
                let kind = if self.is_musl() {
                    "search path"
                } else {
                    "RPATH"
                };
                return Ok(Some(
                    hit.because(format!("through {kind} of {}", show(&holder.path))),
                ));
            }
            link = holder.loader;
        }
        if let Some(directories) = &object.search_paths.own
            && let Some(hit) = self.in_directories(directories, name, tried)?
        {
            return Ok(Some(
                hit.because(format!("through RUNPATH of {}", show(&object.path))),
            ));
        }
        let no_defaults = object.no_default_directories && !self.is_musl();
        if let Some(hit) = self.in_cache(name, no_defaults, tried)? {
            return Ok(Some(hit));
        }
        if no_defaults {
            return Ok(None);
        }
        let system = self.system.clone();
        let hit = self.in_directories(&system, name, tried)?;
        Ok(hit.map(|mut hit| {
            let directory = hit.path.parent().unwrap_or(Path::new("/")).to_owned();
            hit.needs_config =
                self.musl.as_ref().is_some_and(Option::is_some) && !musl::is_default(&directory);
            hit.because(format!("(found in {})", show(&directory)))
        }))
    }

    fn in_cache(
        &mut self,
        name: &OsStr,
        no_defaults: bool,
        tried: &mut Tried,
    ) -> Result<Option<Hit>, ElfError> {
        if self.is_musl() {
            return Ok(None);
        }
        let resolver = self.resolver;
        tried.places.push(resolver.cache_path.clone());
        let cached = resolver
            .cache
            .lookup(name.as_bytes(), self.arch, self.hwcaps());
        let Some(path) = cached.filter(|path| path.is_absolute()) else {
            return Ok(None);
        };
        let in_system = self
            .system
            .iter()
            .any(|directory| path.starts_with(directory));
        if no_defaults && in_system {
            return Ok(None);
        }
        let Some(mut hit) = self.probe(path, tried)? else {
            return Ok(None);
        };
        // Would the loader find it without the cache?
        let parent = path.parent().unwrap_or(Path::new("/"));
        hit.needs_config = !self.system.iter().any(|directory| directory == parent);
        Ok(Some(hit.because("(found in ld.so.cache)".to_owned())))
    }

    fn in_directories(
        &mut self,
        directories: &[PathBuf],
        name: &OsStr,
        tried: &mut Tried,
    ) -> Result<Option<Hit>, ElfError> {
        for directory in directories {
            if !tried.places.contains(directory) {
                tried.places.push(directory.clone());
            }
            for variant in self.variants(directory)? {
                if let Some(hit) = self.probe(&variant.join(name), tried)? {
                    return Ok(Some(hit));
                }
            }
        }
        Ok(None)
    }

    fn hwcaps(&self) -> &'r [&'static str] {
        match self.arch.is_x86_64() && !self.is_musl() {
            true => &self.resolver.hwcaps,
            false => &[],
        }
    }

    fn variants(&mut self, directory: &Path) -> Result<Vec<PathBuf>, ElfError> {
        if let Some(known) = self.variants.get(directory) {
            return Ok(known.clone());
        }
        self.count_probe()?;
        let mut variants = Vec::new();
        if directory.is_dir() {
            let parent = directory.join("glibc-hwcaps");
            if parent.is_dir() {
                let all = self.hwcaps().iter().map(|level| parent.join(level));
                variants.extend(all.filter(|variant| variant.is_dir()));
            }
            variants.push(directory.to_owned());
        }
        self.variants.insert(directory.to_owned(), variants.clone());
        Ok(variants)
    }

    /// Opens one candidate. A file for another machine is passed over, as the loader does; a file that is no
    /// ELF file at all would stop the loader, so it stops us.
    fn probe(&mut self, path: &Path, tried: &mut Tried) -> Result<Option<Hit>, ElfError> {
        self.count_probe()?;
        let Some(source) = Source::open_if_present(path)? else {
            return Ok(None);
        };
        let arch = Image::architecture(&source)?;
        if arch != self.arch {
            tried.wrong.get_or_insert_with(|| (path.to_owned(), arch));
            return Ok(None);
        }
        let image = Image::parse(&source, &self.resolver.limits)?;
        if !image.is_loadable || image.dynamic.is_none() {
            return Err(malformed(path, "no shared library"));
        }
        Ok(Some(Hit {
            path: path.to_owned(),
            image,
            id: source.id(),
            how: String::new(),
            needs_config: false,
        }))
    }

    fn count_probe(&mut self) -> Result<(), ElfError> {
        self.probes += 1;
        match self.probes <= self.resolver.limits.probes {
            true => Ok(()),
            false => Err(ElfError::Limit {
                path: self.program.to_owned(),
                what: "places to look for its libraries",
                limit: self.resolver.limits.probes,
            }),
        }
    }
}

impl Hit {
    fn because(mut self, how: String) -> Self {
        self.how = how;
        self
    }
}

/// The loader drops slashes at the end of a directory and nothing else.
fn without_slashes(directory: PathBuf) -> PathBuf {
    let bytes = directory.as_os_str().as_bytes();
    let kept = bytes
        .iter()
        .rposition(|byte| *byte != b'/')
        .map_or(1, |last| last + 1);
    OsStr::from_bytes(&bytes[..kept]).into()
}
