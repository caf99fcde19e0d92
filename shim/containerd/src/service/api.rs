//! The task API's messages, to what the shim does and back.

use std::sync::Arc;

use containerd_shim_protos::Task;
use containerd_shim_protos::api::{
    CheckpointTaskRequest, CloseIORequest, ConnectRequest, ConnectResponse, CreateTaskRequest,
    CreateTaskResponse, DeleteRequest, DeleteResponse, ExecProcessRequest, KillRequest,
    PauseRequest, PidsRequest, PidsResponse, ResizePtyRequest, ResumeRequest, ShutdownRequest,
    StartRequest, StartResponse, StateRequest, StateResponse, StatsRequest, StatsResponse,
    UpdateTaskRequest, WaitRequest, WaitResponse,
};
use containerd_shim_protos::protobuf::well_known_types::empty::Empty;
use containerd_shim_protos::ttrpc::{Result, TtrpcContext};

use super::Shim;
use super::errors::status;
use crate::typed::timestamp;
use crate::worker::Failure;

/// The service.
#[derive(Debug)]
pub struct Tasks(Arc<Shim>);

impl Tasks {
    /// Of this shim.
    pub fn new(shim: Arc<Shim>) -> Self {
        Self(shim)
    }

    fn told<T>(&self, request: &str, outcome: std::result::Result<T, Failure>) -> Result<T> {
        outcome.map_err(|failure| {
            self.0.note(request, &failure);
            status(&failure)
        })
    }

    fn empty(&self, request: &str, outcome: std::result::Result<(), Failure>) -> Result<Empty> {
        self.told(request, outcome).map(|()| Empty::default())
    }
}

impl Task for Tasks {
    fn state(&self, _: &TtrpcContext, request: StateRequest) -> Result<StateResponse> {
        self.told("state", self.0.state(&request.id, &request.exec_id))
    }

    fn create(&self, _: &TtrpcContext, request: CreateTaskRequest) -> Result<CreateTaskResponse> {
        let pid = self.told("create", self.0.create(&request))?;
        Ok(CreateTaskResponse {
            pid: pid.cast_unsigned(),
            ..CreateTaskResponse::default()
        })
    }

    fn start(&self, _: &TtrpcContext, request: StartRequest) -> Result<StartResponse> {
        let pid = self.told("start", self.0.start(&request.id, &request.exec_id))?;
        Ok(StartResponse {
            pid: pid.cast_unsigned(),
            ..StartResponse::default()
        })
    }

    fn delete(&self, _: &TtrpcContext, request: DeleteRequest) -> Result<DeleteResponse> {
        let (pid, exit) = self.told("delete", self.0.delete(&request.id, &request.exec_id))?;
        Ok(DeleteResponse {
            pid: pid.cast_unsigned(),
            exit_status: exit.code,
            exited_at: Some(timestamp(exit.at)).into(),
            ..DeleteResponse::default()
        })
    }

    fn pids(&self, _: &TtrpcContext, request: PidsRequest) -> Result<PidsResponse> {
        Ok(PidsResponse {
            processes: self.told("pids", self.0.pids(&request.id))?,
            ..PidsResponse::default()
        })
    }

    fn pause(&self, _: &TtrpcContext, request: PauseRequest) -> Result<Empty> {
        self.empty("pause", self.0.pause(&request.id))
    }

    fn resume(&self, _: &TtrpcContext, request: ResumeRequest) -> Result<Empty> {
        self.empty("resume", self.0.resume(&request.id))
    }

    fn checkpoint(&self, _: &TtrpcContext, request: CheckpointTaskRequest) -> Result<Empty> {
        self.empty("checkpoint", self.0.checkpoint(&request))
    }

    fn kill(&self, _: &TtrpcContext, request: KillRequest) -> Result<Empty> {
        self.empty("kill", self.0.kill(&request))
    }

    fn exec(&self, _: &TtrpcContext, request: ExecProcessRequest) -> Result<Empty> {
        self.empty("exec", self.0.add(request))
    }

    fn resize_pty(&self, _: &TtrpcContext, request: ResizePtyRequest) -> Result<Empty> {
        let (rows, columns) = (request.height, request.width);
        let resized = self.0.resize(&request.id, &request.exec_id, rows, columns);
        self.empty("resize", resized)
    }

    fn close_io(&self, _: &TtrpcContext, request: CloseIORequest) -> Result<Empty> {
        let closed = match request.stdin {
            true => self.0.close_input(&request.id, &request.exec_id),
            false => Ok(()),
        };
        self.empty("close", closed)
    }

    fn update(&self, _: &TtrpcContext, request: UpdateTaskRequest) -> Result<Empty> {
        self.empty("update", self.0.update(request))
    }

    fn wait(&self, _: &TtrpcContext, request: WaitRequest) -> Result<WaitResponse> {
        let exit = self.told("wait", self.0.wait(&request.id, &request.exec_id))?;
        Ok(WaitResponse {
            exit_status: exit.code,
            exited_at: Some(timestamp(exit.at)).into(),
            ..WaitResponse::default()
        })
    }

    fn stats(&self, _: &TtrpcContext, request: StatsRequest) -> Result<StatsResponse> {
        Ok(StatsResponse {
            stats: Some(self.told("stats", self.0.stats(&request.id))?).into(),
            ..StatsResponse::default()
        })
    }

    fn connect(&self, _: &TtrpcContext, request: ConnectRequest) -> Result<ConnectResponse> {
        let pid = self.told("connect", self.0.first_pid(&request.id))?;
        Ok(ConnectResponse {
            shim_pid: std::process::id(),
            task_pid: pid.cast_unsigned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            ..ConnectResponse::default()
        })
    }

    fn shutdown(&self, _: &TtrpcContext, _: ShutdownRequest) -> Result<Empty> {
        self.0.shut_down();
        Ok(Empty::default())
    }
}
