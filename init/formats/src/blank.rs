//! Whether a disk is blank: nothing that anybody may still want lies on it, as far as a bounded look can tell.
//!
//! A disk is read where every kind of file system, partition table, volume manager and RAID keeps its superblocks and their
//! copies ([`places`]), and at samples all over it. One byte that is not zero, or one that cannot be read, and it is not
//! blank. What is recognized there only gives the refusal its words: the decision does not depend on it.
//!
//! What a look at samples can miss: data without any structure that is known, in less than the distance of two samples, on
//! a disk whose beginning, end and copies of superblocks are all zero.

mod places;
mod remains;

use std::fmt;

pub use places::{Place, places};

/// The most that is read of a disk, in bytes; see the test of the places.
pub const MOST_BYTES: u64 = 64 << 20;
/// The most reads.
pub const MOST_READS: usize = 1600;

/// Why a disk is not blank, or not known to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotBlank<E> {
    /// It was not read there.
    Unreadable {
        /// Where.
        offset: u64,
        /// Why.
        error: E,
    },
    /// It has less than it says.
    Short {
        /// Where it ended.
        offset: u64,
    },
    /// Something that is known.
    Holds {
        /// Where.
        offset: u64,
        /// What, with an article; a label, where it has one.
        what: String,
    },
    /// Bytes that are not zero.
    Data {
        /// Where the first of them is.
        offset: u64,
        /// It, and up to seven after it.
        bytes: Vec<u8>,
    },
}

impl<E: fmt::Display> fmt::Display for NotBlank<E> {
    /// Follows the disk's name in a sentence.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { offset, error } => {
                write!(f, "cannot be read at byte {offset}, so what is there is not known: {error}")
            }
            Self::Short { offset } => {
                write!(f, "ends at byte {offset}, before the size that it has by its own account")
            }
            Self::Holds { offset, what } => write!(f, "has {what} on it, at byte {offset}"),
            Self::Data { offset, bytes } => {
                write!(f, "has data on it, at byte {offset}:")?;
                bytes.iter().try_for_each(|byte| write!(f, " {byte:02x}"))
            }
        }
    }
}

/// Looks at a disk of `len` bytes. `read` gives so many bytes at an offset, fewer only at the disk's end; `seed` is where
/// some of the samples come from, and should be another one each time.
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

/// What speaks against a disk of `len` bytes by the bytes that it has at an offset.
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
