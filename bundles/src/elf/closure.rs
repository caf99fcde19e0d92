//! All libraries of one program, breadth first as the loader goes.
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::Role;
use super::collector::Collector;
use super::error::{ElfError, show};
use super::image::{Dynamic, Image, Needed};
use super::musl;
use super::resolver::Resolver;
use super::search::{Hit, Outcome, SearchPaths, Searcher};

/// Libraries that the kernel maps into every process; no file has them.
const FROM_THE_KERNEL: [&[u8]; 3] = [b"linux-vdso.so.1", b"linux-gate.so.1", b"linux-vdso64.so.1"];

/// A program, loader or library in the process that would be.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) path: PathBuf,
    pub(super) search_paths: SearchPaths,
    pub(super) no_default_directories: bool,
    /// The index of the object that needed it first.
    pub(super) loader: Option<usize>,
    depth: usize,
    id: (u64, u64),
    /// What `$ORIGIN` stands for.
    origin: PathBuf,
    /// The names under which it was asked for, and its `DT_SONAME`.
    names: Vec<Vec<u8>>,
    needed: Vec<Needed>,
}

/// A file that the kernel maps: the program or its dynamic loader.
#[derive(Debug)]
pub(super) struct Mapped {
    pub(super) path: PathBuf,
    pub(super) id: (u64, u64),
    pub(super) image: Image,
}

/// A library that the program opens by itself while it runs, by path or by a name to search for.
#[derive(Debug)]
pub(super) struct Opened {
    pub(super) name: PathBuf,
    pub(super) reason: String,
    /// Whether a library that it needs and that isn't there is only told: one of many in a directory may be
    /// of no use to anybody.
    pub(super) is_one_of_many: bool,
}

/// Adds every library of `program` to `files`, then what it opens while it runs.
pub(super) fn collect(
    resolver: &Resolver,
    program: Mapped,
    interpreter: Mapped,
    opened: &[Opened],
    files: &mut Collector,
) -> Result<(), ElfError> {
    let path = program.path.clone();
    // The kernel gives the program's real path as its origin.
    let canonical = files.canonicalize(&path)?;
    let searcher = Searcher::new(resolver, &path, program.image.arch, &interpreter.path)?;
    let mut closure = Closure {
        resolver,
        searcher,
        objects: Vec::new(),
        queue: VecDeque::new(),
        files,
    };
    closure.insert(program, &canonical, None, None);
    // Present from the start, so that libraries can need it by name; its own needs are its business.
    let interpreter_path = interpreter.path.clone();
    closure.insert(interpreter, &interpreter_path, None, None);
    closure.queue.push_back(0);
    closure.run()?;
    opened.iter().try_for_each(|one| closure.open(one))
}

struct Closure<'r, 'f> {
    resolver: &'r Resolver,
    searcher: Searcher<'r>,
    objects: Vec<Object>,
    queue: VecDeque<usize>,
    files: &'f mut Collector,
}

impl Closure<'_, '_> {
    fn run(&mut self) -> Result<(), ElfError> {
        while let Some(index) = self.queue.pop_front() {
            let mut filters = Vec::new();
            for needed in std::mem::take(&mut self.objects[index].needed) {
                match self.load(&needed, index) {
                    Ok(Some(new)) if needed.filter => filters.push(new),
                    Ok(Some(new)) => self.queue.push_back(new),
                    Ok(None) => {}
                    Err(
                        ElfError::MissingLibrary { .. }
                        | ElfError::RelativeLibrary { .. }
                        | ElfError::WrongArchitecture { .. },
                    ) if needed.optional => {}
                    Err(error) => return Err(error),
                }
            }
            for filter in filters.into_iter().rev() {
                self.queue.push_front(filter);
            }
        }
        Ok(())
    }

    /// What dlopen does: the library is looked for as if the program needed it.
    fn open(&mut self, opened: &Opened) -> Result<(), ElfError> {
        let needed = Needed {
            name: opened.name.as_os_str().as_bytes().to_owned(),
            optional: false,
            filter: false,
        };
        let loaded = self
            .load_because(&needed, 0, Some(&opened.reason))
            .map(|new| self.queue.extend(new))
            .and_then(|()| self.run());
        match loaded {
            Err(error @ ElfError::Limit { .. }) => Err(error),
            Err(error) if opened.is_one_of_many => {
                self.queue.clear();
                self.files.note(error.to_string());
                Ok(())
            }
            other => other,
        }
    }

