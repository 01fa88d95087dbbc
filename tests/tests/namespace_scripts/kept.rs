//! Files that an attacker left in /var.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::namespace::{apart, run, shell};
use crate::node::{Node, TREE, enemy, git, outcome, reboot, run_script, said};

/// The tree of an earlier boot with a configuration that has Git run commands, in every way that Git has.
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
            // Where an older Dayfly stored it, and where this one does.
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

/// Files of the persistent tree that Git is told to ignore: its index, its excludes, its objects.
#[test]
fn a_kept_program_that_is_not_the_repositorys_does_not_run() {
    apart(|_, scratch| {
        let node = Node::new(scratch);
        outcome(&run_script(), "ran", "");
        git(Path::new(TREE), &["update-index", "--assume-unchanged", "run.sh"]);
        enemy(&format!("{TREE}/run.sh"));
        reboot();
        outcome(&run_script(), "diverged", "has uncommitted changes");
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
        // Ignored files are not part of the new tree.
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
        // Folders of another user are root's again before anything is written there.
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
