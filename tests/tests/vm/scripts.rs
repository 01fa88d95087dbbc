//! Programs from Git repositories, with real git over HTTP and over ssh.

use std::{
    fs,
    io::Read,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use dayfly_qemu::{
    command::call,
    image::Image,
    server::{HOST_FROM_GUEST, HttpServer},
    vm::Vm,
};
use tempfile::TempDir;

use crate::{
    Scenario,
    lab::{Lab, Site, boot, step},
    same,
};

pub const SCENARIOS: &[Scenario] = &[("git_scripts_run_and_are_kept_current", git_scripts)];

/// A repository with a `run.sh`, and its bare copy for the server.
pub struct Repository {
    work: PathBuf,
    bare: PathBuf,
}

impl Repository {
    /// Makes one with a first commit.
    pub fn create(folder: &Path, bare: &Path) -> Result<Self> {
        let repository = Self { work: folder.to_owned(), bare: bare.to_owned() };
        fs::create_dir_all(folder)?;
        git(folder, &["init", "--quiet", "--initial-branch", "main"])?;
        repository.commit("first", false)?;
        Ok(repository)
    }

    /// Commits a program that writes `says`; with `rewrite`, replaces the last commit.
    pub fn commit(&self, says: &str, rewrite: bool) -> Result<()> {
        let program = self.work.join("run.sh");
        fs::write(&program, format!("#!/bin/sh\necho {says} >>/run/script-said\n"))?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        git(&self.work, &["add", "run.sh"])?;
        let mut args = vec![
            "-c",
            "user.name=test",
            "-c",
            "user.email=test@example.org",
            "commit",
            "--quiet",
            "-m",
            says,
        ];
        if rewrite {
            args.push("--amend");
        }
        git(&self.work, &args)?;
        if self.bare.exists() {
            fs::remove_dir_all(&self.bare)?;
        }
        let (work, bare) = (self.work.to_string_lossy(), self.bare.to_string_lossy());
        call("git: serve", "git", &["clone", "--quiet", "--bare", &work, &bare])?;
        // The files that git's plain HTTP transport reads.
        git(&self.bare, &["update-server-info"])
    }
}

fn git(folder: &Path, args: &[&str]) -> Result<()> {
    let folder = folder.to_string_lossy();
    call("git", "git", &[&["-C", &folder], args].concat()).map(drop)
}

/// Settings with which the node's git trusts the CA of a server.
pub fn git_trusts(server: &HttpServer) -> Result<String> {
    let ca = server.ca().context("the server has no TLS")?;
    let ca = fs::read_to_string(ca).context("cannot read the CA's certificate")?;
    Ok(format!(
        "[file.\"/etc/gitconfig\"]\ncontent = \"[http]\\n\\tsslCAInfo = /etc/git-ca.pem\\n\"\n\
         [file.\"/etc/git-ca.pem\"]\ncontent = \"\"\"\n{ca}\"\"\"\n"
    ))
}

/// sshd(8) on 127.0.0.1, for one key.
struct SshServer {
    child: Child,
    port: u16,
    folder: TempDir,
}

impl SshServer {
    fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
        for name in ["host", "client"] {
            call(
                "ssh: make a key",
                "ssh-keygen",
                &["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", &path(name)],
            )?;
        }
        fs::create_dir_all("/run/sshd").context("cannot make sshd's folder")?;
        for _ in 0..5 {
            let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
            let mut child = sshd(&folder, port)?;
            // Another program may have taken the port meanwhile, also for a connection of its own: sshd ends then.
            if speaks_ssh(&mut child, port)? {
                return Ok(Self { child, port, folder });
            }
        }
        bail!("sshd did not start: {}", fs::read_to_string(folder.path().join("log"))?)
    }

    fn text(&self, name: &str) -> Result<String> {
        fs::read_to_string(self.folder.path().join(name)).with_context(|| format!("cannot read {name}"))
    }
}

/// Starts sshd on this port with the keys in the folder.
fn sshd(folder: &TempDir, port: u16) -> Result<Child> {
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let mut command = Command::new("setpriv");
    command.args([
        "--pdeathsig",
        "TERM",
        "/usr/sbin/sshd",
        "-D",
        "-e",
        "-f",
        "/dev/null",
        "-h",
        &path("host"),
    ]);
    for option in [
        format!("Port={port}"),
        "ListenAddress=127.0.0.1".to_owned(),
        format!("AuthorizedKeysFile={}", path("client.pub")),
        "StrictModes=no".to_owned(),
        "UsePAM=no".to_owned(),
        "PermitRootLogin=yes".to_owned(),
        "PidFile=none".to_owned(),
    ] {
        command.args(["-o", &option]);
    }
    let log = fs::File::create(folder.path().join("log"))?;
    command.stdin(Stdio::null()).stderr(log).spawn().context("cannot start sshd; run qemu/provision")
}

