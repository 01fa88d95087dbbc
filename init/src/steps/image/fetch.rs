//! Fetches layers of the image into memory. Only one copy is kept, it is hashed while it arrives, and an image that
//! does not fit is refused. After a broken connection the fetch continues where it stopped, if the server can tell that
//! the file has not changed.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::time::Duration;

use dayfly_plan::settings::value::Url;
use dayfly_plan::{Class, Code, Layer, LayerSource, TransferLimits};
use dayfly_sys::{Cause, Response, SysError};

use super::part::{Part, Wanted};
use crate::context::{Context, Done};
use crate::events::{Event, Level};
use crate::steps::http;
use crate::{Failure, LayerFile, Learned};

/// Large enough that the cost of the calls is negligible.
const BUFFER: usize = 1 << 20;
/// The longest time to fill one buffer, so that progress is logged in between. The HTTP client detects a stalled
/// transfer.
const GATHER: Duration = Duration::from_secs(1);
/// Memory reserved for the rest of the boot and the start of the OS.
const RESERVE: u64 = 64 << 20;
/// How often the free memory is checked if the server does not send a length, in bytes.
const CHECK_EVERY: u64 = 16 << 20;
/// Progress is logged at this interval, and at every tenth of the image.
const SAY_EVERY: Duration = Duration::from_secs(5);

/// The data fetched so far. A failed attempt passes it to the next one.
#[derive(Default)]
pub struct Fetched {
    /// Complete layers, by their index in the image.
    whole: BTreeMap<usize, LayerFile>,
    /// The incomplete layer, if any.
    part: Option<Part>,
}

/// Fetches the layers that come from servers.
pub fn fetch(cx: &Context, layers: &[Layer], limits: TransferLimits) -> Result<Done, Failure> {
    let mut fetched = cx.progress.take();
    let details = match fetch_each(cx, layers, limits, &mut fetched) {
        Ok(details) => details,
        Err(failure) => {
            cx.progress.leave(fetched);
            return Err(failure);
        }
    };
    let bytes = fetched.whole.values().map(|file| file.bytes).sum();
    let learned = fetched.whole.into_iter().map(|(place, file)| Learned::Layer(place, file)).collect();
    Ok(Done { learned, detail: details.join("; "), bytes: Some(bytes) })
}

/// Fetches each missing layer and returns a text for each.
fn fetch_each(
    cx: &Context,
    layers: &[Layer],
    limits: TransferLimits,
    fetched: &mut Fetched,
) -> Result<Vec<String>, Failure> {
    let mut details = Vec::new();
    for (place, layer) in layers.iter().enumerate() {
        let LayerSource::Servers(urls) = &layer.source else { continue };
        if fetched.whole.contains_key(&place) {
            continue;
        }
        let started = cx.sys.now();
        let wanted = Wanted { sha256: layer.sha256(), bytes: layer.bytes };
        cx.moves();
        let (file, moved) = from_any(cx, urls, wanted, limits, &mut fetched.part)?;
        let took = cx.sys.now().saturating_sub(started).as_secs_f64();
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        let last =
            if moved < file.bytes { format!(", the last {:.1} of them", mib(moved)) } else { String::new() };
        let rate = mib(moved) / took.max(0.001);
        details.push(format!("{:.1} MiB{last} in {took:.1} s, {rate:.1} MiB/s", mib(file.bytes)));
        fetched.whole.insert(place, file);
    }
    Ok(details)
}

/// Fetches the layer from the first server that has it. Returns also the number of bytes transferred now. The next
/// server is tried only if the failure may be specific to this server.
fn from_any(
    cx: &Context,
    urls: &[Url],
    wanted: Wanted,
    limits: TransferLimits,
    part: &mut Option<Part>,
) -> Result<(LayerFile, u64), Failure> {
    // Start with the server that sent a part, because only it can continue.
    let kept = part.as_ref().map(|part| part.url.clone());
    let (first, others): (Vec<&Url>, Vec<&Url>) = urls.iter().partition(|url| Some(*url) == kept.as_ref());
    let mut urls = first.into_iter().chain(others).peekable();
    while let Some(url) = urls.next() {
        match from_server(cx, url, wanted, limits, part) {
            Err(failure) if urls.peek().is_some() && failure.code.class() != Class::Permanent => {
                cx.note(
                    Level::Warning,
                    format!("{}: {}; trying the next server", failure.tried, failure.wrong),
                );
                cx.moves();
            }
            ended => return ended,
        }
    }
    Err(Failure::new(Code::ConfigNoImage, "fetch the image", "the image has a layer without a URL"))
}

