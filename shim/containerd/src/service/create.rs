//! `Create`.

use std::collections::HashMap;
use std::path::PathBuf;

use containerd_shim_protos::api::CreateTaskRequest;
use containerd_shim_protos::events::task::{TaskCreate, TaskIO};
use containerd_shim_protos::shim::oci::Options;

use super::errors::{exists, invalid};
use super::process::{Phase, Process};
use super::table::Container;
use super::{Place, Shim};
use crate::stdio::Paths;
use crate::worker::{Answer, Create, Failure, FailureKind, Mount, Operation};
use crate::{bundle, typed};

impl Shim {
    /// Creates a container; gives its first process's pid.
    pub(super) fn create(&self, request: &CreateTaskRequest) -> Result<i32, Failure> {
        let id = &request.id;
        if self.table().containers.contains_key(id) {
            return Err(exists("task", id));
        }
        if !request.checkpoint.is_empty() {
            return Err(Failure::new(
                FailureKind::Unimplemented,
                "restore from a checkpoint; hint: opt-runtime restore",
            ));
        }
        let options = options(request)?;
        let place = Place {
            store: bundle::store(&options.root, &self.namespace),
            id: id.clone(),
        };
        let directory = PathBuf::from(&request.bundle);
        if !options.root.is_empty() {
            bundle::note_store(&directory, &place.store).map_err(Failure::unknown)?;
        }
        let paths = Paths {
            stdin: request.stdin.clone(),
            stdout: request.stdout.clone(),
            stderr: request.stderr.clone(),
            terminal: request.terminal,
        };
        let (streams, descriptors) = paths.prepare().map_err(Failure::unknown)?;
        let operation = Operation::Create(Create {
            bundle: directory.clone(),
            mounts: mounts(request),
            no_pivot: options.no_pivot_root,
            no_new_keyring: options.no_new_keyring,
            systemd_cgroup: options.systemd_cgroup,
        });
        self.table().begin_making();
        let answer = self.perform_with(place.clone(), operation, descriptors);
        let (pid, has_pid_namespace) = match answer {
            Ok(Answer::Created {
                pid,
                has_pid_namespace,
            }) => (pid, has_pid_namespace),
            other => {
                self.table().end_making(None);
                return Err(other
                    .err()
                    .unwrap_or_else(|| Failure::unknown("no pid came")));
            }
        };
        let attached = streams.attach();
        let (streams, lost) = match attached {
            Ok(streams) => (Some(streams), None),
            Err(error) => (None, Some(error)),
        };
        let mut table = self.table();
        let exit = table.end_making(Some(pid));
        let mut init = Process {
            pid,
            phase: Phase::Created,
            streams,
            ..Process::added(paths, String::new())
        };
        // containerd deletes what it sees fail; until then the container is the shim's.
        if let Some(exit) = exit {
            init.end(exit);
            init.is_told = true;
        }
        let container = Container {
            bundle: directory,
            store: place.store,
            has_pid_namespace,
            is_paused: false,
            init,
            executed: HashMap::new(),
        };
        table.containers.insert(id.clone(), container);
        if let Some(error) = lost {
            return Err(Failure::unknown(error));
        }
        self.publisher
            .publish("/tasks/create", &event(request, pid));
        Ok(pid)
    }
}

fn options(request: &CreateTaskRequest) -> Result<Options, Failure> {
    let Some(any) = request.options.as_ref() else {
        return Ok(Options::default());
    };
    let options = typed::unpack::<Options>(any);
    let options = options.map_err(|error| invalid(format!("options: {error}")))?;
    Ok(options.unwrap_or_default())
}

fn mounts(request: &CreateTaskRequest) -> Vec<Mount> {
    let mounts = request.rootfs.iter();
    mounts
        .map(|mount| Mount {
            kind: mount.type_.clone(),
            source: mount.source.clone(),
            options: mount.options.clone(),
        })
        .collect()
}

fn event(request: &CreateTaskRequest, pid: i32) -> TaskCreate {
    let io = TaskIO {
        stdin: request.stdin.clone(),
        stdout: request.stdout.clone(),
        stderr: request.stderr.clone(),
        terminal: request.terminal,
        ..TaskIO::default()
    };
    TaskCreate {
        container_id: request.id.clone(),
        bundle: request.bundle.clone(),
        rootfs: request.rootfs.clone(),
        io: Some(io).into(),
        checkpoint: request.checkpoint.clone(),
        pid: pid.cast_unsigned(),
        ..TaskCreate::default()
    }
}
