//! Fetches the image into memory: one copy, hashed on the way, never more than fits.

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use dayfly_plan::settings::value::Url;
use dayfly_plan::{Code, Patience};
use dayfly_sys::{Cause, Request, Response, SysError};

use super::hasher::Hasher;
use super::padded;
use crate::context::{Context, Done};
use crate::events::Event;
use crate::steps::http;
use crate::{Failure, Image, Learned};

/// Large enough that calls cost nothing.
const BUFFER: usize = 1 << 20;
/// How long a piece is gathered at most: progress is said in between. That it is enough is the seam's to see.
const GATHER: Duration = Duration::from_secs(1);
/// What the rest of the boot and the OS's first moments need beside the image.
const RESERVE: u64 = 64 << 20;
/// How often memory is looked at when the server does not say how much will come.
const CHECK_EVERY: u64 = 16 << 20;
/// Progress is said this often, or every tenth.
const SAY_EVERY: Duration = Duration::from_secs(5);

/// Fetches the image.
pub fn fetch(cx: &Context, url: &Url, patience: Patience, hash: bool) -> Result<Done, Failure> {
    let tried = format!("GET {url}");
    let request = Request::get(url.to_string(), http::limits(patience), http::authorities());
    let started = cx.sys.now();
    let response = cx.sys.send(&request).map_err(|error| from_connection(&tried, &error))?;
    cx.moves();
    if response.status != 200 {
        let wrong = format!("the server answered HTTP {} {}", response.status, response.reason);
        return Err(Failure::new(Code::ImageHttpStatus, tried, wrong));
    }
    if let Some(length) = response.length {
        check_room(cx, &tried, length)?;
    }
    let image = receive(cx, &tried, response, hash)?;
    let took = cx.sys.now().saturating_sub(started).as_secs_f64();
    let bytes = image.bytes;
    let mib = bytes as f64 / f64::from(1 << 20);
    let detail = format!("{mib:.1} MiB in {took:.1} s, {:.1} MiB/s", mib / took.max(0.001));
    Ok(Done { bytes: Some(bytes), ..Done::with(detail) }.and(Learned::Image(image)))
}

fn receive(cx: &Context, tried: &str, mut response: Response, hash: bool) -> Result<Image, Failure> {
    let memory = |error: &SysError| Failure::from_sys(Code::ImageTooLarge, tried, error);
    let mut file = cx.sys.ram_file("dayfly-image").map_err(|error| memory(&error))?;
    let mut hasher = hash.then(Hasher::start);
    let mut buffer = Vec::new();
    let mut progress = Progress::new(cx, response.length);
    let mut done: u64 = 0;
    loop {
        if buffer.len() < BUFFER {
            buffer = vec![0; BUFFER];
        }
        let count = gather(cx, &mut response.body, &mut buffer)
            .map_err(|(count, error)| from_read(tried, done + count as u64, response.length, &error))?;
        if count == 0 {
            break;
        }
        buffer.truncate(count);
        file.write_all(&buffer)
            .map_err(|error| memory(&SysError::from_io("write", "the image in memory", &error)))?;
        if let Some(hasher) = &mut hasher {
            buffer = hasher.update(buffer)?;
        }
        let before = done;
        done += count as u64;
        if response.length.is_none() && before / CHECK_EVERY != done / CHECK_EVERY {
            check_room(cx, tried, CHECK_EVERY)?;
        }
        cx.moves();
        progress.say(done);
    }
    // The library below reports an early end as such; a server that lies about the length must not slip through.
    if let Some(length) = response.length
        && length != done
    {
        let wrong = format!("{done} of {length} bytes came before the connection ended");
        return Err(Failure::new(Code::ImageCut, tried, wrong));
    }
    // Not a part of what was fetched: the image's length and hash are those of the bytes that came.
    file.write_all(&padded::zeros(done))
        .map_err(|error| memory(&SysError::from_io("write", "the image in memory", &error)))?;
    let backing = file.backing().map_err(|error| memory(&error))?;
    Ok(Image {
        backing,
        bytes: done,
        sha256: hasher.map(Hasher::finish).transpose()?,
        origin: tried.to_owned(),
    })
}

/// Reads until the buffer is full, the body ends, or a moment has passed: a few large pieces cost less than many small
/// ones, to the network as to the hash. 0 is the end; an error comes with the bytes that were read before it.
fn gather(cx: &Context, body: &mut dyn Read, buffer: &mut [u8]) -> Result<usize, (usize, std::io::Error)> {
    let until = cx.sys.now() + GATHER;
    let mut filled = 0;
    loop {
        match body.read(buffer.get_mut(filled..).unwrap_or_default()) {
            Ok(0) => return Ok(filled),
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err((filled, error)),
        }
        if filled == buffer.len() || cx.sys.now() >= until {
            return Ok(filled);
        }
    }
}

/// Refuses what cannot fit, with numbers, before the first byte is taken.
pub(super) fn check_room(cx: &Context, tried: &str, need: u64) -> Result<(), Failure> {
    let memory = match cx.sys.memory() {
        Ok(memory) => memory,
        Err(error) => return Err(Failure::from_sys(Code::ImageTooLarge, tried, &error)),
    };
    if need.saturating_add(RESERVE) <= memory.available {
        return Ok(());
    }
    let mib = |bytes: u64| bytes.div_ceil(1 << 20);
    let wrong = format!(
        "the image needs {} MiB and the boot {} MiB beside it, but {} of {} MiB of memory are available",
        mib(need),
        mib(RESERVE),
        memory.available >> 20,
        memory.total >> 20
    );
    Err(Failure::new(Code::ImageTooLarge, tried, wrong))
}

fn from_connection(tried: &str, error: &SysError) -> Failure {
    let code = match error.cause {
        Cause::Resolve => Code::ImageResolve,
        Cause::Tls => Code::ImageTls,
        Cause::Unsupported => Code::ImageUrl,
        Cause::Protocol => Code::ImageCut,
        Cause::Connect | Cause::TimedOut | Cause::Errno(_) => Code::ImageConnect,
    };
    Failure::from_sys(code, tried, error)
}

fn from_read(tried: &str, done: u64, length: Option<u64>, error: &std::io::Error) -> Failure {
    let of = length.map_or_else(String::new, |length| format!(" of {length}"));
    let code = if error.kind() == ErrorKind::TimedOut { Code::ImageStalled } else { Code::ImageCut };
    // A body that ended early has said after how many bytes.
    let wrong = if error.kind() == ErrorKind::UnexpectedEof {
        error.to_string()
    } else {
        format!("after {done}{of} bytes: {error}")
    };
    Failure::new(code, tried, wrong)
}

struct Progress<'a> {
    cx: &'a Context,
    total: Option<u64>,
    started: Duration,
    said: (Duration, u64),
}

impl<'a> Progress<'a> {
    fn new(cx: &'a Context, total: Option<u64>) -> Self {
        let started = cx.sys.now();
        Self { cx, total, started, said: (started, 0) }
    }

    fn say(&mut self, done: u64) {
        let now = self.cx.sys.now();
        let tenth = |bytes: u64| self.total.map(|total| bytes.saturating_mul(10) / total.max(1));
        // A quick transfer is not worth ten lines.
        let passed = tenth(done) != tenth(self.said.1)
            && now.saturating_sub(self.said.0) >= Duration::from_millis(500);
        if passed || now.saturating_sub(self.said.0) >= SAY_EVERY {
            self.said = (now, done);
            self.cx.events.emit(Event::Progress {
                step: self.cx.step,
                done,
                total: self.total,
                took: now.saturating_sub(self.started),
            });
        }
    }
}