    /// The index of the object, if it is a new one.
    fn load(&mut self, needed: &Needed, loader: usize) -> Result<Option<usize>, ElfError> {
        self.load_because(needed, loader, None)
    }

    fn load_because(
        &mut self,
        needed: &Needed,
        loader: usize,
        reason: Option<&str>,
    ) -> Result<Option<usize>, ElfError> {
        let name = self
            .searcher
            .expand_name(&needed.name, &self.objects[loader].origin);
        let is_present = |object: &Object| object.names.contains(&name);
        if FROM_THE_KERNEL.contains(&name.as_slice())
            || (self.searcher.is_musl() && musl::is_builtin(&name))
            || self.objects.iter().any(is_present)
        {
            return Ok(None);
        }
        let hit = self.find(&name, loader)?;
        let by = show(&self.objects[loader].path);
        let reason = match reason {
            Some(reason) => format!("{reason} {}", hit.how),
            None => format!("needed by {by} {}", hit.how),
        };
        if hit.needs_config {
            let config = self.searcher.config();
            self.files.need_loader_config(config);
        }
        self.files.add(&hit.path, Role::Library, reason)?;
        // Another name for what is there: the loader opens it, compares the inode and lets go of it.
        if let Some(same) = self.objects.iter_mut().find(|object| object.id == hit.id) {
            same.names.push(name);
            return Ok(None);
        }
        let depth = self.objects[loader].depth + 1;
        if depth > self.resolver.limits.depth {
            return Err(ElfError::Limit {
                path: hit.path,
                what: "libraries that need each other in a row",
                limit: self.resolver.limits.depth,
            });
        }
        let Hit {
            path, id, image, ..
        } = hit;
        let origin = path.clone();
        Ok(Some(self.insert(
            Mapped { path, id, image },
            &origin,
            Some(loader),
            Some(name),
        )))
    }

    fn find(&mut self, name: &[u8], loader: usize) -> Result<Hit, ElfError> {
        let needed_by = self.objects[loader].path.clone();
        let text = String::from_utf8_lossy(name).into_owned();
        if name.contains(&b'/') && !name.starts_with(b"/") {
            return Err(ElfError::RelativeLibrary {
                name: text,
                needed_by,
            });
        }
        match self.searcher.find(name, &self.objects, loader)? {
            Outcome::Found(hit) => Ok(*hit),
            Outcome::Missing(searched) => Err(ElfError::MissingLibrary {
                name: text,
                needed_by,
                searched,
            }),
            Outcome::Wrong(path, found) => Err(ElfError::WrongArchitecture {
                path,
                found: found.to_string(),
                expected: self.searcher.arch().to_string(),
                wanted_by: show(&needed_by),
            }),
        }
    }

    /// `place` is where the object is for `$ORIGIN`.
    fn insert(
        &mut self,
        mapped: Mapped,
        place: &Path,
        loader: Option<usize>,
        name: Option<Vec<u8>>,
    ) -> usize {
        let Mapped { path, id, image } = mapped;
        let dynamic: Dynamic = image.dynamic.unwrap_or_default();
        let origin = place.parent().unwrap_or(Path::new("/")).to_owned();
        let mut names: Vec<Vec<u8>> = name.into_iter().collect();
        names.push(OsStr::as_bytes(path.as_os_str()).to_owned());
        // musl goes by file names alone.
        names.extend(dynamic.soname.clone().filter(|_| !self.searcher.is_musl()));
        let object = Object {
            search_paths: self.searcher.search_paths(&dynamic, &origin),
            no_default_directories: dynamic.no_default_directories,
            depth: loader.map_or(0, |loader| self.objects[loader].depth + 1),
            path,
            loader,
            id,
            origin,
            names,
            needed: dynamic.needed,
        };
        self.objects.push(object);
        self.objects.len() - 1
    }
}
