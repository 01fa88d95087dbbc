//! The boot server of the documentation: `dayfly serve` with a folder of kernel, initramfs, image and script.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::{command::run, daemon::Daemon, server::HOST_FROM_GUEST};

/// How long the server may take until it listens.
const START: Duration = Duration::from_secs(15);

/// The script's name in the folder.
const SCRIPT: &str = "boot.ipxe";

/// A folder that nodes boot from. Dropping this ends the server.
#[derive(Debug)]
pub struct BootServer {
    dayfly: PathBuf,
    folder: TempDir,
    url: String,
    log: PathBuf,
    _server: Daemon,
}

/// A line of the server's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The path, as requested.
    pub path: String,
    /// The status of the answer.
    pub status: u16,
    /// How many bytes of the body were sent.
    pub bytes: u64,
    /// The rest of the line: the client's name, and errors.
    pub more: String,
}

impl BootServer {
    /// Serves an empty folder on a free port of 127.0.0.1, which machines on a user network reach as 10.0.2.2. `dayfly` is the program,
    /// `log` a file for its output.
    pub fn start(dayfly: &Path, log: &Path) -> Result<Self> {
        Self::start_at(dayfly, log, "127.0.0.1", HOST_FROM_GUEST)
    }

    /// The same on the address `listen`, which machines reach as `seen`.
    pub fn start_at(dayfly: &Path, log: &Path, listen: &str, seen: &str) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("dayfly-boot.")
            .tempdir()
            .context("cannot make a temporary folder")?;
        fs::write(log, "").with_context(|| format!("cannot write {}", log.display()))?;
        let path = folder.path().to_string_lossy().into_owned();
        // The image stays in the cache, so the folder has links that lead out of it.
        let arguments = ["serve", &path, "--follow-links", "--listen", &format!("{listen}:0")];
        let mut server = Daemon::start("dayfly serve", dayfly, &arguments.map(str::to_owned), log)?;
        let end = Instant::now() + START;
        let start = format!("  http://{listen}:");
        let port = loop {
            let text = fs::read_to_string(log).context("cannot read the log of dayfly serve")?;
            // A line is complete when its end was written.
            if let Some((port, _)) = text.split_once(&start).and_then(|(_, rest)| rest.split_once("/\n")) {
                break port.to_owned();
            }
            if server.ended()?.is_some() || Instant::now() > end {
                bail!("dayfly serve does not listen: {}", server.last_words());
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        Ok(Self {
            dayfly: dayfly.to_owned(),
            folder,
            url: format!("http://{seen}:{port}/"),
            log: log.to_owned(),
            _server: server,
        })
    }

    /// Adds a file to the folder, as a link.
    pub fn add(&self, name: &str, path: &Path) -> Result<()> {
        let path = path.canonicalize().with_context(|| format!("cannot find {}", path.display()))?;
        symlink(&path, self.folder.path().join(name))
            .with_context(|| format!("cannot link {}", path.display()))
    }

    /// Removes a file from the folder.
    pub fn remove(&self, name: &str) -> Result<()> {
        fs::remove_file(self.folder.path().join(name)).with_context(|| format!("cannot remove {name}"))
    }

    /// Writes the script with `dayfly ipxe`, for the only kernel, initramfs and image in the folder, and returns its URL.
    /// `cmdline` are more kernel parameters; [`crate::vm::console_parameters`] must be among them.
    pub fn write_script(&self, cmdline: &str) -> Result<String> {
        let mut dayfly = Command::new(&self.dayfly);
        dayfly.arg("ipxe").arg(self.folder.path()).args(["--url", &self.url, "--cmdline", cmdline]);
        run("dayfly ipxe", dayfly.arg("--output").arg(self.folder.path().join(SCRIPT)))?;
        Ok(self.url(SCRIPT))
    }

    /// The URL of a file for machines.
    pub fn url(&self, name: &str) -> String {
        format!("{}{name}", self.url)
    }

    /// The answers so far, oldest first. An answer is logged when it ends.
    pub fn served(&self) -> Result<Vec<Served>> {
        let text = fs::read_to_string(&self.log).context("cannot read the log of dayfly serve")?;
        text.lines().skip_while(|line| !line.starts_with("seconds, ")).skip(1).map(parse).collect()
    }
}

fn parse(line: &str) -> Result<Served> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_seconds, _client, _method, path, status, bytes, more @ ..] = fields.as_slice() else {
        bail!("the log of dayfly serve has an unexpected line: {line}");
    };
    Ok(Served {
        path: (*path).to_owned(),
        status: status.parse().with_context(|| format!("no status in {line}"))?,
        bytes: bytes.parse().with_context(|| format!("no byte count in {line}"))?,
        more: more.join(" "),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_log() {
        let served =
            parse("   12.391 10.0.2.15 GET /os%20image 200 4096 of 8192 dayfly/0.1.0 cut: Broken pipe")
                .unwrap();
        let expected = Served {
            path: "/os%20image".into(),
            status: 200,
            bytes: 4096,
            more: "of 8192 dayfly/0.1.0 cut: Broken pipe".into(),
        };
        assert_eq!(served, expected);
        assert!(parse("    3.000 SIGTERM: ended").is_err());
    }
}
