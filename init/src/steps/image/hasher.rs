//! Computes SHA-256 in parallel to the transfer, on another CPU if there is one. Then a boot takes the longer of the
//! two times instead of their sum.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use dayfly_plan::Code;
use sha2::{Digest, Sha256};

use crate::{Failure, threads};

/// The number of buffers: one is filled, one is hashed, one waits.
const BUFFERS: usize = 3;

/// A running hash. The owner passes full buffers and gets empty ones back.
pub enum Hasher {
    /// Computed on the owner's thread.
    Here(Box<Sha256>),
    /// Computed on its own thread.
    Beside(Beside),
}

/// The owner's end.
pub struct Beside {
    filled: Sender<Vec<u8>>,
    back: Receiver<Back>,
    /// How many more buffers may be allocated before the owner waits for one to come back.
    spare: usize,
}

enum Back {
    Buffer(Vec<u8>),
    Digest([u8; 32]),
    Failed(Failure),
}

impl Hasher {
    /// Starts a hash. A thread is used only if there is more than one CPU.
    pub fn start() -> Self {
        let alone = thread::available_parallelism().is_ok_and(|cpus| cpus.get() == 1);
        if alone { Self::here() } else { Self::beside().unwrap_or_else(Self::here) }
    }

    fn here() -> Self {
        Self::Here(Box::default())
    }

    fn beside() -> Option<Self> {
        let (filled, work) = channel::<Vec<u8>>();
        let (answers, back) = channel();
        let panicked = answers.clone();
        // If the owner is gone, the result is not needed.
        let on_panic = move |failure| drop(panicked.send(Back::Failed(failure)));
        let hash = move || {
            let mut hash = Sha256::new();
            for buffer in work {
                hash.update(&buffer);
                if answers.send(Back::Buffer(buffer)).is_err() {
                    return;
                }
            }
            // The owner may have failed in the meantime, so ignore the error.
            drop(answers.send(Back::Digest(hash.finalize().into())));
        };
        threads::start("hash", on_panic, hash).ok()?;
        Some(Self::Beside(Beside { filled, back, spare: BUFFERS - 1 }))
    }

    /// Hashes a buffer and returns a buffer to fill, with undefined contents.
    pub fn update(&mut self, buffer: Vec<u8>) -> Result<Vec<u8>, Failure> {
        match self {
            Self::Here(hash) => {
                hash.update(&buffer);
                Ok(buffer)
            }
            Self::Beside(beside) => {
                beside.filled.send(buffer).map_err(|_| lost())?;
                if beside.spare > 0 {
                    beside.spare -= 1;
                    return Ok(Vec::new());
                }
                match beside.back.recv() {
                    Ok(Back::Buffer(buffer)) => Ok(buffer),
                    Ok(Back::Failed(failure)) => Err(failure),
                    Ok(Back::Digest(_)) | Err(_) => Err(lost()),
                }
            }
        }
    }

    /// The hash of all bytes.
    pub fn finish(self) -> Result<[u8; 32], Failure> {
        match self {
            Self::Here(hash) => Ok(hash.finalize().into()),
            Self::Beside(Beside { filled, back, .. }) => {
                drop(filled);
                back.iter()
                    .find_map(|back| match back {
                        Back::Buffer(_) => None,
                        Back::Digest(digest) => Some(Ok(digest)),
                        Back::Failed(failure) => Some(Err(failure)),
                    })
                    .unwrap_or_else(|| Err(lost()))
            }
        }
    }
}

fn lost() -> Failure {
    Failure::new(Code::InitPanic, "hash the image", "the hash thread ended early")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_give_the_hash() {
        let pieces: Vec<Vec<u8>> = (0..20_u8).map(|piece| vec![piece; 1000 * usize::from(piece)]).collect();
        let wanted: [u8; 32] = Sha256::digest(pieces.concat()).into();
        for mut hasher in [Hasher::here(), Hasher::beside().unwrap(), Hasher::start()] {
            let mut buffer = Vec::new();
            for piece in &pieces {
                buffer.clear();
                buffer.extend_from_slice(piece);
                buffer = hasher.update(buffer).unwrap();
            }
            assert_eq!(hasher.finish().unwrap(), wanted);
        }
    }

    #[test]
    fn nothing_hangs_when_the_owner_leaves() {
        let mut hasher = Hasher::beside().unwrap();
        for _ in 0..10 {
            hasher.update(vec![0; 1 << 20]).unwrap();
        }
        drop(hasher);
    }
}
