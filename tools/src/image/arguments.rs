//! Arguments of a build: their syntax, and which folders may be given together.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use dayfly_formats::oci::ImageConfig;

/// The highest version: the highest whole number that every reader of JSON has exactly (RFC 8259, section 6).
pub const MOST_VERSION: u64 = (1 << 53) - 1;

/// The names of CPUs that Go has for Linux (`go tool dist list`); OCI uses the same.
const ARCHITECTURES: &[&str] = &[
    "386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle", "ppc64", "ppc64le",
    "riscv64", "s390x",
];

/// Reads the number of a version.
pub fn version(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|version| (1..=MOST_VERSION).contains(version)).ok_or_else(|| {
        format!(
            "a version is a whole number from 1 to {MOST_VERSION}; a version such as 1.2 fits into --notes"
        )
    })
}

/// Reads the name of a CPU; takes the kernel's names x86_64 and aarch64 as well.
pub fn architecture(text: &str) -> Result<String, String> {
    let name = ImageConfig::architecture_of(text);
    if ARCHITECTURES.contains(&name) {
        return Ok(name.to_owned());
    }
    Err(format!("unknown architecture; there are {}", ARCHITECTURES.join(", ")))
}

/// Reads the release of a kernel.
pub fn kernel(text: &str) -> Result<String, String> {
    let is_release =
        !text.is_empty() && text.len() <= 128 && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_release {
        return Ok(text.to_owned());
    }
    Err("a kernel's release has 1 to 128 characters of ASCII and no blanks, as `uname -r` prints it"
        .to_owned())
}

/// Refuses an output folder that is a source, lies in one, or has one in it: a build would pack what it writes, or what it wrote
/// before.
pub fn check_apart(sources: &[PathBuf], output: &Path) -> Result<()> {
    let to = real(output);
    for source in sources.iter().filter(|source| source.is_dir()) {
        let from = real(source);
        if to.starts_with(&from) || from.starts_with(&to) {
            bail!(
                "--output {} ({}) and the source {} ({}) are the same folder, or one is in the other; choose a folder beside the source",
                output.display(),
                to.display(),
                source.display(),
                from.display()
            );
        }
    }
    Ok(())
}

/// A path with its links resolved, as far as it exists.
fn real(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    for folder in absolute.ancestors() {
        if let (Ok(real), Ok(rest)) = (folder.canonicalize(), absolute.strip_prefix(folder)) {
            // A join with nothing would add a slash.
            return if rest.as_os_str().is_empty() { real } else { real.join(rest) };
        }
    }
    absolute
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_exact_and_known() {
        assert_eq!(version("9007199254740991"), Ok(MOST_VERSION));
        for text in ["0", "9007199254740992", "1.2", "-1", ""] {
            assert!(version(text).is_err(), "{text}");
        }
        for (text, name) in
            [("x86_64", "amd64"), ("aarch64", "arm64"), ("riscv64", "riscv64"), ("386", "386")]
        {
            assert_eq!(architecture(text).as_deref(), Ok(name));
        }
        for text in ["x86-64", "AMD64", "", "x y"] {
            assert!(architecture(text).is_err(), "{text}");
        }
        assert_eq!(kernel("6.1.0-9-amd64").as_deref(), Ok("6.1.0-9-amd64"));
        for text in ["", "6 1", "6.1\n"] {
            assert!(kernel(text).is_err(), "{text}");
        }
    }

    #[test]
    fn folders_lie_apart() {
        let desk = tempfile::tempdir().expect("a folder");
        let path = |name: &str| desk.path().join(name);
        std::fs::create_dir_all(path("a/b")).expect("folders");
        std::os::unix::fs::symlink("a", path("link")).expect("a link");
        for (source, output, is_fine) in [
            ("a", "www", true),
            ("a", "ab", true),
            ("a", "a", false),
            ("a", "a/new/www", false),
            ("a", "link/www", false),
            ("a/b", "a", false),
            ("missing", "missing", true),
        ] {
            let checked = check_apart(&[path(source)], &path(output));
            assert_eq!(checked.is_ok(), is_fine, "{source} {output}: {checked:?}");
        }
    }
}
