//! SSH host keys: each node has its own, and they are the same at each boot if a disk can store them.

use std::time::Duration;

use dayfly_plan::{Code, HostKeys};
use dayfly_sys::{Cause, FileKind, SysError, TreePath};

use crate::Failure;
use crate::context::{Context, Done};
use crate::events::Level;
use crate::os;
use crate::trees::{OS, kept as kept_by_dayfly};

/// The directory of sshd (sshd_config(5), `HostKey`).
const SSH: &str = "/etc/ssh";
/// Every SSH client of the last ten years supports both. Generating an RSA key would take longer than the rest of the
/// boot.
const TYPES: [&str; 2] = ["ed25519", "ecdsa"];
/// Time limit for generating one key.
const LIMIT: Duration = Duration::from_secs(20);

/// The most files in a set of keys, and the most bytes of each.
const MOST_FILES: usize = 32;
const MOST_BYTES: u64 = 64 << 10;
/// errno(3).
const EFBIG: i32 = 27;

/// A file of a set of keys.
struct KeyFile {
    name: String,
    bytes: Vec<u8>,
}

impl KeyFile {
    fn mode(&self) -> u32 {
        if is_public(&self.name) { 0o644 } else { 0o600 }
    }
}

fn is_public(name: &str) -> bool {
    name.strip_suffix(".pub").is_some()
}

/// Installs host keys, if the image has sshd.
pub fn make(cx: &Context, policy: HostKeys) -> Result<Done, Failure> {
    let failed = |error| Failure::from_sys(Code::NodeHostKeys, "install ssh host keys", &error);
    if !os::has_program(&*cx.sys, "sshd").map_err(failed)? {
        return Ok(Done::with("the image has no sshd"));
    }
    let folder = OS.at(SSH);
    let baked = private_keys(cx, &folder).map_err(failed)?;
    let keeps = policy == HostKeys::Persistent && cx.known.state.is_some();
    let (set, origin) = if keeps {
        if let Some(set) = kept(cx) {
            (set, "from the state disk")
        } else {
            let set = generate(cx, &folder)?;
            match keep(cx, &set) {
                Ok(()) => (set, "new, stored on the state disk"),
                Err(error) => {
                    let tried = "store the ssh host keys on the state disk";
                    cx.tolerate(&Failure::from_sys(Code::NodeHostKeys, tried, &error));
                    (set, "new, for this boot only")
                }
            }
        }
    } else if policy == HostKeys::Persistent && !baked.is_empty() {
        let text = "there is no state disk: using the image's ssh host keys, which are the same on every node with this image";
        cx.note(Level::Warning, text);
        return Ok(Done::with(format!("from the image: {}", baked.join(" "))));
    } else {
        (generate(cx, &folder)?, "new, for this boot only")
    };
    if policy == HostKeys::Persistent && !keeps {
        cx.note(Level::Warning, "there is no state disk: the ssh host keys change at each boot");
    }
    put(cx, &folder, &set).map_err(failed)?;
    let names: Vec<&str> =
        set.iter().filter(|key| !is_public(&key.name)).map(|key| key.name.as_str()).collect();
    Ok(Done::with(format!("{}: {origin}", names.join(" "))))
}

/// The private keys in a directory.
fn private_keys(cx: &Context, folder: &TreePath) -> Result<Vec<String>, SysError> {
    let files = host_key_files(cx, folder)?;
    Ok(files.into_iter().filter(|name| !is_public(name)).collect())
}

