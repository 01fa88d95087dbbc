//! Checks whether a disk is blank, so that it can be formatted without loss of data, as far as a limited number of
//! reads can tell.
//!
//! The check reads all locations where file systems, partition tables, volume managers and RAIDs store superblocks and
//! their copies ([`places`]), and samples of the whole disk. If one byte is not zero or cannot be read, the disk is not
//! blank. Recognized signatures only make the message more precise; the decision does not depend on them.
//!
//! Samples can miss data without any known structure that is shorter than the distance of two samples, on a disk whose
//! beginning, end and copies of superblocks are all zero.

mod places;
mod remains;

use std::fmt;

pub use places::{Place, places};

/// Limit for the bytes read from a disk. A test checks it for [`places`].
pub const MOST_BYTES: u64 = 64 << 20;
/// Limit for the number of reads.
pub const MOST_READS: usize = 1600;

/// Why a disk is not blank, or why that is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotBlank<E> {
    /// A read failed.
    Unreadable {
        /// The offset.
        offset: u64,
        /// Why.
        error: E,
    },
    /// The disk is shorter than its size says.
    Short {
        /// The offset of its end.
        offset: u64,
    },
    /// A known signature.
    Holds {
        /// The offset.
        offset: u64,
        /// What it is, with an article, and its label if there is one.
        what: String,
    },
    /// Bytes that are not zero.
    Data {
        /// The offset of the first one.
        offset: u64,
        /// This byte, and up to seven after it.
        bytes: Vec<u8>,
    },
}

impl<E: fmt::Display> fmt::Display for NotBlank<E> {
    /// The rest of a sentence after the name of the disk.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { offset, error } => {
                write!(f, "cannot be read at byte {offset}, so its contents are unknown: {error}")
            }
            Self::Short { offset } => {
                write!(f, "ends at byte {offset}, before its reported size")
            }
            Self::Holds { offset, what } => write!(f, "has {what} on it, at byte {offset}"),
            Self::Data { offset, bytes } => {
                write!(f, "has data on it, at byte {offset}:")?;
                bytes.iter().try_for_each(|byte| write!(f, " {byte:02x}"))
            }
        }
    }
}

/// Checks a disk of `len` bytes. `read` returns the requested number of bytes at an offset, or fewer at the end of the
/// disk. `seed` selects the random samples and should differ for each call.
pub fn check<E>(
    len: u64,
    seed: u64,
    mut read: impl FnMut(u64, usize) -> Result<Vec<u8>, E>,
) -> Result<(), NotBlank<E>> {
    for place in places(len, seed) {
        let Place { offset, len: wanted } = place;
        let bytes = read(offset, wanted).map_err(|error| NotBlank::Unreadable { offset, error })?;
        if let Some(not_blank) = judge(len, offset, &bytes) {
            return Err(not_blank);
        }
        if bytes.len() < wanted {
            return Err(NotBlank::Short { offset: offset.saturating_add(bytes.len() as u64) });
        }
    }
    Ok(())
}

/// Checks the bytes at an offset of a disk of `len` bytes. Returns why the disk is not blank.
pub fn judge<E>(len: u64, offset: u64, bytes: &[u8]) -> Option<NotBlank<E>> {
    let first = bytes.iter().position(|byte| *byte != 0)?;
    if let Some(found) = remains::find(len, offset, bytes) {
        return Some(NotBlank::Holds { offset: offset.saturating_add(found.at as u64), what: found.what });
    }
    let bytes = bytes.get(first..).unwrap_or_default().iter().take(8).copied().collect();
    Some(NotBlank::Data { offset: offset.saturating_add(first as u64), bytes })
}

#[cfg(test)]
mod tests;
