//! The TCP layer. Each wait for the peer uses the clock of the exchange.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::http::Uri;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};
use ureq::{Error, Timeout};

use super::watch::{Spent, Watch};
use crate::kernel::sockets::connect_through;
use crate::{Family, Via};

/// The kernel does not accept a timeout of zero.
const SHORTEST: Duration = Duration::from_millis(1);
/// A socket timeout is only shortened if the difference is larger than this, to save a system call per read.
const TICK: Duration = Duration::from_secs(1);

/// Opens connections.
#[derive(Debug)]
pub(super) struct Tcp {
    pub watch: Arc<Watch>,
    /// The way to one server.
    pub via: Option<Via>,
}

impl Tcp {
    /// The way to the server of a URL.
    fn via(&self, uri: &Uri) -> Option<&Via> {
        self.via.as_ref().filter(|via| via.leads_to(uri.host().unwrap_or_default()))
    }
}

impl Connector<()> for Tcp {
    type Out = Wire;

    /// Tries one address after the other. Each may use half of the remaining time, the last one all of it.
    fn connect(&self, details: &ConnectionDetails<'_>, _: Option<()>) -> Result<Option<Wire>, Error> {
        let mut failed = None;
        let via = self.via(details.uri);
        let is_on_the_way = |address: &SocketAddr| {
            via.filter(|via| via.family == Family::of(address.ip())).map(|via| via.interface)
        };
        let mut addresses: Vec<SocketAddr> = details.addrs.iter().copied().collect();
        addresses.sort_by_key(|address| via.is_some() && is_on_the_way(address).is_none());
        for (index, address) in addresses.iter().enumerate() {
            let left = self.watch.wait().map_err(over)?;
            let is_last = index + 1 == addresses.len();
            let share = (if is_last { left } else { left / 2 }).max(SHORTEST);
            let connected = match is_on_the_way(address) {
                Some(interface) => connect_through(interface, *address, Instant::now() + share),
                None => TcpStream::connect_timeout(address, share),
            };
            match connected {
                Ok(stream) => {
                    stream.set_nodelay(true)?;
                    let config = details.config;
                    let buffers = LazyBuffers::new(config.input_buffer_size(), config.output_buffer_size());
                    return Ok(Some(Wire {
                        stream,
                        buffers,
                        watch: Arc::clone(&self.watch),
                        reads: Duration::ZERO,
                        writes: Duration::ZERO,
                    }));
                }
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            None => Err(Error::HostNotFound),
            Some(error) if is_time_out(&error) => {
                let spent = self.watch.wait().err().unwrap_or(Spent::Connect);
                self.watch.is_spent(spent);
                Err(over(spent))
            }
            Some(error) => Err(error.into()),
        }
    }
}

/// A connection.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    buffers: LazyBuffers,
    watch: Arc<Watch>,
    /// The current timeouts of the socket.
    reads: Duration,
    writes: Duration,
}

impl Transport for Wire {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
        let Self { stream, buffers, watch, writes, .. } = self;
        let mut rest = buffers.output().get(..amount).unwrap_or_default();
        while !rest.is_empty() {
            let limit = watch.wait().map_err(over)?;
            adjust(writes, limit, |limit| stream.set_write_timeout(limit))?;
            let began = Instant::now();
            let written = stream.write(rest);
            watch.waited(began.elapsed(), matches!(written, Ok(1..)));
            match written {
                Ok(0) => return Err(io::Error::from(ErrorKind::WriteZero).into()),
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if is_time_out(&error) || error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn await_input(&mut self, _: NextTimeout) -> Result<bool, Error> {
        let Self { stream, buffers, watch, reads, .. } = self;
        loop {
            let limit = watch.wait().map_err(over)?;
            adjust(reads, limit, |limit| stream.set_read_timeout(limit))?;
            let began = Instant::now();
            let read = stream.read(buffers.input_append_buf());
            watch.waited(began.elapsed(), matches!(read, Ok(1..)));
            match read {
                Ok(count) => {
                    buffers.input_appended(count);
                    return Ok(count > 0);
                }
                Err(error) if is_time_out(&error) || error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Always false, so that a connection is used for one exchange only.
    fn is_open(&mut self) -> bool {
        false
    }
}

/// Sets a shorter timeout if the current one is too long.
fn adjust(
    now: &mut Duration,
    limit: Duration,
    set: impl FnOnce(Option<Duration>) -> io::Result<()>,
) -> io::Result<()> {
    let wanted = limit.min(TICK).max(SHORTEST);
    if *now != wanted {
        set(Some(wanted))?;
        *now = wanted;
    }
    Ok(())
}

/// Whether an error is a timeout. SO_RCVTIMEO and SO_SNDTIMEO return EAGAIN; std's connect with a timeout returns
/// TimedOut.
fn is_time_out(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// The reason is stored in the watch, because an error does not pass through the TLS layer unchanged.
fn over(_: Spent) -> Error {
    Error::Timeout(Timeout::Global)
}
