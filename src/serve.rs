//! The listeners of the daemon: HTTP for operators, SQL for analysts.

pub mod http;
pub mod pgwire;

use std::net::{SocketAddr, TcpListener};

use crate::error::{Error, ErrorKind, Result};

/// Takes the address, before anything else starts, so that a busy port stops the start. `option`
/// names it in the configuration.
///
/// # Errors
/// [`ErrorKind::Setup`] naming the address and the way out.
pub fn bind(address: SocketAddr, option: &str) -> Result<TcpListener> {
    let port = address.port();
    let bound = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|cause| {
        let busy = cause.kind() == std::io::ErrorKind::AddrInUse;
        let error =
            Error::new(ErrorKind::Setup, format!("could not listen on {address}")).caused_by(cause);
        error.hint(if busy {
            format!(
                "set {option} to a free address, or stop what listens there: \
                 ss -ltnp 'sport = :{port}'"
            )
        } else {
            format!("set {option} to an address of this machine")
        })
    })
}
