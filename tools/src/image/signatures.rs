//! Signature files beside a manifest. A node asks for `MANIFEST.KEYID.minisig` for each of its keys, then for `MANIFEST.minisig`,
//! which is also the name that minisign itself looks for.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use dayfly_formats::minisign::{KeyId, MOST, MinisignError, PublicKey, SUFFIX, Signature};

use super::layout::{read, read_if_there};

/// The signature file of one key.
pub fn path_of(manifest: &Path, key: KeyId) -> PathBuf {
    append(manifest, &key.suffix())
}

/// The signature file with the usual name.
pub fn usual_path(manifest: &Path) -> PathBuf {
    append(manifest, SUFFIX)
}

fn append(path: &Path, suffix: &str) -> PathBuf {
    let mut text = OsString::from(path);
    text.push(suffix);
    text.into()
}

/// The signature files of a manifest, sorted by name.
pub fn files(manifest: &Path) -> Result<Vec<PathBuf>> {
    let folder = manifest.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = manifest.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let failed = || format!("cannot list {}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(failed)? {
        let file = entry.with_context(failed)?.file_name();
        let is_one =
            file.to_str().and_then(|file| file.strip_prefix(&name)?.strip_suffix(SUFFIX)).is_some_and(
                // Nothing, or a key: not the signature of another manifest with a longer name.
                |key| key.is_empty() || (key.len() == 17 && key.starts_with('.')),
            );
        if is_one {
            found.push(folder.join(file));
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// Reads a signature file.
pub fn signature(path: &Path) -> Result<Signature> {
    let bytes = read(path, MOST)?;
    Signature::parse(&bytes).with_context(|| format!("{} is no signature", path.display()))
}

/// A public key, and the file that it is from, if it is from one.
#[derive(Debug)]
pub struct GivenKey {
    /// The key.
    pub key: PublicKey,
    /// Its file.
    pub file: Option<PathBuf>,
}

/// The key's number and its file.
impl fmt::Display for GivenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.key.id())?;
        self.file.as_ref().map_or(Ok(()), |file| write!(f, " ({})", file.display()))
    }
}

/// Checks the signatures of a manifest: at least `threshold` of the keys must have signed it. Returns a line for each signature.
pub fn check(manifest: &Path, bytes: &[u8], keys: &[GivenKey], threshold: usize) -> Result<Vec<String>> {
    let (mut good, mut lines) = (Vec::new(), Vec::new());
    for given in keys {
        match check_key(manifest, bytes, &given.key) {
            Ok(line) => {
                lines.push(format!("  key {given}: good"));
                good.push(line);
            }
            Err(error) => lines.push(format!("  key {given}: {error:#}")),
        }
    }
    if good.len() < threshold {
        bail!(
            "{} is signed with {} of the keys, but {threshold} must have signed it:\n{}",
            manifest.display(),
            good.len(),
            lines.join("\n")
        );
    }
    Ok(good)
}

/// Checks the signature of one key, and returns a line about it. The file with the usual name counts if the key's own file does not fit, so that a reader is
/// right in the moment in which a new version replaces its files.
pub fn check_key(manifest: &Path, bytes: &[u8], key: &PublicKey) -> Result<String> {
    let mut wrong = None;
    for path in [path_of(manifest, key.id()), usual_path(manifest)] {
        let Some(text) = read_if_there(&path, MOST)? else { continue };
        match Signature::parse(&text).and_then(|signature| key.verify(bytes, &signature).map(|()| signature))
        {
            Ok(signature) => {
                let comment: String =
                    signature.trusted_comment().chars().flat_map(char::escape_debug).collect();
                return Ok(format!("signed with {} ({}): {comment}", key.id(), path.display()));
            }
            Err(error) => {
                // The number is not checked with the key, so one that was copied wrongly looks like a change.
                let error = match error {
                    MinisignError::Mismatch => {
                        anyhow!("it does not fit: the key, the file or the signature was changed")
                    }
                    other => anyhow!(other),
                };
                wrong.get_or_insert(Err(error).with_context(|| format!("cannot accept {}", path.display())));
            }
        }
    }
    wrong.unwrap_or_else(|| bail!("there is no signature of it"))
}
