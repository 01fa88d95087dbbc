//! Files that boot servers hand out.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, bail};

/// Writes a temporary file beside the target and renames it, so that a boot server never sends half an image.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<()> {
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
    file.persist(path).with_context(failed)?;
    Ok(())
}
