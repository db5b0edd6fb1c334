//! The scripted registry on the wire: pull, push, login, referrers, paging, faults; and images whose digests are true.

mod faults;
mod images;
mod pull;
mod push;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use testkit::oci::Registry;

/// One answer as it arrived.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn code(&self) -> String {
        self.json()["errors"][0]["code"].as_str().unwrap().to_owned()
    }
}

/// One request on a connection of its own; everything up to the end of the connection is the answer.
fn ask(registry: &Registry, request: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(registry.host()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut lines = vec![format!("{request} HTTP/1.1"), format!("Host: {}", registry.host())];
    lines.push(format!("Connection: close\r\nContent-Length: {}", body.len()));
    lines.extend(headers.iter().map(|(name, value)| format!("{name}: {value}")));
    let text = lines.join("\r\n") + "\r\n\r\n";
    stream.write_all(&[text.as_bytes(), body].concat()).unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    let Some(at) = all.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Answer { status: 0, head: String::new(), body: all };
    };
    let head = String::from_utf8(all[..at].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body: all[at + 4..].to_vec() }
}

fn get(registry: &Registry, path: &str) -> Answer {
    ask(registry, &format!("GET {path}"), &[], b"")
}
