//! The listener on loopback: a thread for each connection, one state they share. What is answered is in `routes`.

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::reply::Reply;
use super::routes;
use super::state::State;
use super::wire::{Call, Inbox, Refusal};

/// A running listener. Dropping it closes every connection, ends hangs and pauses, and waits for its threads.
#[derive(Debug)]
pub(super) struct Server {
    address: SocketAddr,
    pub(super) shared: Arc<Shared>,
    accepting: Option<JoinHandle<Vec<Open>>>,
}

/// What the threads share.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    stopping: Mutex<bool>,
    stopped: Condvar,
}

/// A connection with a thread of its own.
#[derive(Debug)]
struct Open {
    stream: Option<TcpStream>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Listens on a free port of 127.0.0.1.
    pub(super) fn start(state: impl FnOnce(SocketAddr) -> State) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port on 127.0.0.1");
        let address = listener.local_addr().expect("the address of a bound listener");
        let shared = Arc::new(Shared {
            state: Mutex::new(state(address)),
            stopping: Mutex::new(false),
            stopped: Condvar::new(),
        });
        let accepting = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Self { address, shared, accepting: Some(accepting) }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        *locked(&self.shared.stopping) = true;
        self.shared.stopped.notify_all();
        // The listener wakes for one more connection and finds that it is over.
        let woken = TcpStream::connect_timeout(&self.address, Duration::from_secs(1)).is_ok();
        let Some(accepting) = self.accepting.take().filter(|_| woken) else { return };
        let open = accepting.join().unwrap_or_default();
        for stream in open.iter().filter_map(|connection| connection.stream.as_ref()) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        for connection in open {
            let _ = connection.thread.join();
        }
    }
}

impl Shared {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }

    /// Waits; false when the registry is being dropped.
    pub(super) fn pause(&self, duration: Duration) -> bool {
        let stopping = locked(&self.stopping);
        if duration.is_zero() {
            return !*stopping;
        }
        let waited = self.stopped.wait_timeout_while(stopping, duration, |stopping| !*stopping);
        let (stopping, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !*stopping
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

/// Hands each connection to a thread; gives back those still open when it ends.
fn accept(listener: &TcpListener, shared: &Arc<Shared>) -> Vec<Open> {
    let mut open: Vec<Open> = Vec::new();
    for stream in listener.incoming() {
        if *locked(&shared.stopping) {
            break;
        }
        open.retain(|connection| !connection.thread.is_finished());
        let Ok(stream) = stream else {
            shared.pause(Duration::from_millis(10));
            continue;
        };
        let handle = stream.try_clone().ok();
        let shared = Arc::clone(shared);
        let thread = thread::spawn(move || serve(&stream, &shared));
        open.push(Open { stream: handle, thread });
    }
    open
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

/// The lock, whether or not a thread died with it: a test that already failed must not fail a second time.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
