//! A handler that takes a request and gives back the bytes of a file, on the stack the API runs on: what is left of a request's time when nothing is
//! decided. `benches/service.py` measures the API beside it.
//!
//! `bare FILE` prints its URL; it ends when its standard input does.

use std::io::{Read as _, Write as _};

use axum::Router;
use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
use axum::routing::post;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let file = std::env::args().nth(1).ok_or_else(|| std::io::Error::other("which file?"))?;
    let bytes = Bytes::from(std::fs::read(file)?);
    let answer = move |body: Bytes| async move {
        let _ = body;
        ([(CONTENT_TYPE, "application/json")], bytes.clone())
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    writeln!(std::io::stdout(), "http://{}", listener.local_addr()?)?;
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let router = Router::new().route("/api/v1/decide", post(answer));
    axum_server::from_tcp(listener)?.serve(router.into_make_service()).await
}
