//! Each operation, by the runtime's library.

use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use runtime::container::{
    self, CriuOptions, DumpOptions, Error, ExecOptions, ExecRequest, SignalNumber, Store,
};

use super::request::{Answer, Checkpoint, Failure, FailureKind, Operation, Request};
use super::{create, rootfs};

/// How containerd knows that a process is gone.
const FINISHED: &str = "process already finished";

/// Does it.
pub fn perform(request: &Request, console: Option<&OwnedFd>) -> Result<Answer, Failure> {
    let store = Store::at(Some(request.store.clone()));
    let id = &request.id;
    match &request.operation {
        Operation::Create(how) => return create::create(&store, id, how, console),
        Operation::Start => container::start(store.open(id)?)?,
        Operation::Exec(process) => return exec(&store, id, process, console),
        Operation::Kill { signal, all } => kill(&store, id, *signal, *all)?,
        Operation::Pause => container::pause(&store.open(id)?)?,
        Operation::Resume => container::resume(&store.open(id)?)?,
        Operation::Update(limits) => {
            let limits = container::parse_resources(limits.as_bytes(), Path::new("resources"))?;
            container::update(&store.open(id)?, &limits)?;
        }
        Operation::Stats => {
            let stats = container::stats(&store.look(id)?)?;
            return serde_json::to_value(stats)
                .map(Answer::Stats)
                .map_err(Failure::unknown);
        }
        Operation::Pids => return Ok(Answer::Pids(container::members(&store.look(id)?)?)),
        Operation::Checkpoint(how) => checkpoint(&store, id, how)?,
        Operation::Delete { bundle } => {
            container::delete(&store, id, true)?;
            rootfs::unmount(bundle).map_err(Failure::unknown)?;
        }
    }
    Ok(Answer::Done)
}

fn exec(
    store: &Store,
    id: &str,
    process: &str,
    console: Option<&OwnedFd>,
) -> Result<Answer, Failure> {
    let process = container::parse_process(process.as_bytes(), Path::new("process"))?;
    let options = ExecOptions {
        console: console.map(AsRawFd::as_raw_fd),
        ..ExecOptions::default()
    };
    let request = ExecRequest::Whole(Box::new(process));
    Ok(Answer::Process(container::exec_detached(
        store, id, &request, &options,
    )?))
}

fn kill(store: &Store, id: &str, signal: u32, all: bool) -> Result<(), Failure> {
    let signal = SignalNumber::parse(&signal.to_string())?;
    match container::kill(&store.look(id)?, signal, all) {
        Err(Error::WrongStatus { .. }) => Err(Failure::new(FailureKind::NotFound, FINISHED)),
        other => Ok(other?),
    }
}

fn checkpoint(store: &Store, id: &str, how: &Checkpoint) -> Result<(), Failure> {
    let options = DumpOptions {
        criu: CriuOptions {
            program: "criu".into(),
            images: how.images.clone(),
            work: how.work.clone(),
            tcp_established: how.open_tcp,
            external_unix_sockets: how.external_unix_sockets,
            shell_job: how.terminal,
            file_locks: how.file_locks,
            empty_network: false,
            auto_dedup: false,
            cgroups_mode: match how.cgroups_mode.as_str() {
                "" => "soft".to_owned(),
                mode => mode.to_owned(),
            },
        },
        parent: None,
        pre_dump: false,
        leave_running: !how.exit,
    };
    Ok(container::checkpoint(store, id, &options)?)
}
