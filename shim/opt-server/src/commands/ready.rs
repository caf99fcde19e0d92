//! `ready`: a sandbox that is made before anybody asks for it. The server calls it, with a socket as standard input
//! (see [`ready`]); it isn't for people.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use bundles::bundle::Skeleton;
use bundles::elf::Resolver;
use bundles::opt_server::config::{Command, Config, Limits};
use bundles::opt_server::{CommandFilter, Identity, Request, Sandbox};
use runtime::container::{self, Ready, Store};
use runtime::{own_executable, telling};
use rustix::fs::{FileType, MemfdFlags, fstat, memfd_create};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout, stdin};

use crate::configuration::{Configuration, tell_warnings};
use crate::execution::ready::{Asked, Word, hear, open_output, say};
use crate::execution::sandboxed::make_bundle;
use crate::execution::start_once;
use crate::execution::{self, Begun, Claimed, LimitFlags, Report, ReportFile, claim_ahead};

/// Arguments of `ready`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    configuration: Configuration,
    /// Directory for the state of containers [default: opt-runtime's]
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// The command's name in the configuration
    name: String,
    #[command(flatten)]
    limits: LimitFlags,
}

/// Makes it, waits to be asked, and runs what is asked for as `run` does.
pub fn execute(arguments: &Arguments) -> Result<ExitCode> {
    own_executable::protect().context("protect this executable")?;
    let socket = take_socket()?;
    let config = arguments.configuration.read();
    let ended = config.and_then(|config| Called::new(&config, arguments, &socket)?.stand_by());
    ended.inspect_err(|error| {
        // Where it was taken, nobody listens any more.
        let failed = Word::Failed(telling::line(error.as_ref()));
        let _ = say(&socket, &failed);
    })
}

/// The server's end is the only other one. What stays at its place leads nowhere.
fn take_socket() -> Result<UnixStream> {
    let is_socket = FileType::from_raw_mode(fstat(stdin())?.st_mode) == FileType::Socket;
    if !is_socket {
        bail!("it is the server that calls this; hint: opt-server run");
    }
    let socket = stdin().try_clone_to_owned().context("take the socket")?;
    let null = File::open("/dev/null").context("open /dev/null")?;
    dup2_stdin(&null).context("close standard input")?;
    Ok(socket.into())
}

/// What is settled before anybody asks.
struct Ahead {
    claimed: Claimed,
    resolver: Resolver,
    /// The ready sandbox's root file system.
    skeleton: Skeleton,
    /// A copy of its system call filter, which is the command's.
    filter: CommandFilter,
}

/// What the process was called for.
struct Called<'a> {
    config: &'a Config,
    command: &'a Command,
    arguments: &'a Arguments,
    socket: &'a UnixStream,
    /// What was asked for, where the guardian finds it when this process is killed.
    note: Note,
    /// The process that was called, the guardian.
    pid: u32,
}

impl<'a> Called<'a> {
    fn new(config: &'a Config, arguments: &'a Arguments, socket: &'a UnixStream) -> Result<Self> {
        Ok(Self {
            config,
            command: config.command(&arguments.name)?,
            arguments,
            socket,
            note: Note::new()?,
            pid: std::process::id(),
        })
    }

    /// Makes the sandbox, waits, and runs what is asked for. Nothing is an end too.
    fn stand_by(&self) -> Result<ExitCode> {
        let claimed = claim_ahead(self.config.extensions.identity)?;
        let limits = self.arguments.limits.limits()?;
        let ahead = self.request(&[], PathBuf::new(), claimed.identity, limits);
        let bounds = execution::bounds(self.command, &ahead.limits(), true, false);
        let resolver = Resolver::host()?;
        let sandbox = Sandbox::plan_ahead(ahead, &resolver)?;
        let store = Store::at(self.arguments.root.clone());
        let bundle = |id: &str| make_bundle(&store, id, &sandbox, claimed.identity, &mut None);
        let ready = Ready::make(&store, &bounds, bundle, |id| self.report_killed(id))?;
        let ahead = Ahead {
            skeleton: sandbox.skeleton(),
            filter: sandbox.filter(),
            claimed,
            resolver,
        };
        match self.wait(&ready) {
            Ok(Some(asked)) => self.execute(ready, ahead, &asked, &store),
            none_or_failed => {
                ready.discard()?;
                none_or_failed.map(|_| ExitCode::SUCCESS)
            }
        }
    }

