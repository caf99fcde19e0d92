//! The task API: from a request to what the shim does, and back.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::thread;

use containerd_shim_protos::api::{
    CheckpointTaskRequest, CloseIORequest, ConnectRequest, ConnectResponse, CreateTaskRequest,
    CreateTaskResponse, DeleteRequest, DeleteResponse, ExecProcessRequest, KillRequest,
    PauseRequest, PidsRequest, PidsResponse, ResizePtyRequest, ResumeRequest, StartRequest,
    StartResponse, StateRequest, StatsRequest, StatsResponse, UpdateTaskRequest, WaitRequest,
};
use containerd_shim_protos::protobuf::Message;
use containerd_shim_protos::protobuf::well_known_types::empty::Empty;
use containerd_shim_protos::ttrpc::{Code, Request, get_status};

use super::Shim;
use super::errors::{invalid, status};
use crate::log;
use crate::ttrpc::Reply;
use crate::typed::timestamp;
use crate::worker::{Failure, FailureKind};

/// The service's names: of version 3, and of version 2, which containerd 1.x knows. The messages are the same.
const SERVICES: [&str; 2] = ["containerd.task.v3.Task", "containerd.task.v2.Task"];

/// The stack of a thread that does one request.
const STACK: usize = 256 << 10;

/// Does what `request` asks, in a thread where it takes time; says whether the shim goes on.
pub fn answer(shim: &Arc<Shim>, request: Request, reply: Reply) -> ControlFlow<()> {
    if !SERVICES.contains(&request.service.as_str()) {
        let text = format!("service {}: not implemented", request.service);
        reply.send(Err(get_status(Code::UNIMPLEMENTED, text)));
        return ControlFlow::Continue(());
    }
    match request.method.as_str() {
        "Wait" => match decoded::<WaitRequest>(&request.payload) {
            Ok(request) => shim.wait(request, reply),
            Err(failure) => reply.send(Err(status(&failure))),
        },
        "Shutdown" => {
            let is_idle = shim.is_idle();
            reply.send(Ok(vec![]));
            if is_idle {
                return ControlFlow::Break(());
            }
        }
        _ => in_thread(shim, request, reply),
    }
    ControlFlow::Continue(())
}

fn in_thread(shim: &Arc<Shim>, request: Request, reply: Reply) {
    let shim = Arc::clone(shim);
    let spawned = thread::Builder::new()
        .name("request".to_owned())
        .stack_size(STACK)
        .spawn(move || {
            let outcome = call(&shim, &request.method, &request.payload);
            reply.send(outcome.map_err(|failure| {
                shim.note(&request.method, &failure);
                status(&failure)
            }));
        });
    if let Err(error) = spawned {
        // Whoever asked is answered that nobody could.
        log::warn(&format!("start a thread: {error}"));
    }
}

fn call(shim: &Arc<Shim>, method: &str, payload: &[u8]) -> Result<Vec<u8>, Failure> {
    match method {
        "State" => of(payload, |asked: StateRequest| {
            shim.state(&asked.id, &asked.exec_id)
        }),
        "Create" => of(payload, |asked: CreateTaskRequest| create(shim, &asked)),
        "Start" => of(payload, |asked: StartRequest| start(shim, &asked)),
        "Delete" => of(payload, |asked: DeleteRequest| delete(shim, &asked)),
        "Pids" => of(payload, |asked: PidsRequest| pids(shim, &asked)),
        "Pause" => of(payload, |asked: PauseRequest| {
            shim.pause(&asked.id).map(empty)
        }),
        "Resume" => of(payload, |asked: ResumeRequest| {
            shim.resume(&asked.id).map(empty)
        }),
        "Checkpoint" => of(payload, |asked: CheckpointTaskRequest| {
            shim.checkpoint(&asked).map(empty)
        }),
        "Kill" => of(payload, |asked: KillRequest| shim.kill(&asked).map(empty)),
        "Exec" => of(payload, |asked: ExecProcessRequest| {
            shim.add(asked).map(empty)
        }),
        "ResizePty" => of(payload, |asked: ResizePtyRequest| {
            shim.resize(&asked.id, &asked.exec_id, asked.height, asked.width)
                .map(empty)
        }),
        "CloseIO" => of(payload, |asked: CloseIORequest| close(shim, &asked)),
        "Update" => of(payload, |asked: UpdateTaskRequest| {
            shim.update(asked).map(empty)
        }),
        "Stats" => of(payload, |asked: StatsRequest| stats(shim, &asked)),
        "Connect" => of(payload, |asked: ConnectRequest| connect(shim, &asked)),
        _ => Err(Failure::new(
            FailureKind::Unimplemented,
            format!("method {method}"),
        )),
    }
}

/// One call: `handle`, between messages and their bytes.
fn of<Q: Message, A: Message>(
    payload: &[u8],
    handle: impl FnOnce(Q) -> Result<A, Failure>,
) -> Result<Vec<u8>, Failure> {
    encoded(&handle(decoded(payload)?)?)
}

fn decoded<Q: Message>(payload: &[u8]) -> Result<Q, Failure> {
    Q::parse_from_bytes(payload).map_err(|error| invalid(format!("{}: {error}", Q::NAME)))
}

pub(super) fn encoded(answer: &impl Message) -> Result<Vec<u8>, Failure> {
    answer.write_to_bytes().map_err(Failure::unknown)
}

fn empty((): ()) -> Empty {
    Empty::default()
}

fn create(shim: &Shim, asked: &CreateTaskRequest) -> Result<CreateTaskResponse, Failure> {
    Ok(CreateTaskResponse {
        pid: shim.create(asked)?.cast_unsigned(),
        ..CreateTaskResponse::default()
    })
}

fn start(shim: &Arc<Shim>, asked: &StartRequest) -> Result<StartResponse, Failure> {
    Ok(StartResponse {
        pid: shim.start(&asked.id, &asked.exec_id)?.cast_unsigned(),
        ..StartResponse::default()
    })
}

fn delete(shim: &Shim, asked: &DeleteRequest) -> Result<DeleteResponse, Failure> {
    let (pid, exit) = shim.delete(&asked.id, &asked.exec_id)?;
    Ok(DeleteResponse {
        pid: pid.cast_unsigned(),
        exit_status: exit.code,
        exited_at: Some(timestamp(exit.at)).into(),
        ..DeleteResponse::default()
    })
}

fn pids(shim: &Shim, asked: &PidsRequest) -> Result<PidsResponse, Failure> {
    Ok(PidsResponse {
        processes: shim.pids(&asked.id)?,
        ..PidsResponse::default()
    })
}

fn close(shim: &Shim, asked: &CloseIORequest) -> Result<Empty, Failure> {
    if asked.stdin {
        shim.close_input(&asked.id, &asked.exec_id)?;
    }
    Ok(Empty::default())
}

fn stats(shim: &Shim, asked: &StatsRequest) -> Result<StatsResponse, Failure> {
    Ok(StatsResponse {
        stats: Some(shim.stats(&asked.id)?).into(),
        ..StatsResponse::default()
    })
}

fn connect(shim: &Shim, asked: &ConnectRequest) -> Result<ConnectResponse, Failure> {
    Ok(ConnectResponse {
        shim_pid: std::process::id(),
        task_pid: shim.first_pid(&asked.id)?.cast_unsigned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        ..ConnectResponse::default()
    })
}
