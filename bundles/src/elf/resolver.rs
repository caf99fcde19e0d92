//! From a path to everything that the file behind it needs.
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use object::elf;

use super::arch::host_hwcaps;
use super::closure::{self, Mapped, Opened};
use super::collector::Collector;
use super::error::{ElfError, show};
use super::file::Source;
use super::image::Image;
use super::ldcache::LdCache;
use super::script::{HEAD, Shebang};
use super::{Resolution, Role};
use crate::bundle::Follower;

const LD_SO_CACHE: &str = "/etc/ld.so.cache";

/// How far to follow what a file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Files for one command.
    pub files: usize,
    /// Libraries that one file may name.
    pub needed: usize,
    /// Libraries that need each other in a row.
    pub depth: usize,
    /// Places where libraries are looked for, all in all: it bounds the time that a hostile search path costs.
    pub probes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            files: 2048,
            needed: 1024,
            depth: 64,
            probes: 200_000,
        }
    }
}

/// Finds what executables of one host need.
#[derive(Debug, Clone)]
pub struct Resolver {
    /// Where `env` looks for the program that a script names.
    pub search_path: Vec<PathBuf>,
    /// How far to follow what a file says.
    pub limits: Limits,
    pub(super) cache_path: PathBuf,
    pub(super) cache: LdCache,
    /// The `glibc-hwcaps` subdirectories that the CPU may use, best first.
    pub(super) hwcaps: Vec<&'static str>,
    /// Instead of what the distribution's layout tells.
    pub(super) system_directories: Option<Vec<PathBuf>>,
}

enum Program {
    Elf(Mapped),
    Script(Shebang),
}

impl Resolver {
    /// A resolver that finds what this host's loader would find.
    ///
    /// # Errors
    /// When `/etc/ld.so.cache` is there and can't be read or understood.
    pub fn host() -> Result<Self, ElfError> {
        Self::with_cache(Path::new(LD_SO_CACHE))
    }

    /// The same with another file in the place of `/etc/ld.so.cache`.
    ///
    /// # Errors
    /// As [`Self::host`].
    pub fn with_cache(cache: &Path) -> Result<Self, ElfError> {
        Ok(Self {
            search_path: ["/usr/local/bin", "/usr/bin", "/bin"]
                .map(PathBuf::from)
                .into(),
            limits: Limits::default(),
            cache_path: cache.to_owned(),
            cache: LdCache::read(cache)?,
            hwcaps: host_hwcaps(),
            system_directories: None,
        })
    }

    /// This one, or one that has read the host's cache anew, where that is another file by now or was changed.
    ///
    /// # Errors
    /// As [`Self::host`].
    pub fn renewed(self) -> Result<Self, ElfError> {
        if self.cache.is_of(&self.cache_path) {
            return Ok(self);
        }
        Ok(Self {
            cache: LdCache::read(&self.cache_path)?,
            ..self
        })
    }

    /// Everything that `executable`, an absolute path to a program or a script, needs to start.
    ///
    /// # Errors
    /// When something is missing, is for another machine, is malformed or goes beyond [`Limits`].
    pub fn resolve(&self, executable: &Path) -> Result<Resolution, ElfError> {
        self.resolve_with(executable, &[])
    }

    /// Likewise with what `executable` opens or runs by itself: libraries and plug-ins (absolute paths, names
    /// for the loader to search, or directories of them), and other programs.
    ///
    /// # Errors
    /// As [`Self::resolve`]. Of what lies in a directory, what can't be resolved is only noted.
    pub fn resolve_with(
        &self,
        executable: &Path,
        found_at_run_time: &[PathBuf],
    ) -> Result<Resolution, ElfError> {
        let resolved = self.resolve_and_follow(executable, found_at_run_time);
        resolved.map(|(resolution, _)| resolution)
    }

    /// Likewise, with what was learnt of the paths: for whoever follows them, too.
    pub(crate) fn resolve_and_follow(
        &self,
        executable: &Path,
        found_at_run_time: &[PathBuf],
    ) -> Result<(Resolution, Follower), ElfError> {
        let mut files = Collector::new(self.limits.files);
        let program = self.open(executable)?;
        let reason = "the command itself".to_owned();
        files.add(executable, Role::Executable, reason)?;
        self.follow(executable, program, &[], &mut files)?;
        let found = self.sort(found_at_run_time)?;
        for (program, reason) in &found.programs {
            files.add(program, Role::Executable, reason.clone())?;
            match self.start(program, &[], &mut files) {
                Err(error) if found.is_one_of_many(program) => files.note(error.to_string()),
                other => other?,
            }
        }
        if !found.libraries.is_empty() {
            self.start(executable, &found.libraries, &mut files)?;
        }
        Ok(files.finish())
    }

    /// Adds all that a program or script needs to start, and what it opens then.
    fn start(
        &self,
        executable: &Path,
        opened: &[Opened],
        files: &mut Collector,
    ) -> Result<(), ElfError> {
        let program = self.open(executable)?;
        self.follow(executable, program, opened, files)
    }

    fn follow(
        &self,
        executable: &Path,
        program: Program,
        opened: &[Opened],
        files: &mut Collector,
    ) -> Result<(), ElfError> {
        match program {
            Program::Elf(mapped) => self.link(mapped, opened, files),
            Program::Script(shebang) => self.script(executable, &shebang, opened, files),
        }
    }

