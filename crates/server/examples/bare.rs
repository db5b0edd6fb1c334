//! A handler that takes a request and gives back the bytes of a file, on the stack the API and admission run on: what is left of a request's time when
//! nothing is decided. `benches/service.py` measures the API beside it, `benches/admission.py` admission.
//!
//! `bare FILE [CERTIFICATE KEY]` prints its URL; it ends when its standard input does.

use std::io::{Error, Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().ok_or_else(|| Error::other("which file?"))?;
    let tls = arguments.next().zip(arguments.next());
    let bytes = Bytes::from(std::fs::read(file)?);
    let answer = move |body: Bytes| async move {
        let _ = body;
        ([(CONTENT_TYPE, "application/json")], bytes.clone())
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    writeln!(std::io::stdout(), "{scheme}://{}", listener.local_addr()?)?;
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let service = Router::new().route("/{*path}", post(answer)).into_make_service();
    let server = axum_server::from_tcp(listener)?;
    match tls {
        None => server.serve(service).await,
        Some((certificate, key)) => {
            let config = config(Path::new(&certificate), Path::new(&key)).map_err(Error::other)?;
            let acceptor = RustlsAcceptor::new(RustlsConfig::from_config(Arc::new(config)));
            server.acceptor(acceptor).serve(service).await
        }
    }
}

/// As the server has it.
fn config(certificate: &Path, key: &Path) -> Result<ServerConfig, Box<dyn std::error::Error + Send + Sync>> {
    let chain = CertificateDer::pem_file_iter(certificate)?.collect::<Result<Vec<_>, _>>()?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let mut config = builder.with_no_client_auth().with_single_cert(chain, PrivateKeyDer::from_pem_file(key)?)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
