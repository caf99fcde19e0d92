//! From a configuration to a gateway that listens, and to its end.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use daemon::{Asked, Certificate, Connections, Limits, Listener, Signals, notify, serve};
use tokio::sync::watch;

use super::Metrics;
use super::unprivileged;
use crate::api::router;
use crate::auth::{Authenticator, Rates};
use crate::configuration::{Access, Configuration, Tls};
use crate::gateway::Gateway;
use crate::queue::{self, Maker, Queue};
use crate::state::State;

/// Between two rounds of what happens by itself.
const ROUND: Duration = Duration::from_secs(10);

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// What keeps it from starting; nothing was listened on then.
pub fn start(configuration: Configuration, maker: Arc<dyn Maker>) -> Result<()> {
    daemon::log(configuration.log_level);
    unprivileged::must_be()?;
    // What is made here is nobody else's; what is for others is given its mode.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    for warning in &configuration.warnings {
        tracing::warn!("{}: {warning}", configuration.path.display());
    }
    make_directories(&configuration)?;
    let certificate = certificate(&configuration)?;
    let gateway = Arc::new(Gateway {
        state: State::open(&configuration.state)?,
        authenticator: Authenticator::new(&configuration),
        rates: Rates::new(configuration.limits.requests_per_minute),
        queue: Queue::default(),
        maker,
        metrics: Metrics::default(),
        is_draining: AtomicBool::new(false),
        configuration,
    });
    queue::recover(&gateway).context("take up what was left")?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start threads")?
        .block_on(run(&gateway, certificate.as_ref()))?;
    gateway.state.save().context("write lookups")?;
    Ok(())
}

fn make_directories(configuration: &Configuration) -> Result<()> {
    let state = &configuration.state;
    let own = [
        state.clone(),
        state.join("imports"),
        state.join("made"),
        configuration.cache.clone(),
        configuration.expand.clone(),
    ];
    for directory in own {
        DirBuilder::new()
            .mode(0o700)
            .recursive(true)
            .create(&directory)
            .with_context(|| format!("make {}", directory.display()))?;
    }
    for (system, platform) in &configuration.platforms {
        if let Access::Local(directory) = &platform.access {
            can_write(directory)
                .with_context(|| format!("image directory {} of {system}", directory.display()))?;
        }
    }
    Ok(())
}

/// Nothing but trying tells.
fn can_write(directory: &Path) -> std::io::Result<()> {
    daemon::WholeFile::at(&directory.join("tried"))?.try_out()
}

fn certificate(configuration: &Configuration) -> Result<Option<Certificate>> {
    let state = &configuration.state;
    match configuration.tls.clone() {
        Tls::Off => Ok(None),
        Tls::Own => Certificate::find(None, None, state).map(Some),
        Tls::Files { chain, key } => Certificate::find(Some(chain), Some(key), state).map(Some),
    }
}

async fn run(gateway: &Arc<Gateway>, certificate: Option<&Certificate>) -> Result<()> {
    let mut signals = Signals::listen()?;
    let listen = &gateway.configuration.listen;
    let tls = certificate.map(Certificate::load).transpose()?;
    let listener = Listener::bind(listen, tls)
        .await
        .with_context(|| format!("listen on {listen}"))?;
    let listener = Arc::new(listener);
    let workers = start_workers(gateway)?;
    let keeping = tokio::spawn(keep(Arc::clone(gateway)));
    let (end, is_ending) = watch::channel(false);
    let serving = tokio::spawn({
        let (gateway, listener) = (Arc::clone(gateway), Arc::clone(&listener));
        async move { serve(&gateway, &listener, router(&gateway), is_ending).await }
    });
    tracing::info!(addresses = ?listener.addresses(), state = %gateway.configuration.state.display(), "listening");
    notify("READY=1");
    while let Asked::Reload = signals.next().await {
        reload(certificate, &listener);
    }
    notify("STOPPING=1");
    gateway.is_draining.store(true, Ordering::SeqCst);
    gateway.queue.close();
    keeping.abort();
    end.send_replace(true);
    serving.await.context("serve")?;
    let waiting = gateway.queue.length();
    for worker in workers {
        // One that panicked has told so.
        let _ = tokio::task::spawn_blocking(move || worker.join()).await;
    }
    tracing::info!(waiting, "ended; what waits waits for the next start");
    Ok(())
}

fn start_workers(gateway: &Arc<Gateway>) -> Result<Vec<JoinHandle<()>>> {
    let start = |number: usize| {
        let gateway = Arc::clone(gateway);
        thread::Builder::new()
            .name(format!("worker-{number}"))
            .spawn(move || queue::work(&gateway))
            .context("start a worker")
    };
    (0..gateway.configuration.workers).map(start).collect()
}

async fn keep(gateway: Arc<Gateway>) {
    loop {
        tokio::time::sleep(ROUND).await;
        let gateway = Arc::clone(&gateway);
        // One that panicked has told so.
        let _ = tokio::task::spawn_blocking(move || queue::keep(&gateway)).await;
    }
}

/// Takes a new certificate, if it is good. What the configuration says is taken up by a restart, which loses nothing.
fn reload(certificate: Option<&Certificate>, listener: &Listener) {
    notify("RELOADING=1");
    match certificate.map(Certificate::load) {
        Some(Ok(tls)) => listener.use_certificate(tls),
        Some(Err(error)) => tracing::error!(
            error = %runtime::telling::line(error.as_ref()),
            "the new certificate is refused; the old one holds"
        ),
        None => {}
    }
    notify("READY=1");
}

impl Connections for Gateway {
    fn limits(&self) -> Limits {
        let limits = &self.configuration.limits;
        Limits {
            connections: limits.connections,
            of_an_address: limits.connections_per_address,
            idle: limits.idle,
        }
    }

    fn opened(&self) {
        self.metrics.common.connections.inc();
    }

    fn closed(&self) {
        self.metrics.common.connections.dec();
    }

    fn refused(&self) {
        self.metrics.common.refused_connections.inc();
    }
}
