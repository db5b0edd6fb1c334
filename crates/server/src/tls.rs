//! The server's certificate: PEM files that are read again when they change. Kubernetes swaps a link in the path instead of writing the files, so
//! what is compared is what they hold.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use axum::Extension;
use axum::middleware::AddExtension;
use axum_server::accept::Accept;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use futures_util::future::BoxFuture;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tower::Layer as _;

/// The largest PEM file that is read.
const LARGEST: u64 = 1 << 20;

/// Where certificate and key lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and those that lead to its authority, in PEM form.
    pub certificate: PathBuf,
    /// Its private key, in PEM form.
    pub key: PathBuf,
    /// The authorities of clients, in PEM form: who shows a certificate of theirs is known by it. None: nobody is asked for one.
    pub clients: Vec<PathBuf>,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("{what} {} cannot be read: {source}", path.display())]
    File {
        /// `the certificate`, `the private key`
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file holds something else.
    #[error("{what} {} holds none in PEM form", path.display())]
    Content {
        /// `the certificate`, `the private key`
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The authorities of clients cannot be used.
    #[error("the authorities of clients cannot be used: {0}")]
    Clients(String),
    /// Certificate and key are not usable together.
    #[error("the certificate and its key cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// A certificate that is in use.
#[derive(Debug, Clone)]
pub struct Certificate {
    files: TlsFiles,
    pub(crate) config: RustlsConfig,
    /// Of what was read last, usable or not.
    seen: [u8; 32],
}

impl Certificate {
    /// Reads the files.
    ///
    /// # Errors
    /// They cannot be read, or not be used together.
    pub fn read(files: TlsFiles) -> Result<Self, TlsError> {
        let content = Content::read(&files)?;
        let config = RustlsConfig::from_config(Arc::new(content.config(&files)?));
        Ok(Self { seen: content.hash(), files, config })
    }

    /// Reads the files again, and uses them for new connections if they hold something new. What cannot be used changes nothing, and is an
    /// error once.
    ///
    /// # Errors
    /// What is new cannot be used.
    pub fn renew(&mut self) -> Result<bool, TlsError> {
        let content = match Content::read(&self.files) {
            Ok(content) => content,
            // Said once, until the files are there again.
            Err(_) if self.seen == [0; 32] => return Ok(false),
            Err(error) => {
                self.seen = [0; 32];
                return Err(error);
            }
        };
        let hash = content.hash();
        if hash == self.seen {
            return Ok(false);
        }
        self.seen = hash;
        self.config.reload_from_config(Arc::new(content.config(&self.files)?));
        Ok(true)
    }
}

struct Content {
    certificate: Vec<u8>,
    key: Vec<u8>,
    clients: Vec<Vec<u8>>,
}

impl Content {
    fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self {
            certificate: file("the certificate", &files.certificate)?,
            key: file("the private key", &files.key)?,
            clients: files
                .clients
                .iter()
                .map(|path| file("the authority of clients", path))
                .collect::<Result<_, _>>()?,
        })
    }

    fn hash(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        let parts = [&self.certificate, &self.key].into_iter().chain(&self.clients);
        let all: Vec<u8> = parts.flat_map(|part| digest(&SHA256, part).as_ref().to_vec()).collect();
        hash.copy_from_slice(digest(&SHA256, &all).as_ref());
        hash
    }

    fn config(&self, files: &TlsFiles) -> Result<ServerConfig, TlsError> {
        let none = |what, path: &Path| TlsError::Content { what, path: path.to_owned() };
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&self.certificate).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        let chain = chain.ok_or_else(|| none("the certificate", &files.certificate))?;
        let key = PrivateKeyDer::from_pem_slice(&self.key).map_err(|_| none("the private key", &files.key))?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let clients = self.clients(files, &provider)?;
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let is_asked = clients.is_some();
        let builder = match clients {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_single_cert(chain, key)?;
        if is_asked {
            // A session that is taken up again would bring a certificate back that is over meanwhile.
            config.session_storage = Arc::new(NoServerSessionStorage {});
        }
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

impl Content {
    /// Who vouches for clients. Without a certificate a client goes on and is nobody; with one that is not good it does not.
    fn clients(
        &self,
        files: &TlsFiles,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>, TlsError> {
        if self.clients.is_empty() {
            return Ok(None);
        }
        let mut roots = RootCertStore::empty();
        for (pem, path) in self.clients.iter().zip(&files.clients) {
            let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
            let found = found
                .ok()
                .filter(|found| !found.is_empty())
                .ok_or_else(|| TlsError::Content { what: "the authority of clients", path: path.clone() })?;
            for one in found {
                roots.add(one).map_err(|error| TlsError::Clients(error.to_string()))?;
            }
        }
        let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
        let verifier = builder.allow_unauthenticated().build();
        Ok(Some(verifier.map_err(|error| TlsError::Clients(error.to_string()))?))
    }
}

/// Whom a connection's client certificate is of, in DER, as far as it showed one that is good.
#[derive(Debug, Clone)]
pub(crate) struct Peer(pub(crate) Option<Arc<[u8]>>);

/// Takes connections and remembers the certificate of each.
#[derive(Debug, Clone)]
pub(crate) struct Accepting(RustlsAcceptor);

impl Accepting {
    pub(crate) fn new(config: RustlsConfig) -> Self {
        Self(RustlsAcceptor::new(config))
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for Accepting {
    type Stream = <RustlsAcceptor as Accept<TcpStream, S>>::Stream;
    type Service = AddExtension<S, Peer>;
    type Future = BoxFuture<'static, io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let accepting = self.0.accept(stream, service);
        Box::pin(async move {
            let (stream, service) = accepting.await?;
            let shown = stream.get_ref().1.peer_certificates();
            let peer = Peer(shown.and_then(|chain| chain.first()).map(|one| one.as_ref().into()));
            Ok((stream, Extension(peer).layer(service)))
        })
    }
}

fn file(what: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::File { what, path: path.to_owned(), source };
    let mut bytes = Vec::new();
    std::fs::File::open(path).and_then(|file| file.take(LARGEST).read_to_end(&mut bytes)).map_err(failed)?;
    Ok(bytes)
}
