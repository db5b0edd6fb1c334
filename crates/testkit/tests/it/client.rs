//! A client that sees bytes: no library between the test and the socket.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use testkit::Ecr;

/// One connection.
pub(crate) struct Client(pub(crate) TcpStream);

/// One answer as it arrived.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) status: u16,
    pub(crate) head: String,
    /// What `Content-Length` promised.
    pub(crate) promised: usize,
    /// What came.
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(ecr: &Ecr) -> Self {
        let stream = TcpStream::connect(ecr.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self(stream)
    }

    /// Sends a request in the AWS JSON 1.1 protocol.
    pub(crate) fn send(&mut self, operation: &str, body: &Value) {
        let body = body.to_string();
        let request = format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-amz-json-1.1\r\n\
             X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.{operation}\r\nAuthorization: AWS4-HMAC-SHA256 test\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.0.write_all(request.as_bytes()).unwrap();
    }

    /// Sends these bytes.
    pub(crate) fn send_raw(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    /// Reads one answer; nothing when the connection ended before a head.
    pub(crate) fn receive(&mut self) -> Option<Received> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            match self.0.read(&mut byte) {
                Ok(0) => return None,
                Ok(_) => head.push(byte[0]),
                Err(error) => panic!("{error}"),
            }
        }
        let head = String::from_utf8(head).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let promised = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).unwrap().parse().unwrap();
        let mut body = Vec::new();
        (&self.0).take(u64::try_from(promised).unwrap()).read_to_end(&mut body).unwrap();
        Some(Received { status, head, promised, body })
    }

    /// Sends and receives.
    pub(crate) fn ask(&mut self, operation: &str, body: &Value) -> Option<Received> {
        self.send(operation, body);
        self.receive()
    }

    /// Whether the other side has closed the connection.
    pub(crate) fn is_closed(&mut self) -> bool {
        matches!(self.0.read(&mut [0]), Ok(0))
    }
}

impl Received {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}
