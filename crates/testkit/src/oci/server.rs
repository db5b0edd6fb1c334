//! The registry on its listener: one state that all connections share. What is answered is in `routes`.

use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use super::reply::Reply;
use super::routes;
use super::state::State;
use super::wire::{Call, Inbox, Refusal};
use crate::listener::{Listener, Stop, locked};

/// A running registry.
#[derive(Debug)]
pub(super) struct Server {
    listener: Listener,
    pub(super) shared: Arc<Shared>,
}

/// What the threads share.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    stop: Arc<Stop>,
}

impl Server {
    /// Listens on a free port of 127.0.0.1.
    pub(super) fn start(state: impl FnOnce(SocketAddr) -> State) -> Self {
        let stop = Arc::new(Stop::default());
        let mut made = None;
        let listener = Listener::start(Arc::clone(&stop), |address| {
            let shared = Arc::new(Shared { state: Mutex::new(state(address)), stop });
            made = Some(Arc::clone(&shared));
            move |stream: &TcpStream| serve(stream, &shared)
        });
        Self { listener, shared: made.expect("made when the listener was bound") }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.listener.address()
    }
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }

    /// Waits; false when the registry is being dropped.
    pub(super) fn pause(&self, duration: Duration) -> bool {
        self.stop.pause(duration)
    }

    fn answer(&self, call: &Call) -> Reply {
        let mut state = self.state();
        state.note(call);
        match state.fault(call) {
            Some(fault) if fault.replaces() => fault.apply(Reply::new(200)),
            Some(fault) => fault.apply(routes::answer(&mut state, call)),
            None => routes::answer(&mut state, call),
        }
    }
}

/// Serves a connection to its end and closes it.
fn serve(stream: &TcpStream, shared: &Shared) {
    let _ = stream.set_nodelay(true);
    let mut inbox = Inbox::new(stream);
    loop {
        let goes_on = match inbox.read() {
            Ok(call) => {
                let reply = shared.answer(&call);
                reply.deliver(call.method == "HEAD", stream, shared).is_ok_and(|goes_on| goes_on && call.keep_alive)
            }
            Err(Refusal::Gone) => false,
            Err(Refusal::Bad(reason)) => {
                let _ = Reply::error(400, "UNSUPPORTED", reason).deliver(false, stream, shared);
                false
            }
        };
        if !goes_on {
            break;
        }
    }
    let _ = stream.shutdown(Shutdown::Both);
}