/// Waits until an SSH server answers on the port; false if the child ends before.
fn speaks_ssh(child: &mut Child, port: u16) -> Result<bool> {
    let end = Instant::now() + Duration::from_secs(20);
    while child.try_wait()?.is_none() {
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) {
            stream.set_read_timeout(Some(Duration::from_secs(10)))?;
            let mut banner = [0; 4];
            if stream.read_exact(&mut banner).is_ok() && banner == *b"SSH-" {
                return Ok(child.try_wait()?.is_none());
            }
        }
        ensure!(Instant::now() < end, "sshd does not answer on port {port}");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(false)
}

impl Drop for SshServer {
    fn drop(&mut self) {
        // It ends with this thread in any case (pdeathsig).
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a script's result has this text.
pub fn wait_for(vm: &Vm, script: &str, words: &str) -> Result<String> {
    let end = Instant::now() + Duration::from_secs(180);
    loop {
        let said = vm.run(&format!("cat /run/dayfly/scripts/{script}.json"))?.text;
        if said.contains(words) {
            return Ok(said);
        }
        ensure!(Instant::now() < end, "{script} never said {words:?}; last: {said}");
        std::thread::sleep(Duration::from_millis(500));
    }
}

fn git_scripts(lab: &Lab) -> Result<()> {
    let site = Site::start(Image::Server)?;
    let folder = tempfile::tempdir()?;
    let root = folder.path().join("served");
    fs::create_dir(&root)?;
    let server = HttpServer::start_tls(&root)?;
    let open = Repository::create(&folder.path().join("open"), &root.join("open.git"))?;
    let private = folder.path().join("private.git");
    let closed = Repository::create(&folder.path().join("closed"), &private)?;
    closed.commit("by-ssh", true)?;
    let ssh = SshServer::start()?;

    let host = ssh.text("host.pub")?;
    let host = host.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let settings = format!(
        "version = 1\n[script.closed]\ngit = \"ssh://root@{HOST_FROM_GUEST}:{port}{path}\"\n\
         known_hosts = \"[{HOST_FROM_GUEST}]:{port} {host}\"\nssh_key = \"\"\"\n{key}\"\"\"\n\
         [script.node]\ninterval = 5\n{trusts}",
        trusts = git_trusts(&server)?,
        port = ssh.port,
        path = private.display(),
        key = ssh.text("client")?
    );
    let credential = folder.path().join("settings");
    fs::write(&credential, settings)?;
    let node = lab
        .node()?
        .cmdline(&site.parameters())
        .fw_cfg("opt/io.systemd.credentials/dayfly.toml", &credential)
        .explain(&["--credential", &format!("dayfly.toml=@{}", credential.display())]);
    let vm = boot(node.cmdline(&format!("my.git={}", server.guest_url("open.git"))))?;
    same!(step(&vm.boot_json()?, "scripts")?["outcome"], "done");

    wait_for(&vm, "node", "\"ran\"")?;
    wait_for(&vm, "closed", "\"ran\"")?;
    same!(vm.check("sort -u /run/script-said")?, "by-ssh\nfirst");
    // No new commit: it does not run again.
    wait_for(&vm, "node", "\"current\"")?;
    same!(vm.check("grep -c first /run/script-said")?, "1");
    open.commit("second", false)?;
    wait_for(&vm, "node", "\"ran\"")?;
    same!(vm.check("grep -c second /run/script-said")?, "1");
    // A rewritten history is refused, and the tree stays as it is.
    open.commit("rewritten", true)?;
    let said = wait_for(&vm, "node", "\"diverged\"")?;
    ensure!(said.contains("have diverged"), "{said}");
    same!(
        vm.check(
            "grep -c rewritten /run/script-said; git -C /var/lib/dayfly/scripts/node log -1 --format=%s"
        )?,
        "0\nsecond"
    );
    // Only root can read the key, and it has no other copy.
    same!(vm.check("stat -c '%a %U' /run/dayfly/secrets/script-closed")?, "600 root");
    let line = ssh.text("client")?.lines().nth(2).unwrap_or_default().to_owned();
    let search = format!("grep -rlF -- '{line}' /run/dayfly /etc /var/log /proc/cmdline 2>/dev/null");
    same!(vm.check(&search)?, "/run/dayfly/secrets/script-closed");
    Ok(())
}
