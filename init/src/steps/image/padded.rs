//! Images whose length is not a multiple of the block size.
//!
//! A loop device exposes only the whole sectors of its file and drops the rest (drivers/block/loop.c, get_size).
//! squashfs reads blocks of 1024 or 4096 bytes (fs/squashfs/squashfs_fs.h, SQUASHFS_DEVBLK_SIZE). Therefore mksquashfs
//! pads to 4 KiB, unless -nopad is given or the padding was removed later.

use std::io::Write;
use std::path::Path;

use dayfly_plan::Code;
use dayfly_sys::{Backing, SysError, own};

use super::{fetch, part};
use crate::Failure;
use crate::context::Context;
use crate::events::Level;

/// The largest block that a file system reads.
const BLOCK: u64 = 4096;
const SECTOR: u64 = 512;
const CHUNK: usize = 1 << 20;

/// The zeros that pad a file of this length to a whole block.
pub fn zeros(bytes: u64) -> Vec<u8> {
    let missing = bytes.next_multiple_of(BLOCK) - bytes;
    vec![0; usize::try_from(missing).unwrap_or_default()]
}

/// Returns a padded copy of the image in memory if its length is not a whole number of blocks; `None` if it can be
/// mounted as it is. `need` is the length in the superblock.
pub fn to_blocks(
    cx: &Context,
    backing: &Backing,
    is_block: bool,
    bytes: u64,
    need: Option<u64>,
    tried: &str,
) -> Result<Option<Backing>, Failure> {
    // Images in memory were padded when they were fetched.
    let (Backing::Path(path), Some(need)) = (backing, need) else { return Ok(None) };
    let there = if is_block { device_size(cx, &path.outside()) } else { Some(bytes / SECTOR * SECTOR) };
    if there.is_none_or(|there| need.next_multiple_of(BLOCK) <= there) {
        return Ok(None);
    }
    if there.is_some_and(|there| is_block && there < need) {
        let wrong = format!(
            "its superblock says {need} bytes, but {} has only {}: it is truncated",
            path,
            there.unwrap_or_default()
        );
        return Err(Failure::new(Code::ImageFormat, tried, wrong));
    }
    fetch::check_room(cx, tried, need)?;
    let text = format!(
        "the length of {path} is not a multiple of {BLOCK} bytes, so it is copied into memory to be mounted. To avoid this, run `truncate -s %{BLOCK} IMAGE` before you install it"
    );
    cx.note(Level::Warning, text);
    let copied =
        copy(cx, backing, need).map_err(|error| Failure::from_sys(Code::ImageFormat, tried, &error))?;
    Ok(Some(copied))
}

fn copy(cx: &Context, from: &Backing, bytes: u64) -> Result<Backing, SysError> {
    let path = from.path();
    let mut file = cx.sys.ram_file("dayfly-image")?;
    let mut done = 0;
    while done < bytes {
        let want = usize::try_from(bytes - done).unwrap_or(CHUNK).min(CHUNK);
        let chunk = cx.sys.read_at(&path, done, want)?;
        if chunk.is_empty() {
            let early = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
            return Err(SysError::from_io("read", path.to_string(), &early));
        }
        file.write_all(&chunk).map_err(|error| part::cannot_write(&error))?;
        done += chunk.len() as u64;
    }
    file.write_all(&zeros(bytes)).map_err(|error| part::cannot_write(&error))?;
    file.backing()
}

/// The size of a disk or partition in bytes; `None` if it cannot be read.
pub fn device_size(cx: &Context, path: &Path) -> Option<u64> {
    let file = own("/sys/class/block").join(path.file_name()?).join("size");
    let text = cx.sys.read(&file).ok()?;
    let sectors: u64 = String::from_utf8_lossy(&text).trim().parse().ok()?;
    sectors.checked_mul(SECTOR)
}
