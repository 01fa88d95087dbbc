//! Common parameters of the steps' HTTP requests.

use std::io::ErrorKind;
use std::path::PathBuf;

use dayfly_formats::scoped;
use dayfly_plan::network::Server;
use dayfly_plan::settings::value::Url;
use dayfly_plan::{TransferLimits, paths};
use dayfly_sys::{Authorities, Family, Limits, Request, Response, Result, Sys, Via};

use super::network::names;
use crate::context::Context;

/// The certificate authorities for servers: the certificates of the initramfs.
pub fn authorities() -> Authorities {
    Authorities::File(PathBuf::from(paths::CA_BUNDLE))
}

/// The time limits for a server, from the plan. A body may take any time while it makes progress.
pub fn limits(limits: TransferLimits) -> Limits {
    Limits { connect: limits.connect, stall: limits.stall, floor: limits.min_rate, within: None }
}

/// The way to the server of a URL, if the server answered over it when the network came up. Other interfaces may be configured that have
/// routes to the same address and do not lead there.
fn via(cx: &Context, url: &Url) -> Option<Via> {
    let network = cx.known.network.as_ref()?;
    let wanted = url.server();
    let is_same = |server: &&Server| server.host == wanted.host && server.interface == wanted.interface;
    let server = network.reached.as_ref().filter(is_same)?;
    let link = cx.sys.links().ok()?.into_iter().find(|link| link.name == network.first.iface)?;
    let family = Family::of(network.first.address);
    Some(Via { host: server.host.clone(), interface: link.index, family })
}

/// A GET request for a URL, over the way to its server that is known.
pub fn get(cx: &Context, url: &Url, limits: Limits) -> Request {
    let mut request = Request::get(url.to_string(), limits, authorities());
    request.via = via(cx, url);
    request
}

/// A status that is not the expected one, as the end of a sentence.
pub fn refusal(response: &Response) -> String {
    format!("the server answered HTTP {} {}", response.status, response.reason)
}

/// Sends a request. If its URL names an interface, by whatever name the OS has for it, the kernel's name is used.
pub fn send(sys: &dyn Sys, mut request: Request) -> Result<Response> {
    if let Some((before, zone, after)) = scoped::split_url(&request.url)
        && let Some(name) = names::current(sys, zone)?
    {
        request.url = format!("{before}%25{name}{after}");
    }
    sys.send(&request)
}

/// Reads a small body, but at most one byte more than `most`: the reader of the bytes refuses them then. The error is the end of a sentence.
pub fn receive(cx: &Context, mut response: Response, most: usize) -> std::result::Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 << 10];
    loop {
        match response.body.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => bytes.extend(buffer.iter().take(count)),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(format!("after {} bytes: {error}", bytes.len())),
        }
        if bytes.len() > most {
            bytes.truncate(most + 1);
            return Ok(bytes);
        }
        if cx.left().is_zero() {
            return Err(format!("only {} bytes arrived before the deadline", bytes.len()));
        }
    }
    // The HTTP library reports a body that ends early. Check again, in case the server sent a wrong length.
    match response.length {
        Some(length) if length != bytes.len() as u64 => {
            Err(format!("{} of {length} bytes arrived before the connection closed", bytes.len()))
        }
        _ => Ok(bytes),
    }
}
