//! A node with one script, and its actions.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use dayfly_qemu::server::HttpServer;
use serde_json::Value;

use crate::namespace::run;

pub const RUN: &str = include_str!("../../../init/src/steps/node/scripts/run.sh");
pub const TREE: &str = "/var/lib/dayfly/scripts/node";
pub const CONFIGURATION: &str = "/etc/dayfly/scripts/node.conf";
/// The file that an attacker's command creates.
pub const PWNED: &str = "/run/pwned";

/// A node with one script, and the server with its repository.
pub struct Node {
    pub work: PathBuf,
    pub served: PathBuf,
    pub url: String,
    _server: HttpServer,
}

impl Node {
    pub fn new(scratch: &Path) -> Self {
        for (name, target) in [("etc", "/etc"), ("var", "/var/lib")] {
            let (upper, work) = (scratch.join(name), scratch.join(format!("{name}.work")));
            fs::create_dir_all(&upper).unwrap();
            fs::create_dir_all(&work).unwrap();
            let options =
                format!("lowerdir={target},upperdir={},workdir={}", upper.display(), work.display());
            run("mount", &["-t", "overlay", "overlay", "-o", &options, target]);
        }
        run("mount", &["-t", "tmpfs", "tmpfs", "/run"]);
        let (work, served) = (scratch.join("work"), scratch.join("served"));
        fs::create_dir_all(&work).unwrap();
        fs::create_dir_all(&served).unwrap();
        let https = HttpServer::start_tls(&served).unwrap();
        let url = https.guest_url("node.git").replace("10.0.2.2", "127.0.0.1");
        let ca = https.ca().unwrap().display().to_string();
        fs::write("/etc/gitconfig", format!("[http]\n\tsslCAInfo = {ca}\n")).unwrap();
        fs::create_dir_all("/etc/dayfly/scripts").unwrap();
        fs::write("/etc/dayfly/scripts/run", RUN).unwrap();
        let node = Self { work, served, url, _server: https };
        configure(&node.url, "");
        git(&node.work, &["init", "--quiet", "--initial-branch", "main"]);
        node.commit("#!/bin/sh\necho good >>/run/said\n");
        node
    }

    /// Makes a commit with this program, and serves it.
    pub fn commit(&self, program: &str) {
        let path = self.work.join("run.sh");
        fs::write(&path, program).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        git(&self.work, &["add", "--all"]);
        git(&self.work, &["commit", "--quiet", "--allow-empty", "-m", "a change"]);
        self.serve();
    }

    pub fn serve(&self) {
        let bare = self.served.join("node.git");
        drop(fs::remove_dir_all(&bare));
        let (work, bare_name) = (self.work.display().to_string(), bare.display().to_string());
        run("git", &["clone", "--quiet", "--bare", &work, &bare_name]);
        git(&bare, &["update-server-info"]);
    }
}

pub fn configure(url: &str, branch: &str) {
    let text = format!("url='{url}'\nbranch='{branch}'\nprogram='run.sh'\n");
    fs::write(CONFIGURATION, text).unwrap();
}

/// Runs the script once and returns its result.
pub fn run_script() -> Value {
    let output = start().output().unwrap();
    result(&output)
}

/// Simulates a reboot: /run is new, /var persists.
pub fn reboot() {
    run("mount", &["-t", "tmpfs", "tmpfs", "/run"]);
}

pub fn start() -> Command {
    let mut command = Command::new("sh");
    command.args(["/etc/dayfly/scripts/run", "node"]).stdin(Stdio::null());
    command
}

pub fn result(output: &Output) -> Value {
    let text =
        fs::read("/run/dayfly/scripts/node.json").unwrap_or_else(|error| panic!("{error}: {output:?}"));
    serde_json::from_slice(&text)
        .unwrap_or_else(|error| panic!("{error}: {}\n{output:?}", String::from_utf8_lossy(&text)))
}

pub fn git(folder: &Path, args: &[&str]) {
    let folder = folder.to_str().unwrap();
    let who = ["-C", folder, "-c", "user.name=test", "-c", "user.email=test@example.org"];
    run("git", &[&who, args].concat());
}

pub fn said() -> String {
    fs::read_to_string("/run/said").unwrap_or_default()
}

pub fn outcome(result: &Value, expected: &str, words: &str) {
    assert_eq!(result["outcome"], expected, "{result}");
    assert!(result["words"].as_str().unwrap().contains(words), "{result}");
    assert!(!Path::new(PWNED).exists(), "an attacker's command ran: {result}");
}

/// Writes a program that creates the file [`PWNED`].
pub fn enemy(path: &str) {
    fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
    fs::write(path, "#!/bin/sh\ntouch /run/pwned\n").unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}