fn host_key_files(cx: &Context, folder: &TreePath) -> Result<Vec<String>, SysError> {
    let entries = match cx.sys.list(folder) {
        Ok(entries) => entries,
        Err(error) if error.is_not_found() => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let is_key = |name: &str| {
        name.strip_prefix("ssh_host_")
            .is_some_and(|rest| rest.ends_with("_key") || rest.ends_with("_key.pub"))
    };
    Ok(entries
        .into_iter()
        .filter(|entry| !entry.is_dir && is_key(&entry.name))
        .map(|entry| entry.name)
        .collect())
}

fn kept_folder() -> TreePath {
    kept_by_dayfly().join("ssh")
}

/// The keys on the state disk; `None` if there are none or if one is damaged.
fn kept(cx: &Context) -> Option<Vec<KeyFile>> {
    let folder = kept_folder();
    let set = match host_key_files(cx, &folder).and_then(|names| read(cx, &folder, &names)) {
        Ok(set) => set,
        Err(error) => {
            cx.note(
                Level::Warning,
                format!("generating new host keys instead of those on the state disk: {error}"),
            );
            return None;
        }
    };
    if set.is_empty() {
        return None;
    }
    if let Some(broken) = set.iter().find(|key| !is_whole(key)) {
        let text = format!("{} on the state disk is damaged: generating new host keys", broken.name);
        cx.note(Level::Warning, text);
        return None;
    }
    Some(set)
}

fn is_whole(key: &KeyFile) -> bool {
    let text = String::from_utf8_lossy(&key.bytes);
    is_public(&key.name) || (text.starts_with("-----BEGIN ") && text.trim_end().ends_with("PRIVATE KEY-----"))
}

/// Reads a set of keys. The number and the size of the files are limited, because the state disk is not trusted.
fn read(cx: &Context, folder: &TreePath, names: &[String]) -> Result<Vec<KeyFile>, SysError> {
    let too_large =
        |path: &TreePath, words: String| SysError::new("read", path.to_string(), Cause::Errno(EFBIG), words);
    if names.len() > MOST_FILES {
        let words = format!("it has {} ssh host keys, at most {MOST_FILES} are expected", names.len());
        return Err(too_large(folder, words));
    }
    let file = |name: &String| {
        let path = folder.join(name);
        match cx.sys.inspect(&path)? {
            Some(FileKind::File(bytes)) if bytes > MOST_BYTES => {
                Err(too_large(&path, format!("it has {bytes} bytes, a key has at most {MOST_BYTES}")))
            }
            _ => Ok(KeyFile { name: name.clone(), bytes: cx.sys.read(&path)? }),
        }
    };
    names.iter().map(file).collect()
}

/// Generates keys with the image's ssh-keygen, in a directory that only root can read.
fn generate(cx: &Context, ssh: &TreePath) -> Result<Vec<KeyFile>, Failure> {
    const FRESH: &str = ".dayfly-new";
    let fresh = ssh.join(FRESH);
    let failed = |error| Failure::from_sys(Code::NodeHostKeys, "generate ssh host keys", &error);
    cx.sys.remove_tree(&fresh).and_then(|()| cx.sys.make_dir(&fresh, 0o700)).map_err(failed)?;
    let mut last_failure = None;
    for kind in TYPES {
        let file = format!("{SSH}/{FRESH}/ssh_host_{kind}_key");
        let args = ["-q", "-t", kind, "-N", "", "-f", &file];
        let tried = format!("generate an ssh host key of the type {kind}");
        let failure = match cx.sys.run_in(OS, "ssh-keygen", &args, LIMIT.min(cx.left())) {
            Ok(output) if output.status == 0 => continue,
            Ok(output) => {
                let wrong = format!("ssh-keygen ended with {}: {}", output.status, output.text);
                Failure::new(Code::NodeHostKeys, tried, wrong)
            }
            Err(error) => Failure::from_sys(Code::NodeHostKeys, tried, &error),
        };
        cx.note(Level::Warning, format!("{}: {}", failure.tried, failure.wrong));
        last_failure = Some(failure);
    }
    let set = host_key_files(cx, &fresh).and_then(|names| read(cx, &fresh, &names));
    // The directory is in memory and readable only by root, so a failed removal does not disclose the keys.
    if let Err(error) = cx.sys.remove_tree(&fresh) {
        cx.note(Level::Warning, error.to_string());
    }
    match (set.map_err(failed)?, last_failure) {
        (set, Some(failure)) if set.is_empty() => Err(failure),
        (set, _) if set.is_empty() || !set.iter().all(is_whole) => Err(Failure::new(
            Code::NodeHostKeys,
            "generate ssh host keys",
            "ssh-keygen wrote no complete keys",
        )),
        (set, _) => Ok(set),
    }
}

/// Stores the keys on the state disk, all or none.
fn keep(cx: &Context, set: &[KeyFile]) -> Result<(), SysError> {
    let fresh = kept_by_dayfly().join("ssh.new");
    cx.sys.make_dir(&kept_by_dayfly(), 0o700)?;
    cx.sys.remove_tree(&fresh)?;
    cx.sys.make_dir(&fresh, 0o700)?;
    for key in set {
        cx.sys.write(&fresh.join(&key.name), &key.bytes, key.mode())?;
    }
    cx.sys.remove_tree(&kept_folder())?;
    cx.sys.rename(&fresh, &kept_folder())
}

/// Installs the keys in the OS and removes all other host keys, because every copy of the image contains the same
/// private keys.
fn put(cx: &Context, folder: &TreePath, set: &[KeyFile]) -> Result<(), SysError> {
    for name in host_key_files(cx, folder)? {
        if !set.iter().any(|key| key.name == name) {
            cx.sys.remove_tree(&folder.join(name))?;
        }
    }
    for key in set {
        cx.sys.write(&folder.join(&key.name), &key.bytes, key.mode())?;
    }
    Ok(())
}
