//! A breakable wire: a loopback port that forwards to another, until a test breaks it.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often a change of the wire's state is noticed.
const TICK: Duration = Duration::from_millis(5);

/// A forwarded port. Dropping it cuts everything and frees the port.
pub(crate) struct Proxy {
    port: u16,
    wire: Arc<Wire>,
    acceptor: Option<JoinHandle<()>>,
}

/// What the threads share.
struct Wire {
    upstream_port: u16,
    /// No listener: connecting is refused by the kernel, as when nobody is there.
    refusing: AtomicBool,
    /// How long each piece waits before it is passed on, in both directions.
    delay_ms: AtomicU64,
    ending: AtomicBool,
    /// Both ends of every connection, to cut them.
    streams: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// Forwards a free port to `upstream_port`, both on 127.0.0.1.
    pub(crate) fn to(upstream_port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let wire = Arc::new(Wire {
            upstream_port,
            refusing: AtomicBool::new(false),
            delay_ms: AtomicU64::new(0),
            ending: AtomicBool::new(false),
            streams: Mutex::new(Vec::new()),
        });
        let acceptor = std::thread::spawn({
            let wire = Arc::clone(&wire);
            move || accept(listener, port, &wire)
        });
        Self { port, wire, acceptor: Some(acceptor) }
    }

    /// The port to connect to.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Breaks every connection there is; new ones work.
    pub(crate) fn cut(&self) {
        for stream in self.wire.streams.lock().unwrap().drain(..) {
            stream.shutdown(Shutdown::Both).ok();
        }
    }

    /// Breaks every connection and refuses new ones until [`Proxy::restore`].
    pub(crate) fn refuse(&self) {
        self.wire.refusing.store(true, Ordering::SeqCst);
        // Until the acceptor has closed its port: a connect right after this call must fail.
        while TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
            std::thread::sleep(TICK);
        }
        self.cut();
    }

    /// Holds every piece back for `delay`; a very long one is a wire that went dead silently.
    pub(crate) fn delay(&self, delay: Duration) {
        let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.wire.delay_ms.store(delay_ms, Ordering::SeqCst);
    }

    /// Forwards again at once; pieces held back go on.
    pub(crate) fn restore(&self) {
        self.wire.delay_ms.store(0, Ordering::SeqCst);
        self.wire.refusing.store(false, Ordering::SeqCst);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            std::thread::sleep(TICK);
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.wire.ending.store(true, Ordering::SeqCst);
        self.cut();
        if let Some(acceptor) = self.acceptor.take() {
            acceptor.join().ok();
        }
        // What the acceptor took in its last moment.
        self.cut();
    }
}

fn accept(listener: TcpListener, port: u16, wire: &Arc<Wire>) {
    let mut listener = Some(listener);
    while !wire.ending.load(Ordering::SeqCst) {
        if wire.refusing.load(Ordering::SeqCst) {
            listener = None;
        } else if listener.is_none() {
            listener = TcpListener::bind(("127.0.0.1", port)).ok();
        }
        let Some(listening) = &listener else {
            std::thread::sleep(TICK);
            continue;
        };
        listening.set_nonblocking(true).unwrap();
        match listening.accept() {
            Ok((client, _)) => connect(client, wire),
            Err(_) => std::thread::sleep(TICK),
        }
    }
}

fn connect(client: TcpStream, wire: &Arc<Wire>) {
    client.set_nonblocking(false).unwrap();
    // No server behind us: the client's connection just closes.
    let Ok(server) = TcpStream::connect(("127.0.0.1", wire.upstream_port)) else { return };
    for stream in [&client, &server] {
        stream.set_nodelay(true).ok();
        wire.streams.lock().unwrap().push(stream.try_clone().unwrap());
    }
    for (from, to) in [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)]
    {
        let wire = Arc::clone(wire);
        std::thread::spawn(move || pump(from, to, &wire));
    }
}

/// Passes on what arrives, each piece after the delay in force while it waits.
fn pump(mut from: TcpStream, mut to: TcpStream, wire: &Wire) {
    let mut piece = vec![0; 64 << 10];
    loop {
        let length = match from.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        let arrived = Instant::now();
        while arrived.elapsed() < Duration::from_millis(wire.delay_ms.load(Ordering::SeqCst)) {
            if wire.ending.load(Ordering::SeqCst) {
                return;
            }
            std::thread::sleep(TICK);
        }
        if to.write_all(&piece[..length]).is_err() {
            break;
        }
    }
    from.shutdown(Shutdown::Both).ok();
    to.shutdown(Shutdown::Both).ok();
}
