//! A folder to work in, and trees for images.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// A temporary folder, in which the commands run.
pub struct Desk(TempDir);

/// The same bytes in every run, which cannot be compressed: xorshift64.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(length).collect()
}

impl Desk {
    pub fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// A root folder with packages of Debian, each with as many files of 20 kB. Their contents depend on the names.
    pub fn tree(&self, name: &str, packages: &[&str], files: u64) {
        let root = self.path(name);
        for folder in ["etc", "proc/1", "var/lib/dpkg/info"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::write(root.join("proc/.hidden"), "of the host").unwrap();
        fs::write(root.join("etc/hostname"), "node\n").unwrap();
        for package in packages {
            let folder = root.join("usr/lib").join(package);
            fs::create_dir_all(&folder).unwrap();
            let mut list = String::from("/.\n/usr\n/usr/lib\n");
            for file in 0..files {
                let seed = package
                    .bytes()
                    .fold(file + 1, |seed, byte| seed.wrapping_mul(131).wrapping_add(byte.into()));
                fs::write(folder.join(file.to_string()), noise(seed, 20_000)).unwrap();
                writeln!(list, "/usr/lib/{package}/{file}").unwrap();
            }
            fs::write(root.join(format!("var/lib/dpkg/info/{package}.list")), list).unwrap();
        }
    }

    /// `dayfly image` with arguments.
    pub fn dayfly(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dayfly"));
        command.arg("image").args(args).current_dir(self.0.path()).env_remove("SOURCE_DATE_EPOCH");
        command
    }

    /// Runs `dayfly image`, which must succeed, and returns its standard output.
    pub fn ok(&self, args: &[&str]) -> String {
        succeeded(&self.dayfly(args).output().expect("the binary was built"), &args.join(" "))
    }

    /// Runs `dayfly image`, which must fail, and returns its standard error.
    pub fn refused(&self, args: &[&str]) -> String {
        let output = self.dayfly(args).output().expect("the binary was built");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            !output.status.success(),
            "{args:?} succeeded: {}{said}",
            String::from_utf8_lossy(&output.stdout)
        );
        said
    }

    /// Runs a shell command, which must succeed, and returns its standard output.
    pub fn shell(&self, script: &str) -> String {
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", script])
            .current_dir(self.0.path())
            .output()
            .expect("bash");
        succeeded(&output, script)
    }

    /// The path of the blob whose digest is at a place of a manifest.
    pub fn blob(&self, manifest: &str, pointer: &str) -> PathBuf {
        let path = self.path(manifest);
        let json: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        let digest = json.pointer(pointer).and_then(serde_json::Value::as_str).expect("a digest");
        path.parent().unwrap_or(Path::new(".")).join("blobs").join(digest.replace(':', "/"))
    }
}

fn succeeded(output: &Output, what: &str) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{what}: {}\n{out}{err}", output.status);
    out.into_owned()
}
