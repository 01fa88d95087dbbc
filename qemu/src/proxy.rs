//! A fault proxy: a TCP relay in front of a real server that cuts, stalls, slows or changes the server's answer.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result};

use crate::server::HOST_FROM_GUEST;

/// The fault of a connection, after this many bytes of the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Closes both ends after this many bytes.
    Cut(u64),
    /// Relays nothing more after this many bytes, but keeps the connection.
    Stall(u64),
    /// Relays this many bytes per second from the beginning.
    Slow(u64),
    /// Inverts the bits of the byte at this offset of the answer (headers count).
    Flip(u64),
}

/// A running proxy. It accepts no more connections after its drop.
pub struct FaultProxy {
    address: SocketAddr,
    ended: Arc<AtomicBool>,
    struck: Arc<AtomicU32>,
}

impl FaultProxy {
    /// Relays to `port` on 127.0.0.1. The fault affects the first `times` connections that get so far; later ones pass.
    pub fn start(port: u16, fault: Fault, times: u32) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).context("no free port for the fault proxy")?;
        let address = listener.local_addr()?;
        let (ended, struck) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let proxy = Self { address, ended: Arc::clone(&ended), struck: Arc::clone(&struck) };
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if ended.load(Ordering::SeqCst) {
                    break;
                }
                let (struck, ended) = (Arc::clone(&struck), Arc::clone(&ended));
                std::thread::spawn(move || {
                    // Broken connections are the proxy's purpose; the guest sees the error.
                    let _ = Relay { fault, times, struck, ended }.serve(&client, port);
                    let _ = client.shutdown(Shutdown::Both);
                });
            }
        });
        Ok(proxy)
    }

    /// The URL of a file through the proxy, for a guest on the user network.
    pub fn guest_url(&self, file: &str) -> String {
        format!("http://{HOST_FROM_GUEST}:{}/{file}", self.address.port())
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections had the fault so far.
    pub fn struck(&self) -> u32 {
        self.struck.load(Ordering::SeqCst)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts. An error means that it has ended already.
        let _ = TcpStream::connect(self.address);
    }
}

struct Relay {
    fault: Fault,
    times: u32,
    struck: Arc<AtomicU32>,
    ended: Arc<AtomicBool>,
}

impl Relay {
    fn serve(&self, client: &TcpStream, port: u16) -> std::io::Result<()> {
        let server = TcpStream::connect(("127.0.0.1", port))?;
        let (mut from_client, mut to_server) = (client.try_clone()?, server.try_clone()?);
        std::thread::spawn(move || {
            // Ends when either side closes; the other direction reports the result.
            let _ = std::io::copy(&mut from_client, &mut to_server);
            let _ = to_server.shutdown(Shutdown::Write);
        });
        let done = self.answer(&server, client);
        server.shutdown(Shutdown::Both)?;
        done
    }

    fn answer(&self, mut server: &TcpStream, mut client: &TcpStream) -> std::io::Result<()> {
        let (mut passed, mut buffer, started) = (0_u64, vec![0; 64 << 10], Instant::now());
        loop {
            let length = server.read(&mut buffer)?;
            if length == 0 {
                return Ok(());
            }
            let (piece, after) = (&mut buffer[..length], passed + length as u64);
            match self.fault {
                Fault::Cut(at) if after > at && self.strike() => {
                    return client.write_all(&piece[..at.saturating_sub(passed) as usize]);
                }
                Fault::Stall(at) if after > at && self.strike() => {
                    client.write_all(&piece[..at.saturating_sub(passed) as usize])?;
                    while !self.ended.load(Ordering::SeqCst) {
                        std::thread::sleep(Duration::from_millis(100));
                    }
                    return Ok(());
                }
                Fault::Flip(at) if (passed..after).contains(&at) && self.strike() => {
                    piece[(at - passed) as usize] ^= 0xff;
                }
                Fault::Slow(rate) => {
                    let due = Duration::from_secs_f64(after as f64 / rate.max(1) as f64);
                    std::thread::sleep(due.saturating_sub(started.elapsed()));
                }
                _ => {}
            }
            client.write_all(piece)?;
            passed = after;
        }
    }

    /// Whether the fault may affect one more connection; counts it if so.
    fn strike(&self) -> bool {
        self.struck
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| {
                (count < self.times).then_some(count + 1)
            })
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: usize = 200_000;

    /// A server that answers every connection with `LENGTH` bytes of 'a'.
    fn upstream() -> u16 {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let _ = stream.unwrap().write_all(&vec![b'a'; LENGTH]);
            }
        });
        port
    }

    fn fetch(proxy: &FaultProxy) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut stream = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        // A stalled or cut connection returns the bytes that arrived before.
        let _ = stream.read_to_end(&mut bytes);
        bytes
    }

    #[test]
    fn faults_strike_as_often_as_asked() {
        for (fault, first) in
            [(Fault::Cut(70_000), 70_000), (Fault::Stall(100), 100), (Fault::Slow(10_000_000), LENGTH)]
        {
            let proxy = FaultProxy::start(upstream(), fault, 1).unwrap();
            assert_eq!(fetch(&proxy).len(), first, "{fault:?}");
            assert_eq!(fetch(&proxy).len(), LENGTH, "{fault:?}");
            assert_eq!(proxy.struck(), u32::from(first != LENGTH));
        }
        let proxy = FaultProxy::start(upstream(), Fault::Flip(150_000), 1).unwrap();
        let wrong: Vec<usize> =
            fetch(&proxy).iter().enumerate().filter(|(_, byte)| **byte != b'a').map(|(at, _)| at).collect();
        assert_eq!(wrong, [150_000]);
    }
}