    /// Waits for a request, and takes it.
    fn wait(&self, ready: &Ready) -> Result<Option<Asked>> {
        // A server that is gone asks for nothing: the next word is the end.
        let _ = say(self.socket, &Word::Ready);
        if !ready.wait_for_word(self.socket.as_fd())? {
            return Ok(None);
        }
        let Some(asked) = hear::<Asked>(self.socket).context("hear what is asked for")? else {
            return Ok(None);
        };
        if !start_once::take(&asked.begin, start_once::By::Process)
            .context("begin the execution")?
        {
            // A server after the one that asked has given it to somebody else.
            return Ok(None);
        }
        self.note.write(&asked)?;
        let stdout = open_output(&asked.stdout).context("open standard output")?;
        let stderr = asked.stderr.as_deref().map(open_output).transpose();
        let stderr = stderr.context("open standard error")?;
        dup2_stdout(&stdout).context("open standard output")?;
        dup2_stderr(stderr.as_ref().unwrap_or(&stdout)).context("open standard error")?;
        // Whether the server is still there to hear it makes no difference from here on.
        let _ = say(self.socket, &Word::Taken);
        tell_warnings(self.config);
        Ok(Some(asked))
    }

    /// Runs it, with a report, as `run` would.
    fn execute(
        &self,
        ready: Ready,
        ahead: Ahead,
        asked: &Asked,
        store: &Store,
    ) -> Result<ExitCode> {
        let (begun, file) = match self.begin(asked) {
            Ok(begun) => begun,
            Err(error) => {
                ready.discard()?;
                telling::say(&format!("opt-server: {}\n", telling::line(error.as_ref())));
                return Ok(ExitCode::from(telling::OURS));
            }
        };
        let Ahead {
            claimed,
            resolver,
            skeleton,
            filter,
        } = ahead;
        let mut loan = None;
        let ended = match self.plan(&claimed, asked, begun.limits, resolver) {
            Ok((wanted, identity)) => {
                let request = container::Request {
                    spec: wanted.spec_with(filter),
                    has_same_root: wanted.skeleton() == skeleton,
                    is_one_output: asked.stderr.is_none(),
                    bounds: execution::bounds(self.command, &begun.limits, true, false),
                    anew: |id: &str| make_bundle(store, id, &wanted, identity, &mut loan),
                };
                ready.run(request).map_err(Into::into)
            }
            Err(error) => ready.discard().map_err(Into::into).and(Err(error)),
        };
        drop(loan);
        execution::conclude(begun, Some(file), ended)
    }

    /// What a report begins with, and where it goes.
    fn begin(&self, asked: &Asked) -> Result<(Begun, ReportFile)> {
        let file = ReportFile::open(&asked.report)?;
        let group = asked.user_group.as_deref();
        let group = group.map(|name| self.config.named_user_group(name));
        let of_group = group.transpose()?.map(|group| group.limits);
        let limits = asked.limits.narrowed(&of_group.unwrap_or_default());
        let begun = Begun {
            id: asked.id.clone(),
            command: self.command.name.clone(),
            arguments: asked.arguments.clone(),
            limits: Limits {
                // The server's to hold to: this is one execution.
                max_parallel_processes: None,
                ..self.command.extensions.limits.narrowed(&limits)
            },
            called: SystemTime::now(),
        };
        Ok((begun, file))
    }

    /// The sandbox that is asked for, planned as if there were none.
    fn plan<'r>(
        &'r self,
        claimed: &Claimed,
        asked: &'r Asked,
        limits: Limits,
        resolver: Resolver,
    ) -> Result<(Sandbox<'r>, Identity)> {
        let identity = claimed.with_project(&asked.project, self.pid)?;
        let request = self.request(&asked.arguments, asked.project.clone(), identity, limits);
        let resolver = resolver
            .renewed()
            .context("read this host's library configuration")?;
        Ok((Sandbox::plan(request, &resolver)?, identity))
    }

    fn request<'r>(
        &'r self,
        arguments: &'r [String],
        project: PathBuf,
        identity: Identity,
        limits: Limits,
    ) -> Request<'r> {
        Request {
            config: self.config,
            command: self.command,
            arguments,
            project,
            identity,
            limits,
        }
    }

    /// In the guardian, whose copy of all this is from before anybody asked.
    fn report_killed(&self, id: &str) {
        let Some(asked) = self.note.read() else {
            return;
        };
        if let Ok((begun, file)) = self.begin(&asked) {
            // There is nobody to tell that it can't be written.
            let _ = file.write(&Report::killed(begun, id));
        }
    }
}

/// What most notes fit into, bytes.
const PAGE: usize = 4096;

/// A file in memory, which this process and its guardian share: JSON, with blanks behind it.
struct Note(File);

impl Note {
    fn new() -> Result<Self> {
        let file = memfd_create("asked", MemfdFlags::CLOEXEC).context("make a file in memory")?;
        let note = Self(file.into());
        // Its memory, now that there is time for that.
        note.0
            .write_all_at(&[b' '; PAGE], 0)
            .context("make a file in memory")?;
        Ok(note)
    }

    fn write(&self, asked: &Asked) -> Result<()> {
        let text = serde_json::to_vec(asked)?;
        self.0
            .write_all_at(&text, 0)
            .context("note what is asked for")
    }

    fn read(&self) -> Option<Asked> {
        let mut text = vec![0; usize::try_from(self.0.metadata().ok()?.len()).ok()?];
        self.0.read_exact_at(&mut text, 0).ok()?;
        serde_json::from_slice(&text).ok()
    }
}
