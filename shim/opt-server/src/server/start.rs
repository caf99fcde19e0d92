//! From the command line to a server that listens, and to its end.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};
use daemon::{Asked, Certificate, Listener, Signals, notify, serve};
use tokio::sync::watch;

use super::http::router;
use super::keys::KeyFile;
use super::live::Live;
use super::metrics::Metrics;
use super::pool::{self, Pool};
use super::registry::Registry;
use super::state::StateDirectory;
use super::store::Store;
use super::{App, recover, retention, scheduler};

/// What `--start` was given.
#[derive(Debug, Clone)]
pub struct Options {
    /// The configuration, where it isn't to be found.
    pub config: Option<PathBuf>,
    /// Address and port, where `server.json` isn't to say.
    pub listen: Option<String>,
    /// The state directory.
    pub state: PathBuf,
    /// The runtime's state directory.
    pub root: Option<PathBuf>,
    /// Whether sandboxes are explained on standard error.
    pub sandbox_info: bool,
    /// The certificate chain, where it isn't of our own making.
    pub certificate: Option<PathBuf>,
    /// Its private key.
    pub certificate_key: Option<PathBuf>,
    /// How much the log tells.
    pub log_level: tracing::Level,
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// What keeps it from starting; nothing was listened on then.
pub fn start(options: &Options) -> Result<()> {
    daemon::log(options.log_level);
    let app = assemble(options)?;
    let certificate = Certificate::find(
        options.certificate.clone(),
        options.certificate_key.clone(),
        app.state.path(),
    )?;
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start threads")?
        .block_on(run(app, &certificate, options))
}

/// Everything that requests are answered with. Nothing is listened on yet, and nobody takes from the queue.
///
/// # Errors
/// What is wrong with the configuration or the state directory.
pub fn assemble(options: &Options) -> Result<Arc<App>> {
    let state = StateDirectory::open(&options.state)?;
    let live = Live::load(options.config.clone(), state.configs())?;
    let keys = KeyFile::of(state.path());
    if !keys.has_master()? {
        tracing::warn!("there is no master key; hint: opt-server keys master");
    }
    let store = Store::open(state.path())?;
    let executions = store.all()?;
    Ok(Arc::new(App {
        live,
        keys,
        registry: Arc::new(Registry::new(store, executions)),
        pool: Pool::default(),
        state,
        root: options.root.clone(),
        tells_sandbox_info: options.sandbox_info,
        metrics: Metrics::new(),
        boot: boot()?,
        is_draining: AtomicBool::new(false),
    }))
}

/// What names this boot of the machine.
fn boot() -> Result<String> {
    let path = "/proc/sys/kernel/random/boot_id";
    let text = std::fs::read_to_string(path).with_context(|| format!("read {path}"))?;
    Ok(text.trim().to_owned())
}

async fn run(app: Arc<App>, certificate: &Certificate, options: &Options) -> Result<()> {
    let mut signals = Signals::listen()?;
    let settings = app.live.now().settings.clone();
    let listen = options.listen.clone().unwrap_or(settings.listen);
    let listener = Listener::bind(&listen, Some(certificate.load()?))
        .await
        .with_context(|| format!("listen on {listen}"))?;
    let listener = Arc::new(listener);
    pool::settle(&app);
    recover::recover(&app);
    tokio::spawn(scheduler::run(Arc::clone(&app)));
    tokio::spawn(retention::run(Arc::clone(&app)));
    tokio::spawn(pool::keep(Arc::clone(&app)));
    let (end, is_ending) = watch::channel(false);
    let serving = tokio::spawn({
        let (app, listener) = (Arc::clone(&app), Arc::clone(&listener));
        async move { serve(&app, &listener, router(Arc::clone(&app)), is_ending).await }
    });
    tracing::info!(addresses = ?listener.addresses(), state = %app.state.path().display(), "listening");
    notify("READY=1");
    while let Asked::Reload = signals.next().await {
        reload(&app, certificate, &listener);
    }
    notify("STOPPING=1");
    app.is_draining.store(true, Ordering::SeqCst);
    app.pool.close();
    end.send_replace(true);
    serving.await.context("serve")?;
    let (queued, running) = app.registry.load();
    tracing::info!(
        queued,
        running,
        "ended; what runs goes on, what waits waits for the next start"
    );
    Ok(())
}

/// Takes the new configuration and certificate, each if it is good.
fn reload(app: &App, certificate: &Certificate, listener: &Listener) {
    notify("RELOADING=1");
    match app.live.reload() {
        Ok(()) => tracing::info!("configuration read again"),
        Err(error) => tracing::error!(
            error = %runtime::telling::line(error.as_ref()),
            "the new configuration is refused; the old one holds"
        ),
    }
    match certificate.load() {
        Ok(tls) => listener.use_certificate(tls),
        Err(error) => tracing::error!(
            error = %runtime::telling::line(error.as_ref()),
            "the new certificate is refused; the old one holds"
        ),
    }
    // More may run now than before.
    app.registry.work.notify_one();
    app.pool.wake();
    notify("READY=1");
}
