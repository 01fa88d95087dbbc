//! The programs, built from `qemu/kubernetes` and kept in the cache.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    cache::{Cache, Key},
    command::run,
};

/// Everything that the build reads, so that a change causes a new build.
pub(crate) const SOURCES: &str = concat!(
    include_str!("../../kubernetes/build"),
    include_str!("../../kubernetes/go.mod"),
    include_str!("../../kubernetes/go.sum"),
    include_str!("../../kubernetes/main.go"),
    include_str!("../../kubernetes/pod/main.go"),
);
/// Where to look for Go: the path, then the folders of Debian's packages. `qemu/provision kubernetes` looks there too.
const GO: [&str; 3] = ["go", "/usr/lib/go-1.24/bin/go", "/usr/lib/go-1.23/bin/go"];
/// The first Go that downloads a newer one by itself if a module requires it.
const GO_MINOR: u32 = 21;

/// The built programs.
#[derive(Debug, Clone)]
pub struct Parts {
    dir: PathBuf,
}

impl Parts {
    /// The programs in the cache; `None` if they were never built, or if no Go is installed, since the key has its version.
    pub fn cached() -> Result<Option<Self>> {
        let Ok(key) = key() else { return Ok(None) };
        let dir = Cache::open()?.find("kubernetes-parts", key);
        Ok(dir.map(|dir| Self { dir }))
    }

    /// The programs in the cache, or built now.
    pub fn build() -> Result<Self> {
        let (go, _) = go()?;
        let key = key()?;
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("kubernetes/build");
        let dir = Cache::open()?.get("kubernetes-parts", key, |dir| {
            let mut build = Command::new(script);
            build.arg(dir).env("GO", go);
            let what =
                "kubernetes: build kubelet, control plane and kubectl (about eleven minutes of CPU, once)";
            run(what, &mut build)?;
            Ok(())
        })?;
        Ok(Self { dir })
    }

    /// The folder with the programs.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A control plane's programs and kubectl in one; the first argument selects the program.
    pub fn kubeall(&self) -> PathBuf {
        self.dir.join("kubeall")
    }

    /// The kubelet.
    pub fn kubelet(&self) -> PathBuf {
        self.dir.join("kubelet")
    }

    /// The program in the images of the pods in tests.
    pub fn pod(&self) -> PathBuf {
        self.dir.join("pod")
    }
}

fn key() -> Result<Key> {
    let (_, version) = go()?;
    Ok(Key::new().with(version).with(SOURCES))
}

/// The Go to build with, and its version. go.mod says which newer one it downloads.
fn go() -> Result<(&'static str, String)> {
    let version = |go: &str| {
        let output = Command::new(go).args(["env", "GOVERSION"]).current_dir("/").output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    GO.iter()
        .filter_map(|&go| Some((go, version(go)?)))
        .find(|(_, version)| is_new_enough(version))
        .with_context(|| format!("no Go 1.{GO_MINOR} or newer is installed; run qemu/provision kubernetes"))
}

/// `go1.23.5`, `go1.25-custom` …
fn is_new_enough(version: &str) -> bool {
    let minor =
        version.strip_prefix("go1.").and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    minor.and_then(|minor| minor.parse().ok()).is_some_and(|minor: u32| minor >= GO_MINOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_cannot_fetch_newer_ones() {
        for (version, expected) in
            [("go1.19.8", false), ("go1.21", true), ("go1.26.8", true), ("go1.23-x", true), ("", false)]
        {
            assert_eq!(is_new_enough(version), expected, "{version}");
        }
    }
}
