//! Error messages for failed exchanges.

use std::io;
use std::time::Duration;

use super::names::Unresolved;
use super::watch::{Spent, Watch};
use crate::Limits;
use crate::{Cause, Request, SysError};

/// The error for a request without a response.
pub(super) fn failed(
    request: &Request,
    watch: &Watch,
    peer: &str,
    error: &ureq::Error,
    clock: u64,
) -> SysError {
    let (cause, words) = match (watch.spent(), error) {
        (Some(spent), _) => {
            let cause = if spent == Spent::Connect { Cause::Connect } else { Cause::TimedOut };
            (cause, of_spent(spent, &watch.limits, peer))
        }
        (None, ureq::Error::HostNotFound) => (Cause::Resolve, format!("{peer} has no address")),
        (None, ureq::Error::Other(inner)) => match inner.downcast_ref::<Unresolved>() {
            Some(unresolved) => (Cause::Resolve, format!("{peer}: {unresolved}")),
            None => (Cause::Protocol, format!("{peer}: {inner}")),
        },
        (None, ureq::Error::Io(inner)) => of_io(request, peer, inner, clock),
        #[cfg(feature = "https")]
        (None, ureq::Error::Rustls(inner)) => {
            (Cause::Tls, super::super::trust::words(request, peer, inner, clock))
        }
        (None, ureq::Error::Tls(words)) => (Cause::Tls, format!("{peer}: {words}")),
        (None, ureq::Error::BadUri(words)) => {
            (Cause::Unsupported, format!("{words}; expected http://host[:port]/path or https://…"))
        }
        (None, other) => (Cause::Protocol, format!("{peer}: {other}")),
    };
    SysError::new("open", &*request.url, cause, words)
}

/// The message for an expired time limit.
pub(super) fn of_spent(spent: Spent, limits: &Limits, peer: &str) -> String {
    match spent {
        Spent::Connect => {
            format!("no connection to {peer} within {} s", seconds(limits.connect.min(limits.head())))
        }
        Spent::Whole => {
            format!(
                "{peer} did not complete its response within {} s, including redirects",
                seconds(limits.head())
            )
        }
        Spent::Silence => format!("no data from {peer} for {} s", seconds(limits.stall)),
        Spent::Rate(bytes) => format!(
            "only {bytes} bytes arrived from {peer} in {} s, but at least {} bytes per second are required",
            seconds(limits.window()),
            limits.floor
        ),
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64()).trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg_attr(not(feature = "https"), allow(unused_variables))]
fn of_io(request: &Request, peer: &str, error: &io::Error, clock: u64) -> (Cause, String) {
    #[cfg(feature = "https")]
    if let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return (Cause::Tls, super::super::trust::words(request, peer, inner, clock));
    }
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            (Cause::Protocol, format!("{peer} closed the connection before its response was complete"))
        }
        io::ErrorKind::ConnectionRefused
        | io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable
        | io::ErrorKind::PermissionDenied => (Cause::Connect, format!("{peer}: {error}")),
        _ => (Cause::Protocol, format!("{peer}: {error}")),
    }
}
