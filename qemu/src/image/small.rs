//! The smallest OS that the harness can talk to: busybox as process 1, and the agent. It is up one second after the hand-over, while
//! systemd takes twenty under emulation. For scenarios about what happens before the OS runs.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::{Images, addition, squash_with};
use crate::{bare::BUSYBOX, cache::Key, command::call};

const AGENT: &str = include_str!("../../recipe/agent.busybox");
const AGENT_PATH: &str = "usr/lib/dayfly-test/dayfly-test";
const INITTAB: &str = "::once:/usr/lib/dayfly-test/dayfly-test\n::shutdown:/bin/umount -a -r\n";
const FOLDERS: [&str; 17] = [
    "bin",
    "dev",
    "etc",
    "home",
    "mnt",
    "opt",
    "proc",
    "root",
    "run",
    "sbin",
    "srv",
    "sys",
    "tmp",
    "usr/bin",
    "usr/local",
    "usr/sbin",
    "var/log",
];

impl Images {
    /// A squashfs of one MB.
    pub(super) fn small(&self) -> Result<PathBuf> {
        let key = Key::new().with(include_str!("small.rs")).with(AGENT);
        self.cache.get("small.squashfs", key, |path| {
            let folder = tempfile::tempdir()?;
            fill(folder.path())?;
            squash_with("of busybox", folder.path(), path, &[])
        })
    }
}

fn fill(tree: &Path) -> Result<()> {
    for folder in FOLDERS {
        fs::create_dir_all(tree.join(folder))?;
    }
    fs::copy(BUSYBOX, tree.join("bin/busybox")).context("cannot copy busybox")?;
    let programs = call("image: busybox's programs", BUSYBOX, &["--list"])?;
    for name in programs.lines().filter(|name| *name != "busybox") {
        symlink("busybox", tree.join("bin").join(name))?;
    }
    symlink("/bin/busybox", tree.join("sbin/init"))?;
    let agent = format!("#!/bin/sh\nexport PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root\n{AGENT}");
    addition::write(tree, AGENT_PATH, &agent, 0o755)?;
    for (path, text) in [
        ("etc/inittab", INITTAB),
        ("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"),
        ("etc/group", "root:x:0:\n"),
        ("etc/hosts", "127.0.0.1 localhost\n"),
        ("etc/issue", "Dayfly test\n"),
        ("usr/lib/os-release", "NAME=\"Dayfly test, busybox of Debian\"\nID=dayfly-small\n"),
    ] {
        addition::write(tree, path, text, 0o644)?;
    }
    Ok(())
}
