//! Saving a container in images.

use std::path::PathBuf;

use bundles::promise::Kind;
use libcontainer::oci_spec::runtime::Spec;

use super::super::snapshot::Status;
use super::super::store::{Container, Store};
use super::super::{Bundle, CONFIG, Error, Result, delete};
use super::criu::{Criu, CriuOptions};
use super::external;

/// How to save.
#[derive(Debug, Clone)]
pub struct DumpOptions {
    /// What criu is told.
    pub criu: CriuOptions,
    /// Images of an earlier `pre_dump`, from which pages that didn't change are left out.
    pub parent: Option<PathBuf>,
    /// Save memory only, and let the container run.
    pub pre_dump: bool,
    /// Let the container run afterwards; otherwise it is deleted.
    pub leave_running: bool,
}

/// Saves the running container `id`.
///
/// # Errors
/// [`Error::Criu`]; the container runs on then.
pub fn checkpoint(store: &Store, id: &str, options: &DumpOptions) -> Result<()> {
    super::needs_root()?;
    let container = store.open(id)?;
    container.must_be(Status::Running, "running")?;
    let spec = container.spec()?;
    let kind = Kind::of(&spec).map_err(|error| Error::Argument(error.to_string()))?;
    super::refuse_sealed(kind.is_some())?;
    super::make_directories(&options.criu)?;
    dump(&container, spec, options)?;
    tracing::debug!(id, "saved");
    if options.pre_dump || options.leave_running {
        return Ok(());
    }
    delete::remove(container)
}

fn dump(container: &Container, spec: Spec, options: &DumpOptions) -> Result<()> {
    let snapshot = &container.snapshot;
    let pid = snapshot
        .process
        .map(|process| process.pid)
        .unwrap_or_default();
    let action = if options.pre_dump { "pre-dump" } else { "dump" };
    let mut criu = Criu::new(action, &options.criu);
    criu.option("--tree", pid.to_string());
    criu.option("--root", &snapshot.rootfs);
    if let Some(freezer) = snapshot.cgroup.freezer_directory() {
        criu.option("--freeze-cgroup", freezer);
    }
    if let Some(parent) = &options.parent {
        criu.option("--prev-images-dir", parent);
    }
    if options.pre_dump || options.parent.is_some() {
        criu.flag("--track-mem");
    }
    if options.leave_running {
        criu.flag("--leave-running");
    }
    external::name_namespaces(&mut criu, &spec)?;
    if !options.pre_dump {
        let bundle = Bundle {
            directory: snapshot.bundle.clone(),
            config: snapshot.bundle.join(CONFIG),
            spec,
            kind: None,
            rootfs: snapshot.rootfs.clone(),
            granted: vec![],
        };
        external::name_mounts(&mut criu, &bundle, pid, &options.criu.images)?;
        external::note_descriptors(pid, &options.criu.images)?;
    }
    criu.run()
}
