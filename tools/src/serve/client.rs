//! One connection: requests are read and answered one after another.

use std::fmt::Write as _;
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::net::{IpAddr, Shutdown, TcpStream};
use std::time::{Duration, Instant, SystemTime};

use super::Site;
use super::answer::{Answer, Body, answer};
use super::request::{Refused, Request, parse};

/// How long a client may take to send a request, including the idle time before it.
const REQUEST: Duration = Duration::from_secs(30);

/// How long a client may read nothing of an answer.
const STALL: Duration = Duration::from_secs(60);

/// After the last answer: how long, and how many bytes, to read from a client that still sends.
const LINGER: (Duration, usize) = (Duration::from_secs(2), 1 << 20);

/// Serves a connection until the client or the server ends it.
pub fn serve(stream: &TcpStream, peer: IpAddr, site: &Site, is_one_too_many: bool) {
    let outcome = if is_one_too_many {
        send(stream, &Answer::busy(), "-", true, true).map(|sent| sent.tell(site, peer, "- -"))
    } else {
        converse(stream, peer, site)
    };
    // Not logged: a client that leaves between two requests, or that is no longer reachable.
    if outcome.is_ok() {
        linger(stream);
    }
}

fn converse(stream: &TcpStream, peer: IpAddr, site: &Site) -> io::Result<()> {
    // A small answer is two writes, header and body; do not delay the second.
    stream.set_nodelay(true)?;
    stream.set_write_timeout(Some(STALL))?;
    let mut buffer = Vec::new();
    loop {
        let request = match next(stream, &mut buffer)? {
            Next::Request(request) => request,
            Next::Refused(refused) => {
                send(stream, &Answer::refused(&refused), "-", true, true)?.tell(site, peer, "- -");
                return Ok(());
            }
            Next::End => return Ok(()),
        };
        let name = format!("{} {}", shown(&request.method), shown(&request.path));
        let answer = answer(&request, &site.folder);
        let is_head = request.method == "HEAD";
        let sent = send(stream, &answer, request.agent.as_deref().unwrap_or("-"), request.close, !is_head)?;
        let is_whole = sent.is_whole();
        sent.tell(site, peer, &name);
        if request.close || !is_whole {
            return Ok(());
        }
    }
}

enum Next {
    Request(Request),
    Refused(Refused),
    End,
}

/// The next request; bytes of the one after it stay in `buffer`.
fn next(mut stream: &TcpStream, buffer: &mut Vec<u8>) -> io::Result<Next> {
    let end = Instant::now() + REQUEST;
    let mut piece = [0; 4096];
    loop {
        match parse(buffer) {
            Ok(Some((request, length))) => {
                buffer.drain(..length);
                return Ok(Next::Request(request));
            }
            Ok(None) => {}
            Err(refused) => return Ok(Next::Refused(refused)),
        }
        let left = end.saturating_duration_since(Instant::now());
        // A time-out of zero is an error.
        let outcome = if left.is_zero() {
            Err(ErrorKind::WouldBlock.into())
        } else {
            stream.set_read_timeout(Some(left))?;
            stream.read(&mut piece)
        };
        match outcome {
            Ok(0) => return Ok(Next::End),
            Ok(length) => buffer.extend_from_slice(piece.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock && buffer.is_empty() => return Ok(Next::End),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let reason = format!("no complete request within {} s", REQUEST.as_secs());
                return Ok(Next::Refused(Refused { status: 408, reason }));
            }
            Err(error) => return Err(error),
        }
    }
}

/// How much of an answer was sent.
struct Sent {
    status: u16,
    bytes: u64,
    of: u64,
    more: String,
}

impl Sent {
    fn is_whole(&self) -> bool {
        self.bytes == self.of
    }

    fn tell(&self, site: &Site, peer: IpAddr, request: &str) {
        site.log.request(peer, request, self.status, self.bytes, self.of, &self.more);
    }
}

/// Sends an answer. A connection error while a file is sent is not an error here but part of `Sent`.
fn send(
    mut stream: &TcpStream,
    answer: &Answer,
    agent: &str,
    close: bool,
    with_body: bool,
) -> io::Result<Sent> {
    stream.write_all(head(answer, close).as_bytes())?;
    let of = if with_body { answer.body.length().unwrap_or(0) } else { 0 };
    let note = if answer.note.is_empty() { String::new() } else { format!(" [{}]", answer.note) };
    let mut more = format!(" {}{note}", shown(agent));
    let mut bytes = of;
    if with_body {
        match &answer.body {
            Body::None => {}
            Body::Text(text) => stream.write_all(text.as_bytes())?,
            Body::File(file, count) => {
                let mut file = file;
                let first = file.stream_position()?;
                // The file's position says how many bytes the kernel took, except for the last buffer of a cut transfer.
                let outcome = io::copy(&mut file.take(*count), &mut stream);
                bytes = file.stream_position()?.saturating_sub(first);
                if let Err(error) = outcome {
                    let stalled = error.kind() == ErrorKind::WouldBlock;
                    let why = if stalled {
                        format!("the client read nothing for {} s", STALL.as_secs())
                    } else {
                        error.to_string()
                    };
                    // Writing to a String cannot fail.
                    let _ = write!(more, " cut: {why}");
                } else if bytes < of {
                    more.push_str(" cut: the file became shorter");
                }
            }
        }
    }
    Ok(Sent { status: answer.status, bytes, of, more })
}

fn head(answer: &Answer, close: bool) -> String {
    let (status, version) = (answer.status, env!("CARGO_PKG_VERSION"));
    let date = httpdate::fmt_http_date(SystemTime::now());
    let mut head =
        format!("HTTP/1.1 {status} {}\r\nDate: {date}\r\nServer: dayfly/{version}\r\n", reason(status));
    if let Some(length) = answer.body.length() {
        // Writing to a String cannot fail.
        let _ = write!(head, "Content-Length: {length}\r\n");
    }
    for (name, value) in &answer.fields {
        // As above.
        let _ = write!(head, "{name}: {value}\r\n");
    }
    head.push_str(if close { "Connection: close\r\n\r\n" } else { "\r\n" });
    head
}

/// RFC 9110, section 15, and RFC 6585, section 5.
fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        206 => "Partial Content",
        304 => "Not Modified",
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        412 => "Precondition Failed",
        416 => "Range Not Satisfiable",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "",
    }
}

/// A client's text for the log, escaped so that it cannot end the line or move the cursor.
fn shown(text: &str) -> String {
    text.chars().take(200).flat_map(char::escape_default).collect()
}

/// Lets the client read the last answer: a connection that is closed while bytes of the client wait is reset (RFC 9112, section 9.6).
fn linger(mut stream: &TcpStream) {
    let end = Instant::now() + LINGER.0;
    let mut piece = [0; 4096];
    // If a call fails, the connection is already closed.
    let _ = stream.shutdown(Shutdown::Write);
    for _ in 0..LINGER.1 / piece.len() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero()
            || stream.set_read_timeout(Some(left)).is_err()
            || !matches!(stream.read(&mut piece), Ok(1..))
        {
            break;
        }
    }
}
