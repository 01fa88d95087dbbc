//! The script with which a node runs programs from Git repositories, with real git and a real TLS server. An attacker who had the
//! disk before wrote the files in /var; the server's commits are what its owner wants to run.

mod kept;
#[path = "../namespace/mod.rs"]
mod namespace;
mod node;

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use namespace::{apart, run};
use node::{Node, PWNED, TREE, configure, enemy, git, outcome, reboot, result, run_script, said, start};

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
        // Manual git commands in the tree work as in any other.
        git(Path::new(TREE), &["status"]);
        // Uncommitted changes, in this boot and in the next.
        fs::write(format!("{TREE}/run.sh"), "#!/bin/sh\ntouch /run/pwned\n").unwrap();
        outcome(&run_script(), "diverged", "has uncommitted changes");
        reboot();
        outcome(&run_script(), "diverged", "has uncommitted changes");
        assert!(fs::read_to_string(format!("{TREE}/run.sh")).unwrap().contains("pwned"), "it is left alone");
        git(Path::new(TREE), &["checkout", "--quiet", "run.sh"]);
        fs::write(format!("{TREE}/more"), "").unwrap();
        reboot();
        outcome(&run_script(), "diverged", "has uncommitted changes");
        fs::remove_file(format!("{TREE}/more")).unwrap();
        // A history that was rewritten, in the next boot and in this one.
        git(&node.work, &["reset", "--quiet", "--hard", "HEAD~1"]);
        node.commit("#!/bin/sh\necho other >>/run/said\n");
        reboot();
        outcome(&run_script(), "diverged", "have diverged");
        run("rm", &["-r", TREE]);
        outcome(&run_script(), "ran", "");
        git(&node.work, &["reset", "--quiet", "--hard", "HEAD~1"]);
        node.commit("#!/bin/sh\necho third >>/run/said\n");
        outcome(&run_script(), "diverged", "have diverged");
        assert_eq!(said(), "other\n");
        drop(fs::remove_dir_all(node.served.join("node.git")));
        outcome(&run_script(), "unreachable", "node.git");
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
        // A branch does not become an option, a refspec that writes elsewhere, or a command, either.
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

/// A submodule and a `.gitmodules` of the repository are data: none of it is fetched or run.
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
        // In the persistent tree, the attacker's repository is in its place.
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
            assert!(Instant::now() < end, "the program did not start");
            std::thread::sleep(Duration::from_millis(50));
        }
        // While it runs, no second run starts.
        let second = start().output().unwrap();
        assert!(String::from_utf8_lossy(&second.stdout).contains("another run is in progress"), "{second:?}");
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
