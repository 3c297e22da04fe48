//! Opening the study and the socket, and serving until it is enough.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use augreg_store::{Store, StoreError};
use thiserror::Error;
use tokio::net::TcpListener;

use crate::order::Hands;
use crate::state::{Shared, State};
use crate::token::Token;
use crate::{connections, events, routes};

/// Where to serve what.
#[derive(Debug, Clone)]
pub struct Options {
    /// The study.
    pub root: PathBuf,
    /// The address to listen on.
    pub listen: SocketAddr,
    /// Names beside its numbers, `localhost` and its own that this machine is called by.
    pub names: Vec<String>,
    /// What one may ask of it.
    pub limits: Limits,
}

impl Options {
    /// A study on the usual address: port 8265 of this machine, which nobody else reaches.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        let listen = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), Self::PORT);
        Self { root, listen, names: Vec::new(), limits: Limits::default() }
    }

    /// The usual port.
    pub const PORT: u16 = 8265;
}

/// How much one may ask of the server.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a request's body.
    pub body: usize,
    /// How long a request may take, sending its body included. Live pages are excepted.
    pub request: Duration,
    /// How long a connection may take to say what it wants, at first and between requests.
    pub header: Duration,
    /// How long a connection may take nothing of what it asked for.
    pub write: Duration,
    /// Connections at once.
    pub connections: usize,
    /// Of them live pages.
    pub streams: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body: 64 << 10,
            request: Duration::from_secs(30),
            header: Duration::from_secs(15),
            write: Duration::from_secs(30),
            connections: 256,
            streams: 64,
        }
    }
}

/// Why there is no dashboard.
#[derive(Debug, Error)]
pub enum ServeError {
    /// Somebody listens there already.
    #[error("port {} of {} is in use", address.port(), address.ip())]
    InUse {
        /// The address.
        address: SocketAddr,
    },
    /// The system does not let us listen there.
    #[error("failed to listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system has no random bits.
    #[error("failed to draw a token")]
    Token(#[source] getrandom::Error),
    /// The study cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A dashboard that has its study and its socket, and answers nobody yet.
pub struct Dashboard {
    state: Shared,
    listener: TcpListener,
    address: SocketAddr,
}

impl Dashboard {
    /// Opens the study for reading and begins to listen.
    ///
    /// # Errors
    ///
    /// [`ServeError`].
    pub async fn bind(options: Options, hands: Arc<dyn Hands>) -> Result<Self, ServeError> {
        let store = Store::open_read_only(&options.root).await?;
        // Asked once before anybody waits for an answer: a study that cannot be read says so here.
        store.counts(None).await?;
        let fail = |source: io::Error| match source.kind() {
            io::ErrorKind::AddrInUse => ServeError::InUse { address: options.listen },
            _ => ServeError::Listen { address: options.listen, source },
        };
        let listener = TcpListener::bind(options.listen).await.map_err(fail)?;
        let address = listener.local_addr().map_err(fail)?;
        let token = Token::random().map_err(ServeError::Token)?;
        let mut names = options.names;
        names.push(rustix::system::uname().nodename().to_string_lossy().into_owned());
        let state = State::new(store, hands, token, (address.port(), names), options.limits);
        Ok(Self { state, listener, address })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address for a browser that is to be allowed everything, once.
    #[must_use]
    pub fn url(&self) -> String {
        let host = match self.address.ip() {
            ip if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            ip => ip,
        };
        let at = SocketAddr::new(host, self.address.port());
        format!("http://{at}/?token={}", self.state.token.text())
    }

    /// Answers until `stop` comes about; what is under way then is answered yet.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) {
        let token = self.state.stop.clone();
        let stopping = tokio::spawn(async move {
            stop.await;
            token.cancel();
        });
        let watching = tokio::spawn(events::watch(Arc::clone(&self.state)));
        let warming = tokio::spawn(routes::warm_up(Arc::clone(&self.state)));
        let router = routes::router(&self.state);
        let stop = self.state.stop.clone();
        connections::serve(self.listener, router, &self.state.limits, stop).await;
        for task in [stopping, watching, warming] {
            task.abort();
        }
        self.state.store.clone().close().await;
    }
}
