//! A small HTTP service on loopback: one thread a connection, one request a connection. It answers what a function says, and can cut off,
//! drip or never end what it answers.

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: String,
    /// Path and query.
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// How an answer goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// The connection ends before anything is said.
    Silence,
    /// The connection ends after so many bytes of the body.
    Cut(usize),
    /// A byte of the body each so often.
    Drip(Duration),
    /// So long before anything is said.
    Late(Duration),
    /// The body never ends.
    Endless,
}

/// An answer.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    fault: Fault,
}

impl Answer {
    pub(super) fn bytes(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), fault: Fault::None }
    }

    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::bytes(status, body.to_string())
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn silent() -> Self {
        Self { fault: Fault::Silence, ..Self::bytes(200, "") }
    }

    pub(super) fn cut(mut self, after: usize) -> Self {
        self.fault = Fault::Cut(after);
        self
    }

    pub(super) fn drip(mut self, pause: Duration) -> Self {
        self.fault = Fault::Drip(pause);
        self
    }

    pub(super) fn late(mut self, pause: Duration) -> Self {
        self.fault = Fault::Late(pause);
        self
    }

    pub(super) fn endless() -> Self {
        Self { fault: Fault::Endless, ..Self::bytes(200, " ".repeat(64 << 10)) }
    }
}

type Says = dyn Fn(&Request, usize) -> Answer + Send + Sync;

/// A running service; it ends when it is dropped.
pub(super) struct Service {
    address: SocketAddr,
    /// The authority of its certificate in PEM form, if it speaks TLS.
    pub(super) authority: Option<String>,
    seen: Arc<Mutex<Vec<Request>>>,
    ends: Arc<AtomicBool>,
}

impl Service {
    /// Answers each request by what `says` makes of it and of its number, from 0.
    pub(super) fn start(says: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static) -> Self {
        Self::listen(None, None, Arc::new(says))
    }

    /// The same over TLS, with a certificate of an authority of its own.
    pub(super) fn start_tls(says: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static) -> Self {
        let authority_key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = params.self_signed(&authority_key).unwrap();
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        let own = own.signed_by(&key, &Issuer::new(params, authority_key)).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![own.der().clone()], key).unwrap();
        Self::listen(Some(Arc::new(config)), Some(authority.pem()), Arc::new(says))
    }

    fn listen(tls: Option<Arc<ServerConfig>>, authority: Option<String>, says: Arc<Says>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, ends) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let service = Self { address, authority, seen: Arc::clone(&seen), ends: Arc::clone(&ends) };
        thread::spawn(move || {
            for stream in listener.incoming() {
                if ends.load(Ordering::Relaxed) {
                    return;
                }
                let (Ok(stream), tls) = (stream, tls.clone()) else { continue };
                let (says, seen) = (Arc::clone(&says), Arc::clone(&seen));
                // Whoever hangs up early is none of the service's business.
                thread::spawn(move || drop(serve(stream, tls, &*says, &seen)));
            }
        });
        service
    }

    pub(super) fn url(&self) -> String {
        format!("{}://127.0.0.1:{}", if self.authority.is_some() { "https" } else { "http" }, self.address.port())
    }

    /// Every request so far.
    pub(super) fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.address));
    }
}

/// An address on which nothing listens.
pub(super) fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn serve(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    says: &Says,
    seen: &Mutex<Vec<Request>>,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.set_write_timeout(Some(Duration::from_secs(20)))?;
    match tls {
        None => converse(stream, says, seen),
        Some(config) => {
            let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
            converse(StreamOwned::new(connection, stream), says, seen)
        }
    }
}

fn converse(mut stream: impl Read + Write, says: &Says, seen: &Mutex<Vec<Request>>) -> std::io::Result<()> {
    let request = read(&mut stream)?;
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(request.clone());
        seen.len() - 1
    };
    let Answer { status, headers, body, fault } = says(&request, number);
    if fault == Fault::Silence {
        return Ok(());
    }
    if let Fault::Late(pause) = fault {
        thread::sleep(pause);
    }
    let mut head = format!("HTTP/1.1 {status} Said\r\nconnection: close\r\n");
    for (name, value) in &headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    if fault != Fault::Endless {
        let _ = write!(head, "content-length: {}\r\n", body.len());
    }
    head.push_str("\r\n");
    stream.write_all(head.as_bytes())?;
    match fault {
        Fault::Cut(after) => stream.write_all(&body[..after])?,
        Fault::Drip(pause) => {
            for byte in body {
                stream.write_all(&[byte])?;
                stream.flush()?;
                thread::sleep(pause);
            }
        }
        Fault::Endless => loop {
            stream.write_all(&body)?;
        },
        _ => stream.write_all(&body)?,
    }
    stream.flush()
}

fn read(stream: &mut impl Read) -> std::io::Result<Request> {
    let mut head = Vec::new();
    let mut byte = [0_u8];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or("").split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, n)| n.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(Request { method, target, headers, body })
}
