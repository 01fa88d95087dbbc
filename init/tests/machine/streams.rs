//! Objects of the fake that can be read, written or waited for.

use std::io::{self, Read, Write};
use std::net::{SocketAddrV4, SocketAddrV6};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use dayfly_sys::{Backing, DatagramPort, NdPort, PacketPort, RamFile, Result, UdpPort, Uevents, own};

use super::clock::{self, Clock};
use super::{Node, State};

/// A file in memory, which the fake's loop device finds by its path.
pub(super) struct Ram {
    pub(super) path: PathBuf,
    pub(super) bytes: Vec<u8>,
    pub(super) state: Arc<Mutex<State>>,
}

impl Write for Ram {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl RamFile for Ram {
    fn backing(&self) -> Result<Backing> {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .put(&self.path, Node::File(self.bytes.clone()));
        Ok(Backing::Path(own(&self.path)))
    }
}

/// A port that nothing comes to.
pub(super) struct Silence(pub(super) Arc<Clock>);

impl Uevents for Silence {
    fn next(&mut self, limit: Duration) -> Result<Option<Vec<u8>>> {
        self.0.sleep(limit);
        Ok(None)
    }
}

impl NdPort for Silence {
    fn receive(&mut self, limit: Duration) -> Result<Option<(u32, Vec<u8>)>> {
        self.0.sleep(limit);
        Ok(None)
    }
}

impl DatagramPort for Silence {
    fn send(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn receive(&mut self, limit: Duration) -> Result<Option<(Vec<u8>, SocketAddrV6)>> {
        self.0.sleep(limit);
        Ok(None)
    }
}

impl PacketPort for Silence {
    fn send(&mut self, _: &[u8]) -> Result<()> {
        Ok(())
    }

    fn receive(&mut self, limit: Duration) -> Result<Option<(Vec<u8>, bool)>> {
        self.0.sleep(limit);
        Ok(None)
    }
}

impl UdpPort for Silence {
    fn send(&mut self, _: &[u8], _: SocketAddrV4) -> Result<()> {
        Ok(())
    }

    fn receive(&mut self, limit: Duration) -> Result<Option<Vec<u8>>> {
        self.0.sleep(limit);
        Ok(None)
    }
}

/// A connection with a server that is real.
pub(super) struct Real(pub(super) Box<dyn Read + Send>);

impl Read for Real {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        clock::outside(|| self.0.read(bytes))
    }
}

/// An open connection without any more data.
pub(super) struct Hung(pub(super) Arc<Clock>);

impl Read for Hung {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.hang();
        Err(io::ErrorKind::ConnectionAborted.into())
    }
}

/// The end of a broken connection.
pub(super) struct Broken;

impl Read for Broken {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection was closed"))
    }
}
