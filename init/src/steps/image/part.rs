//! A layer while it is fetched: its first bytes, and what is known about it before.

use std::io::Write;

use dayfly_plan::Code;
use dayfly_plan::settings::value::{Sha256, Url};
use dayfly_sys::{RamFile, Response, SysError};

use super::hasher::Hasher;
use super::padded;
use crate::context::Context;
use crate::{Failure, LayerFile};

/// The first bytes of a layer.
pub struct Part {
    /// The server that sends it.
    pub url: Url,
    /// The entity tag, with which the server checks that the file has not changed. Without it, the next attempt starts
    /// from the beginning.
    tag: Option<String>,
    /// The layer's length, if the server sent it.
    pub total: Option<u64>,
    /// What the plan says about the layer.
    pub wanted: Wanted,
    file: Box<dyn RamFile>,
    hasher: Option<Hasher>,
    /// The bytes so far.
    pub done: u64,
    /// How many consecutive requests for the rest brought no data.
    pub vain: u32,
}

/// What is known about a layer before it is fetched.
#[derive(Clone, Copy)]
pub struct Wanted {
    /// The SHA-256 that it must have.
    pub sha256: Option<Sha256>,
    /// Its length, if a manifest says it.
    pub bytes: Option<u64>,
}

impl Wanted {
    /// Refuses a layer of another length, before the first byte if the server sends a length.
    fn check(self, tried: &str, found: u64) -> Result<(), Failure> {
        match self.bytes {
            Some(bytes) if bytes != found => {
                let wrong = format!("the server has {found} bytes, but the manifest says {bytes}");
                Err(Failure::new(Code::ImageHashMismatch, tried, wrong))
            }
            _ => Ok(()),
        }
    }

    /// Refuses other bytes than a manifest names while another server or another way can still be tried. Without a manifest
    /// the hash is of the settings, and another attempt would not change a wrong one.
    fn compare(self, tried: &str, found: Option<[u8; 32]>) -> Result<(), Failure> {
        match (self.bytes.and(self.sha256), found) {
            (Some(wanted), Some(found)) if wanted.0 != found => {
                let wrong =
                    format!("the image has SHA-256 {}, but the manifest says {wanted}", Sha256(found));
                Err(Failure::new(Code::ImageHashMismatch, tried, wrong))
            }
            _ => Ok(()),
        }
    }
}

/// After this many requests for the rest without data, the whole file is requested.
const VAIN: u32 = 2;

impl Part {
    /// The start of a layer, with the head of its response.
    pub fn new(
        cx: &Context,
        url: &Url,
        response: &Response,
        wanted: Wanted,
        tried: &str,
    ) -> Result<Self, Failure> {
        if let Some(length) = response.length {
            wanted.check(tried, length)?;
        }
        let file = cx.sys.ram_file("dayfly-image").map_err(|error| memory(tried, &error))?;
        Ok(Self {
            url: url.clone(),
            tag: response.tag.clone(),
            total: response.length,
            wanted,
            file,
            hasher: wanted.sha256.is_some().then(Hasher::start),
            done: 0,
            vain: 0,
        })
    }

    /// Whether a later request can ask for the rest. This needs a tag and a length to check that the rest belongs to
    /// these bytes.
    pub fn can_continue(&self) -> bool {
        self.tag.is_some() && self.total.is_some() && self.done > 0
    }

    /// The range and the tag for a request for the rest from this server.
    pub fn resume(&self, url: &Url) -> Option<(u64, String)> {
        let tag = self.tag.clone().filter(|_| self.url == *url && self.can_continue() && self.vain < VAIN)?;
        Some((self.done, tag))
    }

    /// Whether a response contains the rest of the same file (RFC 9110 section 15.3.7). A server may send less than was
    /// requested, and a server that ignores If-Range sends the rest of a changed file.
    pub fn fits(&self, response: &Response) -> bool {
        response.tag == self.tag && response.length == self.total.map(|total| total - self.done)
    }

    /// Adds the next bytes and returns a buffer to fill.
    pub fn take(&mut self, tried: &str, buffer: Vec<u8>) -> Result<Vec<u8>, Failure> {
        let done = self.done + buffer.len() as u64;
        // A server without a length may send for ever.
        if self.wanted.bytes.is_some_and(|bytes| done > bytes) {
            self.wanted.check(tried, done)?;
        }
        self.file.write_all(&buffer).map_err(|error| memory(tried, &cannot_write(&error)))?;
        self.done = done;
        match &mut self.hasher {
            Some(hasher) => hasher.update(buffer),
            None => Ok(buffer),
        }
    }

    /// Turns the complete part into a layer.
    pub fn whole(mut self, tried: &str) -> Result<LayerFile, Failure> {
        self.wanted.check(tried, self.done)?;
        // The padding is not included in the layer's length and hash.
        self.file
            .write_all(&padded::zeros(self.done))
            .map_err(|error| memory(tried, &cannot_write(&error)))?;
        let backing = self.file.backing().map_err(|error| memory(tried, &error))?;
        let sha256 = self.hasher.map(Hasher::finish).transpose()?;
        self.wanted.compare(tried, sha256)?;
        Ok(LayerFile { backing, bytes: self.done, sha256, origin: tried.to_owned() })
    }
}

fn memory(tried: &str, error: &SysError) -> Failure {
    Failure::from_sys(Code::ImageTooLarge, tried, error)
}

/// The error if the image cannot be written to memory.
pub fn cannot_write(error: &std::io::Error) -> SysError {
    SysError::from_io("write", "the image in memory", error)
}