fn from_server(
    cx: &Context,
    url: &Url,
    wanted: Wanted,
    limits: TransferLimits,
    kept: &mut Option<Part>,
) -> Result<(LayerFile, u64), Failure> {
    let tried = format!("GET {url}");
    let mut request = http::get(cx, url, http::limits(limits));
    request.resume = kept.as_ref().and_then(|part| part.resume(url));
    let is_resumed = request.resume.is_some();
    let response = http::send(&*cx.sys, request).map_err(|error| {
        // The server may have given an invalid answer to the range request, or the connection broke. Only the next
        // request shows which.
        if let Some(part) = kept.as_mut().filter(|_| is_resumed && error.cause == Cause::Protocol) {
            part.vain += 1;
        }
        from_connection(&tried, &error)
    })?;
    cx.moves();
    let mut part = match (response.status, kept.take()) {
        (206, Some(part)) if part.fits(&response) => {
            cx.note(Level::Info, format!("{tried}: the fetch continues after {} bytes", part.done));
            part
        }
        (206, _) => {
            let wrong = "the server sent a part of a different image, or an incomplete rest".to_owned();
            return Err(Failure::new(Code::ImageCut, tried, wrong));
        }
        (200, _) => Part::new(cx, url, &response, wanted, &tried)?,
        (status, part) => {
            // 416 Range Not Satisfiable: the file is shorter now (RFC 9110 section 15.5.17).
            *kept = part.filter(|_| status != 416);
            return Err(Failure::new(Code::ImageHttpStatus, tried, http::refusal(&response)));
        }
    };
    if let Some(length) = response.length {
        check_room(cx, &tried, length)?;
    }
    let before = part.done;
    match receive(cx, &tried, response, &mut part) {
        Ok(()) => {
            let moved = part.done - before;
            Ok((part.whole(&tried)?, moved))
        }
        Err(failure) => {
            let is_cut = matches!(failure.code, Code::ImageCut | Code::ImageStalled);
            if is_cut && part.can_continue() {
                part.vain = if part.done > before { 0 } else { part.vain + 1 };
                *kept = Some(part);
            }
            Err(failure)
        }
    }
}

/// Reads the body to its end.
fn receive(cx: &Context, tried: &str, mut response: Response, part: &mut Part) -> Result<(), Failure> {
    // A server that sends no length may keep the connection open.
    let total = part.total.or(part.wanted.bytes);
    let mut meter = Meter::new(cx, total, part.done);
    let mut buffer = Vec::new();
    loop {
        if buffer.len() < BUFFER {
            buffer = vec![0; BUFFER];
        }
        let (count, error) = gather(cx, &mut response.body, &mut buffer);
        if count == 0 && error.is_none() {
            break;
        }
        buffer.truncate(count);
        let checked = part.done / CHECK_EVERY;
        buffer = part.take(tried, buffer)?;
        if let Some(error) = error.filter(|_| total != Some(part.done)) {
            return Err(from_read(tried, part.done, total, &error));
        }
        if total == Some(part.done) {
            break;
        }
        if response.length.is_none() && checked != part.done / CHECK_EVERY {
            check_room(cx, tried, CHECK_EVERY)?;
        }
        cx.moves();
        meter.say(part.done);
    }
    // The HTTP library reports a body that ends early. Check again, in case the server sent a wrong length.
    match total {
        Some(total) if total != part.done => {
            let wrong = format!("{} of {total} bytes arrived before the connection closed", part.done);
            Err(Failure::new(Code::ImageCut, tried, wrong))
        }
        _ => Ok(()),
    }
}

/// Reads until the buffer is full, the body ends or [`GATHER`] has passed: few large pieces cost less than many small
/// ones, for the network and the hash. 0 means the end. An error is returned together with the bytes read before it.
fn gather(cx: &Context, body: &mut dyn Read, buffer: &mut [u8]) -> (usize, Option<std::io::Error>) {
    let until = cx.sys.now() + GATHER;
    let mut filled = 0;
    loop {
        match body.read(buffer.get_mut(filled..).unwrap_or_default()) {
            Ok(0) => return (filled, None),
            Ok(count) => filled += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return (filled, Some(error)),
        }
        if filled == buffer.len() || cx.sys.now() >= until {
            return (filled, None);
        }
    }
}

/// Refuses an image that does not fit into memory before the first byte is stored. The message has the numbers.
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
        "the image needs {} MiB and the boot {} MiB in addition, but only {} of {} MiB of memory are available",
        mib(need),
        mib(RESERVE),
        memory.available >> 20,
        memory.total >> 20
    );
    Err(Failure::new(Code::ImageTooLarge, tried, wrong))
}

pub(super) fn from_connection(tried: &str, error: &SysError) -> Failure {
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
    // The error for a body that ended early contains the number of bytes already.
    let wrong = if error.kind() == ErrorKind::UnexpectedEof {
        error.to_string()
    } else {
        format!("after {done}{of} bytes: {error}")
    };
    Failure::new(code, tried, wrong)
}

struct Meter<'a> {
    cx: &'a Context,
    total: Option<u64>,
    /// Bytes from earlier attempts.
    before: u64,
    started: Duration,
    said: (Duration, u64),
}

impl<'a> Meter<'a> {
    fn new(cx: &'a Context, total: Option<u64>, done: u64) -> Self {
        let started = cx.sys.now();
        Self { cx, total, before: done, started, said: (started, done) }
    }

    fn say(&mut self, done: u64) {
        let now = self.cx.sys.now();
        let tenth = |bytes: u64| self.total.map(|total| bytes.saturating_mul(10) / total.max(1));
        // Avoid ten lines for a fast transfer.
        let passed = tenth(done) != tenth(self.said.1)
            && now.saturating_sub(self.said.0) >= Duration::from_millis(500);
        if passed || now.saturating_sub(self.said.0) >= SAY_EVERY {
            self.said = (now, done);
            self.cx.events.emit(Event::Progress {
                step: self.cx.step,
                done,
                before: self.before,
                total: self.total,
                took: now.saturating_sub(self.started),
            });
        }
    }
}
