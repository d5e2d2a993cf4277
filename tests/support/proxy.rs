//! A breakable wire: a loopback port that forwards to another, until a test breaks it.
//!
//! It can be cut in order or by a reset, closed in one direction only, delayed, silent, and refused.

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
    /// Every connection there was since the last cut.
    links: Mutex<Vec<Arc<Link>>>,
}

/// One connection through the wire.
struct Link {
    client: TcpStream,
    server: TcpStream,
    /// What is still to be said in this direction is swallowed.
    deaf: [AtomicBool; 2],
    /// It ends without a word.
    is_reset: AtomicBool,
}

/// A direction of the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Towards {
    /// What the client says.
    Server,
    /// What the server answers.
    Client,
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
            links: Mutex::new(Vec::new()),
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
        for link in self.links() {
            link.shutdown(Shutdown::Both);
        }
    }

    /// Breaks every connection as a host that vanished does: both ends are told by a reset.
    pub(crate) fn reset(&self) {
        for link in self.links() {
            link.is_reset.store(true, Ordering::SeqCst);
            // Wakes whoever reads without a word to the other end. The last who lets go resets.
            link.shutdown(Shutdown::Read);
        }
    }

    /// Ends one direction of every connection, which its receiver sees as an end; the other one goes on.
    /// What is still sent in it is swallowed.
    pub(crate) fn half_close(&self, towards: Towards) {
        for link in self.wire.links.lock().unwrap().iter() {
            link.deaf[towards as usize].store(true, Ordering::SeqCst);
            let receiver = match towards {
                Towards::Server => &link.server,
                Towards::Client => &link.client,
            };
            receiver.shutdown(Shutdown::Write).ok();
        }
    }

    fn links(&self) -> Vec<Arc<Link>> {
        std::mem::take(&mut self.wire.links.lock().unwrap())
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
    }
    let (deaf, is_reset) = ([false, false].map(AtomicBool::new), AtomicBool::new(false));
    let link = Arc::new(Link { client, server, deaf, is_reset });
    let mut links = wire.links.lock().unwrap();
    // (Those whose both directions are over are held by nobody else.)
    links.retain(|link| Arc::strong_count(link) > 1);
    links.push(Arc::clone(&link));
    drop(links);
    for towards in [Towards::Server, Towards::Client] {
        let (wire, link) = (Arc::clone(wire), Arc::clone(&link));
        std::thread::spawn(move || {
            pump(&link, towards, &wire);
            link.end();
        });
    }
}

impl Link {
    fn shutdown(&self, how: Shutdown) {
        for stream in [&self.client, &self.server] {
            stream.shutdown(how).ok();
        }
    }

    /// One direction is over, and so is the other.
    fn end(&self) {
        if !self.is_reset.load(Ordering::SeqCst) {
            self.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if !self.is_reset.load(Ordering::SeqCst) {
            return;
        }
        for stream in [&self.client, &self.server] {
            // The standard library has no word for it yet; closing the copy does not close ours.
            let stream = tokio::net::TcpSocket::from_std_stream(stream.try_clone().unwrap());
            stream.set_zero_linger().ok();
        }
    }
}

/// Passes on what arrives, each piece after the delay in force while it waits.
fn pump(link: &Link, towards: Towards, wire: &Wire) {
    let (mut from, mut to) = match towards {
        Towards::Server => (&link.client, &link.server),
        Towards::Client => (&link.server, &link.client),
    };
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
            if wire.ending.load(Ordering::SeqCst) || link.is_reset.load(Ordering::SeqCst) {
                return;
            }
            std::thread::sleep(TICK);
        }
        let is_deaf = || link.deaf[towards as usize].load(Ordering::SeqCst);
        if !is_deaf() && to.write_all(&piece[..length]).is_err() && !is_deaf() {
            break;
        }
    }
}
