//! A folder of built files, each named by the hash of everything it was built from. Building a newer version removes versions that
//! have been unused for some time.

use std::{
    env, fs,
    io::Read,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result};
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};

/// How long to keep an unused version: checkouts of several branches alternate in one cache.
const KEPT: Duration = Duration::from_secs(14 * 24 * 3600);

/// Makes the name of a cached file. Feed it every input, then ask for [`Key::hex`].
#[derive(Debug, Clone, Default)]
pub struct Key(Sha256);

impl Key {
    /// An empty key.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one input. Lengths are hashed too, so that moving a byte from one input to the next gives another key.
    pub fn with(mut self, input: impl AsRef<[u8]>) -> Self {
        let input = input.as_ref();
        self.0.update((input.len() as u64).to_le_bytes());
        self.0.update(input);
        self
    }

    /// The first 16 hexadecimal digits of the SHA-256.
    pub fn hex(self) -> String {
        hex(&self.0.finalize()[..8])
    }
}

/// The SHA-256 of a file, as 64 hexadecimal digits.
pub fn sha256_file(path: &Path) -> Result<String> {
    let mut file =
        fs::File::open(path).with_context(|| format!("cannot open {} to hash it", path.display()))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let length = file.read(&mut buffer).with_context(|| format!("cannot read {}", path.display()))?;
        if length == 0 {
            break;
        }
        hash.update(&buffer[..length]);
    }
    Ok(hex(&hash.finalize()))
}

/// Where the hash of a cached file is stored, beside it.
pub(crate) fn hash_note(path: &Path) -> PathBuf {
    path.with_extension("sha256")
}

/// Lower-case hexadecimal digits of `bytes`.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

/// The cache folder: `$DAYFLY_CACHE`, else `~/.cache/dayfly`.
#[derive(Debug, Clone)]
pub struct Cache {
    dir: PathBuf,
}

impl Cache {
    /// Opens the cache, and makes its folder if necessary.
    pub fn open() -> Result<Self> {
        let dir = match (env::var_os("DAYFLY_CACHE"), env::var_os("HOME")) {
            (Some(dir), _) => PathBuf::from(dir),
            (None, Some(home)) => PathBuf::from(home).join(".cache/dayfly"),
            (None, None) => {
                anyhow::bail!("neither DAYFLY_CACHE nor HOME is set: there is no folder for the cache")
            }
        };
        fs::create_dir_all(&dir)
            .with_context(|| format!("cannot make the cache folder {}", dir.display()))?;
        Ok(Self { dir })
    }

    /// The folder itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The path of `name` as built from `key`, if it was built.
    pub fn find(&self, name: &str, key: Key) -> Option<PathBuf> {
        Some(self.path(name, key)).filter(|path| mark_used(path))
    }

    fn path(&self, name: &str, key: Key) -> PathBuf {
        let (stem, ext) = split(name);
        self.dir.join(format!("{stem}-{}{ext}", key.hex()))
    }

    /// The path of `name` as built from `key`. If it does not exist, `build` makes it at the path that it gets, in this folder, so that
    /// a rename completes it. Processes that want the same file at the same time wait for the first. `name` is `stem.ext`.
    pub fn get(&self, name: &str, key: Key, build: impl FnOnce(&Path) -> Result<()>) -> Result<PathBuf> {
        let (stem, ext) = split(name);
        let path = self.path(name, key);
        if mark_used(&path) {
            return Ok(path);
        }
        let lock = fs::File::create(self.dir.join(format!("{name}.lock")))
            .context("cannot make a lock in the cache")?;
        flock(&lock, FlockOperation::LockExclusive).context("cannot lock the cache")?;
        if mark_used(&path) {
            return Ok(path);
        }
        let building = self.dir.join(format!("{stem}.building{ext}"));
        discard(&building)?;
        build(&building).with_context(|| format!("cannot build {name}"))?;
        fs::rename(&building, &path).with_context(|| format!("cannot move {name} into the cache"))?;
        // An unpacked file may have the old time from its archive, and would be removed at once.
        mark_used(&path);
        self.forget_unused(stem, &ext);
        Ok(path)
    }