    /// Tells what the kernel would make of a file that it is to run.
    fn open(&self, path: &Path) -> Result<Program, ElfError> {
        if !path.is_absolute() {
            let path = path.to_owned();
            return Err(ElfError::NotAbsolute { path });
        }
        let refuse = |why| ElfError::NotExecutable {
            path: path.to_owned(),
            why,
        };
        let source = match Source::open(path) {
            Err(ElfError::NotRegular { .. }) if path.is_dir() => Err(refuse("it is a directory")),
            Err(ElfError::NotRegular { .. }) => Err(refuse("it is not a regular file")),
            other => other,
        }?;
        if !source.has_execute_bit() {
            return Err(refuse("its mode has no execute bit"));
        }
        let head = source.read_up_to(0, HEAD)?;
        if let Some(shebang) = Shebang::parse(head.as_ref()) {
            let path = path.to_owned();
            let shebang = shebang.map_err(|why| ElfError::Script { path, why })?;
            return Ok(Program::Script(shebang));
        }
        if !head.as_ref().starts_with(&elf::ELFMAG) {
            return Err(refuse("it is neither an ELF file nor a script with #!"));
        }
        let image = self.program_image(&source)?;
        if !image.arch.runs_here() {
            return Err(ElfError::WrongArchitecture {
                path: path.to_owned(),
                found: image.arch.to_string(),
                expected: std::env::consts::ARCH.to_owned(),
                wanted_by: "this host".to_owned(),
            });
        }
        Ok(Program::Elf(Mapped {
            path: path.to_owned(),
            id: source.id(),
            image,
        }))
    }

    pub(super) fn program_image(&self, source: &Source) -> Result<Image, ElfError> {
        let image = Image::parse(source, &self.limits)?;
        let why = match (image.is_loadable, image.has_entry) {
            (true, true) => return Ok(image),
            (true, false) => "it has no entry point, like a shared library",
            (false, _) => "it is an object file or a core dump",
        };
        Err(ElfError::NotExecutable {
            path: source.path().to_owned(),
            why,
        })
    }

    /// Adds a program's loader and libraries; a static program has neither.
    fn link(
        &self,
        program: Mapped,
        opened: &[Opened],
        files: &mut Collector,
    ) -> Result<(), ElfError> {
        let Some(path) = program.image.interpreter.clone() else {
            return match opened.first() {
                None => Ok(()),
                Some(library) => Err(ElfError::StaticProgram {
                    path: program.path,
                    library: library.name.clone(),
                }),
            };
        };
        let source = Source::open(&path).map_err(|error| match error {
            ElfError::Read { path, source } => ElfError::MissingLoader {
                path,
                needed_by: program.path.clone(),
                source,
            },
            other => other,
        })?;
        if !source.has_execute_bit() {
            return Err(ElfError::NotExecutable {
                path,
                why: "its mode has no execute bit",
            });
        }
        let found = Image::architecture(&source)?;
        if found != program.image.arch {
            return Err(ElfError::WrongArchitecture {
                path,
                found: found.to_string(),
                expected: program.image.arch.to_string(),
                wanted_by: show(&program.path),
            });
        }
        let interpreter = Mapped {
            image: self.program_image(&source)?,
            id: source.id(),
            path,
        };
        let reason = format!("dynamic loader of {} (PT_INTERP)", show(&program.path));
        files.add(&interpreter.path, Role::Interpreter, reason)?;
        closure::collect(self, program, interpreter, opened, files)
    }

    fn script(
        &self,
        path: &Path,
        shebang: &Shebang,
        opened: &[Opened],
        files: &mut Collector,
    ) -> Result<(), ElfError> {
        let program = shebang.env_program().map_err(|why| ElfError::Script {
            path: path.to_owned(),
            why,
        })?;
        let reason = format!("interpreter of script {} (#!)", show(path));
        // Of env and the program that it runs, the second is the one that opens libraries.
        let by_first = if program.is_some() { &[] } else { opened };
        self.interpreter(path, &shebang.interpreter, reason, by_first, files)?;
        if let Some(program) = program {
            let found = self.search(path, program)?;
            let reason = format!("named by env in script {}", show(path));
            self.interpreter(path, &found, reason, opened, files)?;
        }
        Ok(())
    }

    /// Adds a program that reads `script`, with all that it needs itself.
    fn interpreter(
        &self,
        script: &Path,
        path: &Path,
        reason: String,
        opened: &[Opened],
        files: &mut Collector,
    ) -> Result<(), ElfError> {
        let program = self.open(path).map_err(|error| match error {
            ElfError::Read { path, source } => ElfError::MissingInterpreter {
                path,
                script: script.to_owned(),
                source,
            },
            other => other,
        })?;
        files.add(path, Role::ScriptInterpreter, reason)?;
        match program {
            Program::Elf(mapped) => self.link(mapped, opened, files),
            Program::Script(_) => Err(ElfError::Script {
                path: script.to_owned(),
                why: format!(
                    "its interpreter {} is itself a script; name a program there",
                    show(path)
                ),
            }),
        }
    }

    /// Looks for a program as `env` does, in our own list of directories.
    fn search(&self, script: &Path, program: &Path) -> Result<PathBuf, ElfError> {
        if program.is_absolute() {
            return Ok(program.to_owned());
        }
        if program.components().count() != 1 || program.file_name() != Some(program.as_os_str()) {
            return Err(ElfError::Script {
                path: script.to_owned(),
                why: format!("env is given {}, a relative path", show(program)),
            });
        }
        let candidates = self
            .search_path
            .iter()
            .map(|directory| directory.join(program));
        candidates
            .into_iter()
            .find(|candidate| is_program(candidate))
            .ok_or_else(|| ElfError::MissingProgram {
                program: OsStr::to_string_lossy(program.as_os_str()).into_owned(),
                script: script.to_owned(),
                searched: self.search_path.clone(),
            })
    }
}

fn is_program(path: &Path) -> bool {
    std::fs::metadata(path)
        .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}
