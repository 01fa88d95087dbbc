//! The tutorial, command by command: the page's own text is typed into a shell, and at its machine's console.

use std::{
    fs,
    os::unix::{
        fs::{PermissionsExt, symlink},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use dayfly_qemu::{
    cache::{Cache, Key},
    command::run,
    lan::Lan,
    vm::console::Console,
};
use dayfly_tests::docs::{Block, blocks, root};
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};

use crate::{
    Scenario,
    lab::{BOOT, Lab, dayfly, init},
    same,
};

pub const SCENARIOS: &[Scenario] = &[("tutorial_as_it_is_written", as_it_is_written)];

const PAGE: &str = "docs/tutorial/first-node.md";
/// How long a command at the console may take to answer.
const ANSWER: Duration = Duration::from_secs(60);

fn as_it_is_written(lab: &Lab) -> Result<()> {
    let (node, host): (Vec<Block>, Vec<Block>) =
        blocks(PAGE).into_iter().partition(|block| block.title.is_some());
    same!(host.len(), 6, "blocks for the host");
    let image = host.iter().find(|block| block.text.contains("mksquashfs")).context("no image is made")?;
    let squashfs = image_of(image)?;
    // The page builds the same; but its shell has no network.
    init()?;
    let target = dayfly()?.parent().and_then(Path::parent).context("no target folder")?;

    let desk = desk()?;
    symlink(target, desk.path().join("target"))?;
    fs::create_dir(desk.path().join("www"))?;
    fs::copy(&squashfs, desk.path().join("www/os.squashfs"))?;
    let script: String =
        host.iter().filter(|block| *block != image).map(|block| block.text.as_str()).collect();
    Lan::apart(|_| {
        let mut session = Session::start(desk.path(), &format!("{script}kill %1\nwait\n"), &lab.log()?)?;
        let console = session.console.clone();
        console.expect("HTTP/1.1 200 OK", BOOT)?;
        console.expect("^kubernetes|^handover +next-boot", ANSWER).context("no plan was printed")?;
        for line in [
            r"dayfly: network: done, eth0 has 10\.0\.2\.15/24 via 10\.0\.2\.2 \(dhcp4\)",
            "dayfly: verify: done, SHA-256 [0-9a-f]{12}… matches",
            "dayfly: exec: done, /sbin/init",
            "node-525400123456 login: ",
        ] {
            console.expect(line, BOOT)?;
        }
        session.send("root\n")?;
        console.expect("Password: ", ANSWER)?;
        session.send("dayfly\n")?;
        console.expect("root@node-525400123456:~# ", ANSWER)?;
        for block in &node {
            look_around(&mut session, block)?;
        }
        session.end()
    })
}

/// Types the commands of the last block; its last command ends the machine.
fn look_around(session: &mut Session, block: &Block) -> Result<()> {
    let console = session.console.clone();
    for line in block.text.lines() {
        session.send(&format!("{line}\n"))?;
        if line.contains("reboot") {
            return console.expect("reboot: Restarting system", BOOT).map(drop);
        }
        let shows: &[&str] = match line.split(' ').next().unwrap_or_default() {
            "for" => &["^/ +overlay ", "^/usr +\\S+ +ro", "^/var +tmpfs "],
            "tail" => &["exec"],
            "head" => &["\"version\"|\"dayfly\"|\\{"],
            "touch" => &["^refused$"],
            other => anyhow::bail!("{PAGE}: the test has no expected output for {other}"),
        };
        for pattern in shows {
            console.expect(pattern, ANSWER).with_context(|| line.to_owned())?;
        }
        session.send("echo status=$?\n")?;
        same!(console.expect("^status=([0-9]+)$", ANSWER)?.group(1), "0", "the status of {line}");
    }
    Ok(())
}

/// The image that the block makes, built once for each text of the block.
fn image_of(block: &Block) -> Result<PathBuf> {
    Cache::open()?.get("tutorial.squashfs", Key::new().with(&block.text), |path| {
        let desk = desk()?;
        // mmdebstrap needs the real apt-get.
        fs::remove_file(desk.path().join("bin/apt-get"))?;
        let mut bash = Command::new("bash");
        bash.args(["-euo", "pipefail", "-c", &block.text]).current_dir(desk.path());
        bash.env("PATH", path_of(desk.path()));
        run("image: the tutorial's, by its commands (two minutes)", &mut bash)?;
        fs::copy(desk.path().join("www/os.squashfs"), path)?;
        Ok(())
    })
}

/// A folder to work in, with programs that precede this machine's in the path.
fn desk() -> Result<tempfile::TempDir> {
    let desk = tempfile::Builder::new().prefix("dayfly-tutorial.").tempdir()?;
    // The web server's workers run as another user.
    fs::set_permissions(desk.path(), fs::Permissions::from_mode(0o755))?;
    let bin = desk.path().join("bin");
    fs::create_dir(&bin)?;
    let checkout = root();
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    for (name, text) in [
        // The tests are root already.
        ("sudo", "exec \"$@\"".to_owned()),
        // Simulate only; qemu/provision installs the packages.
        ("apt-get", "exec /usr/bin/apt-get --simulate \"$@\"".to_owned()),
        ("cargo", format!("cd '{}' && exec '{cargo}' \"$@\"", checkout.display())),
    ] {
        let file = bin.join(name);
        fs::write(&file, format!("#!/bin/sh\n{text}\n"))?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
    }
    Ok(desk)
}

fn path_of(desk: &Path) -> String {
    format!("{}:{}", desk.join("bin").display(), std::env::var("PATH").unwrap_or_default())
}

/// The reader's shell, and all processes that it starts.
struct Session {
    child: Child,
    console: Console,
}

impl Session {
    fn start(desk: &Path, script: &str, log: &Path) -> Result<Self> {
        let mut child = Command::new("bash")
            // Errors go to the same output.
            .args(["-euo", "pipefail", "-c", &format!("exec 2>&1\n{script}")])
            .current_dir(desk)
            .env("PATH", path_of(desk))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .context("cannot start bash")?;
        let output = child.stdout.take().context("its output is a pipe")?;
        Ok(Self { console: Console::read(output, fs::File::create(log)?), child })
    }

    fn send(&mut self, text: &str) -> Result<()> {
        use std::io::Write;
        let stdin = self.child.stdin.as_mut().context("its input is a pipe")?;
        stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush()).context("cannot type")
    }

    fn end(mut self) -> Result<()> {
        let late = Instant::now() + ANSWER;
        loop {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.success(), "the shell ended with {status}:\n{}", self.console.tail());
                return Ok(());
            }
            ensure!(Instant::now() < late, "the shell does not end:\n{}", self.console.tail());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // If all processes have ended, there is no such group.
        let _ = killpg(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}
