//! Files that boot servers hand out, and standard output.

use std::fmt::Arguments;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Prints a line to standard output. Unlike `println!` it ends with an error when standard output cannot be written.
macro_rules! say {
    ($($text:tt)*) => { $crate::output::print(format_args!("{}\n", format_args!($($text)*))) };
}
pub(crate) use say;

/// Prints a text to standard output.
pub fn print(text: Arguments<'_>) -> Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_fmt(text).and_then(|()| stdout.flush()).context("cannot write to standard output")
}

/// Writes a temporary file beside the target and renames it, so that a boot server never sends half an image.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
    write(path, bytes, false)
}

/// Writes a file like [`write_whole`], and waits until the disk has the bytes and the name.
pub fn write_synced(path: &Path, bytes: &[u8]) -> Result<()> {
    write(path, bytes, true)
}

fn write(path: &Path, bytes: &[u8], is_synced: bool) -> Result<()> {
    let failed = || format!("cannot write {}", path.display());
    if path.is_dir() {
        bail!("--output {}: it is a folder; name the file to write", path.display());
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut file = tempfile::Builder::new()
        .prefix(".dayfly-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder)
        .with_context(failed)?;
    file.write_all(bytes).with_context(failed)?;
    if is_synced {
        file.as_file().sync_all().with_context(failed)?;
    }
    file.persist(path).with_context(failed)?;
    if is_synced {
        File::open(folder).and_then(|folder| folder.sync_all()).with_context(failed)?;
    }
    Ok(())
}