    /// Removes the versions of a file that have been unused for long. One that cannot be removed only takes space.
    fn forget_unused(&self, stem: &str, ext: &str) {
        let is_version = |name: &str| {
            let key = name.strip_prefix(stem).and_then(|rest| rest.strip_prefix('-')?.strip_suffix(ext));
            key.is_some_and(|key| key.len() == 16 && key.bytes().all(|byte| byte.is_ascii_hexdigit()))
        };
        let is_old = |entry: &fs::DirEntry| {
            let used = entry.metadata().and_then(|found| found.modified());
            used.is_ok_and(|used| used.elapsed().is_ok_and(|age| age > KEPT))
        };
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(is_version) && is_old(&entry) {
                // The hash first: if it outlived its image, it would be taken for the hash of the next image that is built from this key.
                let _ = discard(&hash_note(&entry.path())).and_then(|()| discard(&entry.path()));
            }
        }
    }
}

/// Whether the file exists. Sets its time of last change to now, which records its use.
fn mark_used(path: &Path) -> bool {
    let Ok(file) = fs::File::open(path) else { return false };
    // If the time cannot be set, the file may be built again some day.
    let _ = file.set_times(fs::FileTimes::new().set_modified(SystemTime::now()));
    true
}

/// `stem.ext` as `stem` and `.ext`; a name without a dot has no ext.
fn split(name: &str) -> (&str, String) {
    name.split_once('.').map_or((name, String::new()), |(stem, ext)| (stem, format!(".{ext}")))
}

/// Removes a file or a whole tree, if it exists.
fn discard(path: &Path) -> Result<()> {
    let done = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match done {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove the left-over {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_tell_inputs_apart() {
        let ab_c = Key::new().with("ab").with("c").hex();
        assert_eq!(ab_c, Key::new().with("ab").with("c").hex());
        assert_ne!(ab_c, Key::new().with("a").with("bc").hex());
        assert_eq!(ab_c.len(), 16);
    }

    #[test]
    fn builds_once_and_keeps_nothing_of_a_failure() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache { dir: dir.path().to_owned() };
        let failed = cache.get("a.txt", Key::new(), |path| {
            fs::write(path, "half")?;
            anyhow::bail!("no")
        });
        assert!(failed.is_err());
        assert_eq!(cache.find("a.txt", Key::new()), None);
        let path = cache.get("a.txt", Key::new(), |path| Ok(fs::write(path, "whole")?)).unwrap();
        let again = cache.get("a.txt", Key::new(), |_| panic!("built twice")).unwrap();
        assert_eq!(cache.find("a.txt", Key::new()).as_ref(), Some(&path));
        assert_eq!(path, again);
        assert_eq!(fs::read_to_string(again).unwrap(), "whole");
    }

    #[test]
    fn what_was_built_with_an_old_time_stays() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache { dir: dir.path().to_owned() };
        let built = cache.get("a.tree", Key::new(), |path| {
            fs::create_dir(path)?;
            let times = fs::FileTimes::new().set_modified(SystemTime::UNIX_EPOCH);
            Ok(fs::File::open(path)?.set_times(times)?)
        });
        assert!(built.unwrap().exists());
    }

    #[test]
    fn a_new_version_ends_those_that_nobody_uses() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache { dir: dir.path().to_owned() };
        let version = |name: &str, number: &str| {
            let build = |path: &Path| Ok(fs::create_dir(path)?);
            cache.get(name, Key::new().with(number), build).unwrap()
        };
        let (unused, used, other) =
            (version("a.tree", "1"), version("a.tree", "2"), version("a-b.tree", "1"));
        fs::write(hash_note(&unused), "of the old one").unwrap();
        let long_ago = SystemTime::now() - KEPT - Duration::from_secs(60);
        for path in [&unused, &used, &other] {
            let times = fs::FileTimes::new().set_modified(long_ago);
            fs::File::open(path).unwrap().set_times(times).unwrap();
        }
        assert_eq!(version("a.tree", "2"), used);
        let new = version("a.tree", "3");
        assert!(!unused.exists() && !hash_note(&unused).exists());
        assert!(used.exists() && new.exists() && other.exists());
    }
}
