//! Listening, and the end: after a signal the process says that it is not ready, takes no more connections, finishes what it accepted within a
//! bound, and stops the gate. A second signal ends at once.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use axum::Router;
use axum_server::Handle;
use axum_server::accept::Accept;
use hyper_util::rt::TokioTimer;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::admission::{AdmissionPort, router as admission_router};
use crate::app::App;
use crate::routes::router;
use crate::tls::{Accepting, Certificate};

/// The largest head of a request over HTTP/1.1: request line and headers.
const HEAD: usize = 64 << 10;
/// The most headers of a request.
const HEADERS: usize = 100;
/// The most requests at once on one connection of HTTP/2.
const STREAMS: u32 = 250;

/// How to listen and to end.
#[derive(Debug)]
pub struct RunSettings {
    /// The certificate; `None`: plain HTTP.
    pub certificate: Option<Certificate>,
    /// How often the certificate's files are looked at.
    pub renew_every: Duration,
    /// How long to go on listening after a signal, so that whoever sends requests here has seen that we are not ready.
    pub delay: Duration,
    /// How long to finish what was accepted.
    pub finish_within: Duration,
    /// Where reviews of Kubernetes are answered; `None`: nowhere.
    pub admission: Option<AdmissionPort>,
}

impl Default for RunSettings {
    fn default() -> Self {
        Self {
            certificate: None,
            renew_every: Duration::from_secs(5),
            delay: Duration::ZERO,
            finish_within: Duration::from_secs(25),
            admission: None,
        }
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// What was accepted is finished, or its time was up.
    Gracefully,
    /// By a second signal.
    AtOnce,
}

/// A port that is open. Connections wait in it until [`run`] takes them.
#[derive(Debug)]
pub struct Listening {
    listener: TcpListener,
    /// Where.
    pub address: SocketAddr,
}

impl Listening {
    /// Opens the port; port 0 is any that is free.
    ///
    /// # Errors
    /// The address cannot be used.
    pub fn at(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Self { address: listener.local_addr()?, listener })
    }
}

/// Serves until SIGTERM or SIGINT.
///
/// # Errors
/// The port or the signals cannot be had.
pub async fn run(app: App, listening: Listening, settings: RunSettings) -> io::Result<Ended> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let (send, signals) = mpsc::channel(2);
    let watching = tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if send.send(()).await.is_err() {
                return;
            }
        }
    });
    let ended = run_until(app, listening, settings, signals).await;
    watching.abort();
    ended
}

/// The same with signals that come from somewhere else.
///
/// # Errors
/// The port cannot be had.
pub async fn run_until(
    app: App,
    listening: Listening,
    settings: RunSettings,
    mut signals: mpsc::Receiver<()>,
) -> io::Result<Ended> {
    let handle = Handle::new();
    let RunSettings { certificate, renew_every, delay, finish_within, admission } = settings;
    let mut ports = vec![Port { service: router(app.clone()), listening, certificate }];
    ports.extend(admission.map(|AdmissionPort { listening, certificate, admission }| Port {
        service: admission_router(admission),
        listening,
        certificate,
    }));
    let certificates = ports.iter().filter_map(|port| port.certificate.clone());
    let renewing: Vec<_> = certificates.map(|certificate| tokio::spawn(renew(certificate, renew_every))).collect();
    let mut serving = tokio::spawn(serve_all(ports, handle.clone()));
    let ended = tokio::select! {
        served = &mut serving => {
            return served.map_err(io::Error::other)?.map(|()| Ended::Gracefully);
        }
        _ = signals.recv() => {
            tracing::info!("ending: what was accepted is finished, within {finish_within:?}");
            app.drain();
            tokio::select! {
                _ = signals.recv() => Ended::AtOnce,
                () = drained(&app, &handle, &mut serving, delay, finish_within) => Ended::Gracefully,
            }
        }
    };
    for one in renewing {
        one.abort();
    }
    if ended == Ended::AtOnce {
        tracing::warn!("ended at once by a second signal");
        handle.shutdown();
        serving.abort();
    }
    Ok(ended)
}

async fn drained(
    app: &App,
    handle: &Handle<SocketAddr>,
    serving: &mut tokio::task::JoinHandle<io::Result<()>>,
    delay: Duration,
    finish_within: Duration,
) {
    tokio::time::sleep(delay).await;
    handle.graceful_shutdown(Some(finish_within));
    let until = Instant::now() + finish_within;
    // What was accepted with 202 is accepted too.
    let (served, ()) = tokio::join!(serving, app.gate().finish(until));
    if let Ok(Err(error)) = served {
        tracing::error!(%error, "the server ended with an error");
    }
    app.gate().finish(until).await;
    app.gate().stop().await;
}

/// A port, and what answers there.
struct Port {
    service: Router,
    listening: Listening,
    certificate: Option<Certificate>,
}

/// All ports, until one of them cannot go on or all have ended.
async fn serve_all(ports: Vec<Port>, handle: Handle<SocketAddr>) -> io::Result<()> {
    let serving = ports.into_iter().map(|port| serve(port, handle.clone()));
    futures_util::future::try_join_all(serving).await.map(|_| ())
}

async fn serve(port: Port, handle: Handle<SocketAddr>) -> io::Result<()> {
    let Port { service, listening, certificate } = port;
    match certificate {
        None => accept(axum_server::from_tcp(listening.listener)?.handle(handle), service).await,
        Some(certificate) => {
            let server = axum_server::from_tcp(listening.listener)?.acceptor(Accepting::new(certificate.config));
            accept(server.handle(handle), service).await
        }
    }
}

async fn accept<A>(mut server: axum_server::Server<SocketAddr, A>, service: Router) -> io::Result<()>
where
    A: Accept<tokio::net::TcpStream, axum::middleware::AddExtension<Router, axum::extract::ConnectInfo<SocketAddr>>>
        + Clone
        + Send
        + Sync
        + 'static,
    A::Stream: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send,
    A::Service: axum_server::service::SendService<axum::http::Request<hyper::body::Incoming>> + Send,
    A::Future: Send,
{
    let receiving = Duration::from_secs(30);
    let builder = server.http_builder();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(receiving).max_buf_size(HEAD).max_headers(HEADERS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(HEAD).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(20));
    server.serve(service.into_make_service_with_connect_info::<SocketAddr>()).await
}

/// Looks at the certificate's files for ever.
async fn renew(mut certificate: Certificate, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let read = tokio::task::spawn_blocking(move || {
            let renewed = certificate.renew();
            (certificate, renewed)
        });
        let Ok((back, renewed)) = read.await else { return };
        certificate = back;
        match renewed {
            Ok(true) => tracing::info!("the certificate was renewed"),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "the new certificate is not used; the old one stays"),
        }
    }
}
