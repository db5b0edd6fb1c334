//! A listener on loopback with a thread for each connection, for every scripted server here. What is said on a connection
//! is the server's business; starting, pausing and ending are the same for all.

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A running listener. Dropping it closes every connection, ends hangs and pauses, and waits for its threads.
#[derive(Debug)]
pub(crate) struct Listener {
    address: SocketAddr,
    stop: Arc<Stop>,
    accepting: Option<JoinHandle<Vec<Open>>>,
}

/// Whether it is over, for whoever waits.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    stopping: Mutex<bool>,
    stopped: Condvar,
    connections: AtomicUsize,
}

/// A connection the accepting thread has handed to a thread of its own.
#[derive(Debug)]
struct Open {
    stream: Option<TcpStream>,
    thread: JoinHandle<()>,
}

impl Listener {
    /// Listens on a free port of 127.0.0.1. `serving` is told the address and gives what serves a connection to its end.
    pub(crate) fn start<Serve>(stop: Arc<Stop>, serving: impl FnOnce(SocketAddr) -> Serve) -> Self
    where
        Serve: Fn(&TcpStream) + Send + Sync + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port on 127.0.0.1");
        let address = listener.local_addr().expect("the address of a bound listener");
        let serve = Arc::new(serving(address));
        let accepting = thread::spawn({
            let stop = Arc::clone(&stop);
            move || accept(&listener, &stop, &serve)
        });
        Self { address, stop, accepting: Some(accepting) }
    }

    /// The address it listens on.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        *locked(&self.stop.stopping) = true;
        self.stop.stopped.notify_all();
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

impl Stop {
    /// Waits; false when the listener is being dropped.
    pub(crate) fn pause(&self, duration: Duration) -> bool {
        let stopping = locked(&self.stopping);
        if duration.is_zero() {
            return !*stopping;
        }
        let waited = self.stopped.wait_timeout_while(stopping, duration, |stopping| !*stopping);
        let (stopping, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !*stopping
    }

    /// How many connections were opened since the start.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Hands each connection to a thread; gives back those still open when it ends.
fn accept<Serve>(listener: &TcpListener, stop: &Stop, serve: &Arc<Serve>) -> Vec<Open>
where
    Serve: Fn(&TcpStream) + Send + Sync + 'static,
{
    let mut open: Vec<Open> = Vec::new();
    for stream in listener.incoming() {
        if *locked(&stop.stopping) {
            break;
        }
        open.retain(|connection| !connection.thread.is_finished());
        let Ok(stream) = stream else {
            stop.pause(Duration::from_millis(10));
            continue;
        };
        stop.connections.fetch_add(1, Ordering::SeqCst);
        let handle = stream.try_clone().ok();
        let serve = Arc::clone(serve);
        let thread = thread::spawn(move || serve(&stream));
        open.push(Open { stream: handle, thread });
    }
    open
}

/// The lock, whether or not a thread died with it: a test that already failed must not fail a second time.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
