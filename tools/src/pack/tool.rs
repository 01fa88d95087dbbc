//! Programs of the host: their paths, the packages that have them, and their output when they fail.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

/// Folders to search beside `$PATH`: mkfs is not in a user's path, and Red Hat installs QEMU outside of it.
const MORE_FOLDERS: &[&str] = &["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/libexec"];

/// A program and the packages that have it.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// Its names, the best first.
    pub names: &'static [&'static str],
    /// What it is needed for, to end the sentence "… is needed to …".
    purpose: &'static str,
    /// Debian's and Ubuntu's package.
    debian: &'static str,
    /// Fedora's package.
    fedora: &'static str,
}

/// Runs the machine.
pub const QEMU: Tool = Tool {
    names: &["qemu-system-x86_64", "qemu-kvm"],
    purpose: "run the machine",
    debian: "qemu-system-x86",
    fedora: "qemu-system-x86-core",
};
/// Makes an image of a folder or an archive.
pub const MKSQUASHFS: Tool = Tool {
    names: &["mksquashfs"],
    purpose: "make an image of it",
    debian: "squashfs-tools",
    fedora: "squashfs-tools",
};
/// Makes an erofs of a folder.
pub const MKFS_EROFS: Tool = Tool {
    names: &["mkfs.erofs"],
    purpose: "make an image of it",
    debian: "erofs-utils",
    fedora: "erofs-utils",
};
/// Takes files out of a squashfs.
pub const UNSQUASHFS: Tool = Tool {
    names: &["unsquashfs"],
    purpose: "look for a kernel in the image",
    debian: "squashfs-tools",
    fedora: "squashfs-tools",
};
/// Takes files out of an erofs.
pub const FSCK_EROFS: Tool = Tool {
    names: &["fsck.erofs"],
    purpose: "look for a kernel in the image",
    debian: "erofs-utils",
    fedora: "erofs-utils",
};
/// Makes a state disk.
pub const MKFS_EXT4: Tool =
    Tool { names: &["mkfs.ext4"], purpose: "make the state disk", debian: "e2fsprogs", fedora: "e2fsprogs" };

impl Tool {
    /// The program's path, or an error that names its packages.
    pub fn find(self) -> Result<PathBuf> {
        let path = env::var_os("PATH").unwrap_or_default();
        let folders: Vec<PathBuf> =
            env::split_paths(&path).chain(MORE_FOLDERS.iter().map(PathBuf::from)).collect();
        self.find_in(&folders).ok_or_else(|| anyhow!(self.missing()))
    }

    fn find_in(self, folders: &[PathBuf]) -> Option<PathBuf> {
        let places = self.names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
        places.into_iter().find(|place| place.is_file())
    }

    fn missing(self) -> String {
        let (name, purpose) = (self.names.first().copied().unwrap_or_default(), self.purpose);
        let packages = if self.debian == self.fedora {
            format!("the package {} has it", self.debian)
        } else {
            format!("Debian and Ubuntu have it in {}, Fedora in {}", self.debian, self.fedora)
        };
        let (debian, fedora) = (self.debian, self.fedora);
        format!(
            "{name} is needed to {purpose}, and is not installed; {packages}: \
             \"sudo apt-get install {debian}\", \"sudo dnf install {fedora}\""
        )
    }

    /// Runs the program with these arguments. An error has its output.
    pub fn call<A: AsRef<OsStr>>(self, arguments: impl IntoIterator<Item = A>) -> Result<()> {
        let program = self.find()?;
        let mut command = Command::new(&program);
        command.args(arguments);
        call(&program, &mut command).map(drop)
    }
}

/// Runs a command and returns its standard output.
pub fn call(program: &Path, command: &mut Command) -> Result<String> {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    let output = command.output().with_context(|| format!("cannot start {}", program.display()))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("{name} failed ({}):\n{}", output.status, last_lines(&String::from_utf8_lossy(&said)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The last lines of a program's output, enough to see the cause.
pub fn last_lines(said: &str) -> String {
    let lines: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).collect();
    let first = lines.len().saturating_sub(12);
    lines.get(first..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_wins_and_what_is_missing_has_a_package() {
        let (one, two) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let folders = [one.path().to_owned(), two.path().to_owned()];
        assert_eq!(QEMU.find_in(&folders), None);
        std::fs::write(one.path().join("qemu-kvm"), "").expect("a file");
        assert_eq!(QEMU.find_in(&folders), Some(one.path().join("qemu-kvm")));
        std::fs::write(two.path().join("qemu-system-x86_64"), "").expect("a file");
        assert_eq!(QEMU.find_in(&folders), Some(two.path().join("qemu-system-x86_64")));
        for (tool, words) in [
            (
                QEMU,
                "qemu-system-x86_64 is needed to run the machine, and is not installed; Debian and Ubuntu have it in qemu-system-x86,",
            ),
            (MKSQUASHFS, "the package squashfs-tools has it: \"sudo apt-get install squashfs-tools\""),
        ] {
            assert!(tool.missing().contains(words), "{}", tool.missing());
        }
    }

    #[test]
    fn a_failure_has_the_programs_last_words() {
        let failed = call(Path::new("/bin/sh"), Command::new("/bin/sh").args(["-c", "echo no; exit 3"]));
        let failed = failed.expect_err("it fails").to_string();
        assert!(failed.contains("sh failed") && failed.ends_with("no"), "{failed}");
    }
}
