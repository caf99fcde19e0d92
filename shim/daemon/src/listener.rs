//! Accepting connections: so many and no more, each with a time for its handshake and its headers.

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

use crate::timed::Timed;

/// For a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// For a request's headers, and for a connection on which nothing is asked.
const HEADERS: Duration = Duration::from_secs(30);

/// The most that a request's headers may hold, in bytes and in lines.
const HEADER_BYTES: usize = 32 << 10;
const HEADER_LINES: usize = 64;

/// What answers may still take when the server is about to end.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// What connections may take at the moment that one is made.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at once.
    pub connections: usize,
    /// Likewise from one address.
    pub of_an_address: usize,
    /// How long a client may read nothing of what it asked for.
    pub idle: Duration,
}

/// What a server says of connections, and is told of them.
pub trait Connections: Send + Sync + 'static {
    /// What holds for the next one.
    fn limits(&self) -> Limits;

    /// One was opened.
    fn opened(&self);

    /// One has ended.
    fn closed(&self);

    /// One was turned away because there were too many.
    fn refused(&self);
}

/// The sockets that are listened on, and the certificate that holds now.
#[derive(Debug)]
pub struct Listener {
    sockets: Vec<TcpListener>,
    tls: RwLock<Option<Arc<ServerConfig>>>,
    addresses: Mutex<HashMap<IpAddr, usize>>,
}

impl Listener {
    /// Listens on every address that `listen` names: `localhost` is two of them. Without `tls` in plain text.
    ///
    /// # Errors
    /// Where none of them can be had.
    pub async fn bind(listen: &str, tls: Option<Arc<ServerConfig>>) -> io::Result<Self> {
        let mut sockets: Vec<TcpListener> = vec![];
        let mut failure = None;
        let listen = listen.to_owned();
        let named =
            tokio::task::spawn_blocking(move || host_names::sockets(&listen, host_names::PATIENCE));
        for mut address in named.await?? {
            // Port 0 is any port, but the same one for all.
            if let Some(first) = sockets.first() {
                address.set_port(first.local_addr()?.port());
            }
            match TcpListener::bind(address).await {
                Ok(socket) => sockets.push(socket),
                Err(error) => failure = Some(error),
            }
        }
        match failure {
            Some(error) if sockets.is_empty() => Err(error),
            _ => Ok(Self {
                sockets,
                tls: RwLock::new(tls),
                addresses: Mutex::default(),
            }),
        }
    }

    /// Where it listens, for people.
    pub fn addresses(&self) -> Vec<String> {
        let address = |socket: &TcpListener| Some(socket.local_addr().ok()?.to_string());
        self.sockets.iter().filter_map(address).collect()
    }

    /// Has new connections get another certificate.
    pub fn use_certificate(&self, tls: Arc<ServerConfig>) {
        *self
            .tls
            .write()
            .unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(tls);
    }

    /// How many connections are open.
    fn open(&self) -> usize {
        let addresses = self
            .addresses
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        addresses.values().sum()
    }

    fn acceptor(&self) -> Option<TlsAcceptor> {
        let tls = self
            .tls
            .read()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        tls.as_ref().map(|tls| TlsAcceptor::from(Arc::clone(tls)))
    }

    /// Counts one more connection from `address`; none where it has too many.
    fn admit(self: &Arc<Self>, address: IpAddr, most: usize, of_each: usize) -> Option<Admitted> {
        let mut addresses = self
            .addresses
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        let all: usize = addresses.values().sum();
        let own = addresses.get(&address).copied().unwrap_or(0);
        if all >= most || own >= of_each {
            return None;
        }
        addresses.insert(address, own + 1);
        Some(Admitted {
            listener: Arc::clone(self),
            address,
        })
    }
}

/// A connection that counts until this is dropped.
struct Admitted {
    listener: Arc<Listener>,
    address: IpAddr,
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let addresses = &self.listener.addresses;
        let mut addresses = addresses
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(count) = addresses.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(&self.address);
            }
        }
    }
}

/// Serves until `end` says so; then lets answers that were begun be read for a moment.
pub async fn serve<C: Connections>(
    app: &Arc<C>,
    listener: &Arc<Listener>,
    router: Router,
    end: watch::Receiver<bool>,
) {
    let mut accepting = vec![];
    for index in 0..listener.sockets.len() {
        let (app, listener) = (Arc::clone(app), Arc::clone(listener));
        let (router, mut end) = (router.clone(), end.clone());
        accepting.push(tokio::spawn(async move {
            let inner_end = end.clone();
            tokio::select! {
                () = accept(&app, &listener, index, &router, &inner_end) => {}
                () = ended(&mut end) => {}
            }
        }));
    }
    for task in accepting {
        // Ends when it is told to.
        let _ = task.await;
    }
    let last = async {
        while listener.open() > 0 {
            sleep(Duration::from_millis(50)).await;
        }
    };
    // Whoever still reads then is cut off.
    let _ = timeout(LAST_ANSWERS, last).await;
}

async fn accept<C: Connections>(
    app: &Arc<C>,
    listener: &Arc<Listener>,
    index: usize,
    router: &Router,
    end: &watch::Receiver<bool>,
) {
    let Some(socket) = listener.sockets.get(index) else {
        return;
    };
    loop {
        let (stream, address) = match socket.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: others must end first.
                tracing::warn!(%error, "can't accept");
                sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let limits = app.limits();
        let Some(admitted) = listener.admit(address.ip(), limits.connections, limits.of_an_address)
        else {
            app.refused();
            continue;
        };
        let (app, router, end) = (Arc::clone(app), router.clone(), end.clone());
        tokio::spawn(async move {
            app.opened();
            talk(stream, &admitted, router, limits.idle, end).await;
            app.closed();
        });
    }
}

/// One connection, from its handshake to its end.
async fn talk(
    stream: TcpStream,
    admitted: &Admitted,
    router: Router,
    idle: Duration,
    end: watch::Receiver<bool>,
) {
    // Small answers shall not wait for more.
    let _ = stream.set_nodelay(true);
    match admitted.listener.acceptor() {
        Some(acceptor) => {
            if let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(stream)).await {
                converse(stream, router, idle, end).await;
            }
        }
        None => converse(stream, router, idle, end).await,
    }
}

/// What is said on a connection once nobody else can hear it.
async fn converse<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    router: Router,
    idle: Duration,
    mut end: watch::Receiver<bool>,
) {
    let stream = TokioIo::new(Timed::new(stream, idle));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_headers(HEADER_LINES)
        .max_buf_size(HEADER_BYTES)
        .half_close(false);
    let connection = http.serve_connection(stream, TowerToHyperService::new(router));
    tokio::pin!(connection);
    // A client that breaks off is no news.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = ended(&mut end) => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}

/// Waits until the server is about to end.
async fn ended(end: &mut watch::Receiver<bool>) {
    // Whoever would say so being gone says so too.
    let _ = end.wait_for(|end| *end).await;
}
