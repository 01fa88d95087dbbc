//! The script that a node runs programs from Git repositories with, by real git and a real server with TLS. What it finds in
//! /var was written by an enemy who had the disk before; what it fetches is what its owner wants to run.

mod namespace;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use dayfly_qemu::server::HttpServer;
use namespace::{apart, run, shell};
use serde_json::Value;

const RUN: &str = include_str!("../../init/src/steps/scripts/run.sh");
const TREE: &str = "/var/lib/dayfly/scripts/node";
const CONFIGURATION: &str = "/etc/dayfly/scripts/node.conf";
/// What an enemy's command leaves behind.
const PWNED: &str = "/run/pwned";

/// A node with one script, and the server with its repository.
struct Node {
    work: PathBuf,
    served: PathBuf,
    url: String,
    _server: HttpServer,
}

impl Node {
    fn new(scratch: &Path) -> Self {
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

    /// A commit with this program, served.
    fn commit(&self, program: &str) {
        let path = self.work.join("run.sh");
        fs::write(&path, program).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        git(&self.work, &["add", "--all"]);
        git(&self.work, &["commit", "--quiet", "--allow-empty", "-m", "a change"]);
        self.serve();
    }

    fn serve(&self) {
        let bare = self.served.join("node.git");
        drop(fs::remove_dir_all(&bare));
        let (work, bare_name) = (self.work.display().to_string(), bare.display().to_string());
        run("git", &["clone", "--quiet", "--bare", &work, &bare_name]);
        git(&bare, &["update-server-info"]);
    }
}

fn configure(url: &str, branch: &str) {
    let text = format!("url='{url}'\nbranch='{branch}'\nprogram='run.sh'\n");
    fs::write(CONFIGURATION, text).unwrap();
}

/// Runs the script once; the words of its result.
fn run_script() -> Value {
    let output = start().output().unwrap();
    result(&output)
}

/// The machine starts again: /run is new, /var is kept.
fn reboot() {
    run("mount", &["-t", "tmpfs", "tmpfs", "/run"]);
}

fn start() -> Command {
    let mut command = Command::new("sh");
    command.args(["/etc/dayfly/scripts/run", "node"]).stdin(Stdio::null());
    command
}

fn result(output: &Output) -> Value {
    let text =
        fs::read("/run/dayfly/scripts/node.json").unwrap_or_else(|error| panic!("{error}: {output:?}"));
    serde_json::from_slice(&text)
        .unwrap_or_else(|error| panic!("{error}: {}\n{output:?}", String::from_utf8_lossy(&text)))
}

fn git(folder: &Path, args: &[&str]) {
    let folder = folder.to_str().unwrap();
    let who = ["-C", folder, "-c", "user.name=test", "-c", "user.email=test@example.org"];
    run("git", &[&who, args].concat());
}

fn said() -> String {
    fs::read_to_string("/run/said").unwrap_or_default()
}

fn outcome(result: &Value, expected: &str, words: &str) {
    assert_eq!(result["outcome"], expected, "{result}");
    assert!(result["words"].as_str().unwrap().contains(words), "{result}");
    assert!(!Path::new(PWNED).exists(), "an enemy's command ran: {result}");
}

#[test]
fn it_clones_runs_pulls_and_refuses() {
    apart(|_, scratch| {
        let node = Node::new(scratch);
        let first = run_script();
        outcome(&first, "ran", "run.sh has run");
        assert_eq!(first["commit"].as_str().unwrap().len(), 40);
        outcome(&run_script(), "current", "nothing new");
        node.commit("#!/bin/sh\necho better >>/run/said\n");
        outcome(&run_script(), "ran", "");
        assert_eq!(said(), "good\nbetter\n");
        // At the next boot it runs again, from a new clone.
        reboot();
        outcome(&run_script(), "ran", "");
        assert_eq!(said(), "better\n");
        // What people do by hand in the tree works as in any other.
        git(Path::new(TREE), &["status"]);
        // Changes that are in no commit, in this boot and in the next.
        fs::write(format!("{TREE}/run.sh"), "#!/bin/sh\ntouch /run/pwned\n").unwrap();
        outcome(&run_script(), "diverged", "changes that are in no commit");
        reboot();
        outcome(&run_script(), "diverged", "changes that are in no commit");
        assert!(fs::read_to_string(format!("{TREE}/run.sh")).unwrap().contains("pwned"), "it is left alone");
        git(Path::new(TREE), &["checkout", "--quiet", "run.sh"]);
        fs::write(format!("{TREE}/more"), "").unwrap();
        reboot();
        outcome(&run_script(), "diverged", "changes that are in no commit");
        fs::remove_file(format!("{TREE}/more")).unwrap();
        // A history that does not follow, in the next boot and in this one.
        git(&node.work, &["reset", "--quiet", "--hard", "HEAD~1"]);
        node.commit("#!/bin/sh\necho other >>/run/said\n");
        reboot();
        outcome(&run_script(), "diverged", "different ways");
        run("rm", &["-r", TREE]);
        outcome(&run_script(), "ran", "");
        git(&node.work, &["reset", "--quiet", "--hard", "HEAD~1"]);
        node.commit("#!/bin/sh\necho third >>/run/said\n");
        outcome(&run_script(), "diverged", "different ways");
        assert_eq!(said(), "other\n");
        drop(fs::remove_dir_all(node.served.join("node.git")));
        outcome(&run_script(), "unreachable", "node.git");
    });
}

/// The tree of yesterday with a configuration that has Git run commands, in every way that it knows.
#[test]
fn a_kept_configuration_runs_nothing() {
    for attack in [
        "fsmonitor = touch /run/pwned",
        "sshCommand = touch /run/pwned",
        "hooksPath = /var/lib/dayfly/scripts/hooks",
        "worktree = /etc",
        "pager = touch /run/pwned",
        "editor = touch /run/pwned",
        "askPass = touch /run/pwned",
        "gitProxy = touch /run/pwned",
        "alternateRefsCommand = touch /run/pwned",
        "x = y\n[include]\n\tpath = /var/lib/dayfly/scripts/more",
        "x = y\n[filter \"evil\"]\n\tclean = touch /run/pwned\n\tsmudge = touch /run/pwned\n\tprocess = touch /run/pwned",
        "x = y\n[credential]\n\thelper = !touch /run/pwned",
        "x = y\n[url \"ext::touch /run/pwned\"]\n\tinsteadOf = https:",
        "x = y\n[protocol \"ext\"]\n\tallow = always\n[remote \"origin\"]\n\turl = ext::touch /run/pwned",
        "x = y\n[uploadpack]\n\tpackObjectsHook = touch /run/pwned",
        "x = y\n[diff]\n\texternal = touch /run/pwned",
        "x = y\n[gc]\n\trecentObjectsHook = touch /run/pwned",
    ] {
        apart(|_, scratch| {
            let node = Node::new(scratch);
            outcome(&run_script(), "ran", "");
            reboot();
            // As an older Dayfly kept it, and where this one does.
            let real = format!("{TREE}.git");
            for folder in [real.clone(), format!("{TREE}/.git")] {
                if Path::new(&folder).is_file() {
                    fs::remove_file(&folder).unwrap();
                    run("cp", &["-a", &real, &folder]);
                }
                let config = format!("{folder}/config");
                let text = fs::read_to_string(&config).unwrap();
                fs::write(&config, format!("{text}[core]\n\t{attack}\n")).unwrap();
                fs::create_dir_all(format!("{folder}/info")).unwrap();
                fs::write(format!("{folder}/info/attributes"), "* filter=evil\n").unwrap();
                fs::create_dir_all(format!("{folder}/hooks")).unwrap();
                for hook in [
                    "post-checkout",
                    "post-merge",
                    "reference-transaction",
                    "fsmonitor-watchman",
                    "post-index-change",
                ] {
                    enemy(&format!("{folder}/hooks/{hook}"));
                    enemy(&format!("/var/lib/dayfly/scripts/hooks/{hook}"));
                }
            }
            fs::write("/var/lib/dayfly/scripts/more", "[core]\n\tfsmonitor = touch /run/pwned\n").unwrap();
            node.commit("#!/bin/sh\necho better >>/run/said\n");
            outcome(&run_script(), "ran", "");
            node.commit("#!/bin/sh\necho best >>/run/said\n");
            outcome(&run_script(), "ran", "");
            assert_eq!(said(), "better\nbest\n", "{attack}");
        });
    }
}

/// A program that leaves its mark.
fn enemy(path: &str) {
    fs::create_dir_all(Path::new(path).parent().unwrap()).unwrap();
    fs::write(path, "#!/bin/sh\ntouch /run/pwned\n").unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Files of the kept tree that Git is told not to look at: its index, its excludes, its objects.
#[test]
fn a_kept_program_that_is_not_the_repositorys_does_not_run() {
    apart(|_, scratch| {
        let node = Node::new(scratch);
        outcome(&run_script(), "ran", "");
        git(Path::new(TREE), &["update-index", "--assume-unchanged", "run.sh"]);
        enemy(&format!("{TREE}/run.sh"));
        reboot();
        outcome(&run_script(), "diverged", "changes that are in no commit");
        // The record of its commit is the enemy's too: it may keep the node from running, not make it run.
        let record = format!("{TREE}.commit");
        for text in
            ["", "main", "--help", "$(touch /run/pwned)", "\0\u{7f}\n", &"f".repeat(40), &"0".repeat(64)]
        {
            fs::write(&record, text).unwrap();
            reboot();
            assert_ne!(run_script()["outcome"], "ran", "{text:?}");
            assert_eq!(said(), "");
        }
        run("rm", &["-rf", TREE, &record]);
        outcome(&run_script(), "ran", "");
        // Ignored files are no part of the new tree.
        fs::write(node.work.join(".gitignore"), "local\n").unwrap();
        node.commit("#!/bin/sh\nif [ -e local ]; then . ./local; fi\necho clean >>/run/said\n");
        outcome(&run_script(), "ran", "");
        enemy(&format!("{TREE}/local"));
        reboot();
        outcome(&run_script(), "ran", "");
        assert_eq!(said(), "clean\n");
    });
}

#[test]
fn a_kept_link_leads_nowhere() {
    apart(|_, scratch| {
        let _node = Node::new(scratch);
        fs::create_dir_all("/etc/precious/node").unwrap();
        fs::write("/etc/precious/node/file", "mine").unwrap();
        let kept = Path::new("/var/lib/dayfly/scripts");
        for (path, target) in [
            (Path::new("/var/lib/dayfly"), "/etc"),
            (kept, "/etc/precious"),
            (&kept.join("node"), "/etc/precious/node"),
            (&kept.join("node.git"), "/etc/precious/node"),
            (&kept.join("node.new"), "/etc/precious/node"),
        ] {
            run("rm", &["-rf", "/var/lib/dayfly"]);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            symlink(target, path).unwrap();
            reboot();
            let result = run_script();
            assert!(["ran", "broken"].contains(&result["outcome"].as_str().unwrap()), "{path:?}: {result}");
            assert_eq!(fs::read_to_string("/etc/precious/node/file").unwrap(), "mine", "{path:?}");
            assert_eq!(fs::read_dir("/etc/precious/node").unwrap().count(), 1, "{path:?}");
            assert_eq!(fs::read_dir("/etc/precious").unwrap().count(), 1, "{path:?}");
        }
        // Folders of somebody else's are root's again before anything is put there.
        run("rm", &["-rf", "/var/lib/dayfly"]);
        shell(
            "mkdir -p /var/lib/dayfly/scripts; chown -R 65534 /var/lib/dayfly; chmod -R 777 /var/lib/dayfly",
        );
        reboot();
        outcome(&run_script(), "ran", "");
        assert_eq!(
            run("stat", &["-c", "%u %a", "/var/lib/dayfly", "/var/lib/dayfly/scripts"]),
            "0 755\n0 755\n"
        );
    });
}

#[test]
fn neither_environment_nor_home_says_how_git_works() {
    apart(|_, scratch| {
        let _node = Node::new(scratch);
        fs::create_dir_all("/run/home/.config/git").unwrap();
        let evil = "[core]\n\tfsmonitor = touch /run/pwned\n\thooksPath = /run/hooks\n[alias]\n\tfetch = !touch /run/pwned\n";
        fs::write("/run/home/.gitconfig", evil).unwrap();
        fs::write("/run/home/.config/git/config", evil).unwrap();
        enemy("/run/hooks/post-checkout");
        let output = start()
            .envs([
                ("HOME", "/run/home"),
                ("XDG_CONFIG_HOME", "/run/home/.config"),
                ("GIT_DIR", "/etc"),
                ("GIT_WORK_TREE", "/etc"),
                ("GIT_CONFIG_COUNT", "1"),
                ("GIT_CONFIG_KEY_0", "core.fsmonitor"),
                ("GIT_CONFIG_VALUE_0", "touch /run/pwned"),
                ("GIT_CONFIG_PARAMETERS", "'core.hookspath=/run/hooks'"),
                ("GIT_SSH_COMMAND", "touch /run/pwned"),
                ("GIT_ASKPASS", "/run/hooks/post-checkout"),
                ("GIT_EXEC_PATH", "/run/hooks"),
                ("GIT_TEMPLATE_DIR", "/run"),
                ("GIT_ALLOW_PROTOCOL", "ext"),
                ("GIT_TRACE", "/run/pwned"),
            ])
            .output()
            .unwrap();
        outcome(&result(&output), "ran", "");
    });
}

#[test]
fn only_https_and_ssh_are_spoken() {
    apart(|_, scratch| {
        let node = Node::new(scratch);
        let bare = node.served.join("node.git").display().to_string();
        let plain = node.url.replace("https", "http");
        for url in [
            "ext::touch /run/pwned",
            &bare,
            &format!("file://{bare}"),
            &plain,
            "git://127.0.0.1/node.git",
            "--upload-pack=touch /run/pwned",
            "-u touch /run/pwned",
            "ssh://-oProxyCommand=touch /run/pwned/x",
            "a@-oProxyCommand=touch /run/pwned:x",
        ] {
            configure(url, "");
            let result = run_script();
            outcome(&result, "unreachable", "");
        }
        // Nor does a branch become an option, a refspec that writes elsewhere, or a command.
        for branch in
            ["--upload-pack=touch /run/pwned", "-o touch", "main:refs/heads/x", "$(touch /run/pwned)", "a b"]
        {
            configure(&node.url, branch);
            let result = run_script();
            assert_ne!(result["outcome"], "ran", "{branch}: {result}");
            outcome(&result, "unreachable", "");
        }
    });
}

/// A submodule and a `.gitmodules` of the repository are data: nothing of them is fetched or run.
#[test]
fn submodules_are_not_entered() {
    apart(|_, scratch| {
        let node = Node::new(scratch);
        fs::write(
            node.work.join(".gitmodules"),
            "[submodule \"x\"]\n\tpath = x\n\turl = ext::touch /run/pwned\n\tupdate = !touch /run/pwned\n",
        )
        .unwrap();
        let head = run("git", &["-C", node.work.to_str().unwrap(), "rev-parse", "HEAD"]);
        git(&node.work, &["update-index", "--add", "--cacheinfo", &format!("160000,{},x", head.trim())]);
        fs::create_dir(node.work.join("x")).unwrap();
        git(&node.work, &["add", ".gitmodules"]);
        git(&node.work, &["commit", "--quiet", "-m", "a submodule"]);
        node.serve();
        outcome(&run_script(), "ran", "");
        // In the kept tree, a repository of the enemy's stands in its place.
        run("git", &["init", "--quiet", &format!("{TREE}/x")]);
        run("git", &["-C", &format!("{TREE}/x"), "config", "core.fsmonitor", "touch /run/pwned"]);
        outcome(&run_script(), "current", "");
        reboot();
        outcome(&run_script(), "ran", "");
    });
}

#[test]
fn a_result_is_json_whatever_is_printed() {
    apart(|_, scratch| {
        let node = Node::new(scratch);
        for program in [
            r#"printf '"\\ \001\002\037\177\n\t\r"}{[],:\n'"#,
            r"printf '\377\376\300\200 \355\240\200 \303\n'",
            r#"printf '\\u0000 \\" \\\\\000\000x\n'"#,
            "echo é ü 漢 🦀",
            "head -c 5000000 /dev/zero",
            "head -c 5000000 /dev/urandom",
            "yes '\"' | head -c 9000000",
            "true",
        ] {
            node.commit(&format!("#!/bin/sh\n{program}\nexit 7\n"));
            let result = run_script();
            outcome(&result, "failed", "run.sh ended with 7");
            let text = fs::read("/run/dayfly/scripts/node.json").unwrap();
            assert!(text.len() < 1500 && text.is_ascii(), "{program}: {} bytes", text.len());
            let log = fs::metadata("/run/dayfly/scripts/node.log").unwrap();
            assert!(log.len() <= 1 << 20, "{program}: {} bytes of log", log.len());
        }
    });
}

#[test]
fn a_lock_ends_with_its_owner() {
    apart(|_, scratch| {
        let node = Node::new(scratch);
        node.commit("#!/bin/sh\necho begun >>/run/said\nif [ -e /run/wait ]; then echo $$ >/run/sleeps; exec sleep 60; fi\n");
        fs::write("/run/wait", "").unwrap();
        let mut first = start().stdout(Stdio::null()).spawn().unwrap();
        let end = Instant::now() + Duration::from_secs(60);
        while said().is_empty() {
            assert!(Instant::now() < end, "it never began");
            std::thread::sleep(Duration::from_millis(50));
        }
        // While it lives, nobody else runs.
        let second = start().output().unwrap();
        assert!(String::from_utf8_lossy(&second.stdout).contains("another run is under way"), "{second:?}");
        // It is killed; its program lives on, and so might somebody else by its number.
        first.kill().unwrap();
        first.wait().unwrap();
        fs::remove_file("/run/wait").unwrap();
        fs::create_dir_all("/run/dayfly/scripts").unwrap();
        fs::write("/run/dayfly/scripts/node.lock", format!("{}\n", std::process::id())).unwrap();
        outcome(&run_script(), "ran", "");
        assert_eq!(said(), "begun\nbegun\n");
        run("kill", &[fs::read_to_string("/run/sleeps").unwrap().trim()]);
    });
}

#[test]
fn a_name_is_no_path() {
    apart(|_, scratch| {
        let _node = Node::new(scratch);
        fs::write("/run/evil.conf", "touch /run/pwned\n").unwrap();
        for name in ["../../../run/evil", "", "-x", "a b", "a\nb", "/run/evil"] {
            let output = Command::new("sh").args(["/etc/dayfly/scripts/run", name]).output().unwrap();
            assert_eq!(output.status.code(), Some(2), "{name:?}: {output:?}");
            assert!(!Path::new(PWNED).exists(), "{name:?}");
        }
    });
}
