//! Paths of a tree under attack: whatever the tree contains, nothing outside is read, written, mounted on or removed.

mod namespace;

use std::fs;
use std::path::{Path, PathBuf};

use dayfly_sys::{Devices, Files, Kernel, Mount, MountFlags, Result, Tree, TreePath};
use namespace::{apart, leaked, shell};

/// How a tree was prepared: the path `trap` leads out of it, as this process sees it.
const HOSTILE: [(&str, &str); 6] = [
    ("absolute", "ln -s $OUT trap"),
    ("relative", "ln -s ../../../../../../../../../..$OUT trap"),
    ("of another user", "mkdir -p .$OUT; ln -s $OUT trap; chown -h 1000:1000 trap"),
    ("by a folder above", "ln -s ../.. up; ln -s up/../../../../../../../../$OUT trap"),
    ("a chain", "ln -s $OUT c; ln -s c b; ln -s b trap"),
    ("a circle", "ln -s other trap; ln -s trap other"),
];

type Operation = fn(&Kernel, &TreePath) -> Result<()>;

/// Every operation with a path, through the trap and on the trap itself.
const OPERATIONS: [(&str, Operation); 14] = [
    ("read", |kernel, trap| kernel.read(&trap.join("victim")).map(drop)),
    ("read_at", |kernel, trap| kernel.read_at(&trap.join("victim"), 0, 4).map(drop)),
    ("list", |kernel, trap| kernel.list(trap).map(drop)),
    ("set_owner", |kernel, trap| kernel.set_owner(&trap.join("victim"), 7, 7)),
    ("set_modified", |kernel, trap| kernel.set_modified(&trap.join("victim"), 7)),
    ("write", |kernel, trap| kernel.write(&trap.join("new"), b"new", 0o644)),
    ("write over", |kernel, trap| kernel.write(&trap.join("victim"), b"new", 0o644)),
    ("make_dir", |kernel, trap| kernel.make_dir(&trap.join("folder"), 0o755)),
    ("symlink", |kernel, trap| kernel.symlink(Path::new("/x"), &trap.join("link"))),
    ("rename", |kernel, trap| kernel.rename(&trap.join("victim"), &trap.parent().join("stolen"))),
    ("remove_tree", |kernel, trap| kernel.remove_tree(&trap.join("folder-there"))),
    ("copy_tree", |kernel, trap| {
        kernel.make_dir(&trap.parent().join("copy"), 0o755)?;
        kernel.copy_tree(trap, &trap.parent().join("copy"), &[]).map(drop)
    }),
    ("mount", |kernel, trap| kernel.mount(&memory_on(trap))),
    ("bind", |kernel, trap| {
        let (source, target) = (trap.parent(), trap.join("folder-there"));
        kernel.mount(&Mount::Bind { source, target, recursive: false, flags: MountFlags::default() })
    }),
];

/// Makes the folder `root` of a tree, and beside it files that must not change.
fn prepare(scratch: &Path, name: &str, script: &str) -> (PathBuf, PathBuf) {
    let (root, outside) = (scratch.join(name).join("root"), scratch.join(name).join("outside"));
    fs::create_dir_all(&root).unwrap();
    fs::create_dir_all(outside.join("folder-there/deep")).unwrap();
    fs::write(outside.join("victim"), "secret").unwrap();
    shell(&format!("OUT={}; cd {}; {script}", outside.display(), root.display()));
    (root, outside)
}

fn memory_on(target: &TreePath) -> Mount {
    Mount::New {
        fstype: "tmpfs".to_owned(),
        source: "tmpfs".to_owned(),
        target: target.clone(),
        options: Vec::new(),
        flags: MountFlags::default(),
    }
}

/// A list of a tree: names, owners, contents, mounts.
fn state(dir: &Path) -> String {
    let shown = dir.display();
    shell(&format!(
        "cd {shown}; find . -printf '%P|%y|%m|%U|%G|%T@|%l\\n' | sort; find . -type f -exec sha256sum {{}} + | sort; \
         grep -c ' {shown}' /proc/thread-self/mountinfo || true"
    ))
}

#[test]
fn nothing_in_a_tree_leads_out_of_it() {
    apart(|kernel, scratch| {
        let mut number = 0;
        for (trap, script) in HOSTILE {
            for (name, operation) in OPERATIONS {
                number += 1;
                let (root, outside) = prepare(scratch, &number.to_string(), script);
                let before = state(&outside);
                for tree in [Tree::os(leaked(&root)), Tree::image(leaked(&root)), Tree::plain(leaked(&root))]
                {
                    // It may succeed inside the tree; only the outside is checked.
                    let done = operation(kernel, &tree.at("trap"));
                    assert_eq!(state(&outside), before, "{name} through {trap}: {done:?}");
                    if tree == Tree::plain(tree.root()) || trap == "of another user" {
                        let error = done.unwrap_err().to_string();
                        assert!(error.contains("symlink"), "{name} through {trap}: {error}");
                    }
                }
                assert!(
                    !root.join("stolen").exists() && !root.join("copy/victim").exists(),
                    "{name}, {trap}"
                );
            }
        }
    });
}

/// A configuration file may be a FIFO that blocks its reader for ever, or a device.
#[test]
fn only_plain_files_are_read() {
    apart(|kernel, scratch| {
        shell(&format!("cd {}; mkfifo pipe; mknod null c 1 3; mkdir folder", scratch.display()));
        for name in ["pipe", "null", "folder"] {
            let error = kernel.read(&Tree::os(leaked(scratch)).at(name)).unwrap_err();
            assert!(error.to_string().contains("not a regular file"), "{name}: {error}");
        }
    });
}

/// A layout as of ostree: the mount goes to the link's target.
#[test]
fn a_link_of_the_image_leads_a_mount_inside_the_os() {
    apart(|kernel, scratch| {
        shell(&format!("cd {}; mkdir -p root/var/home kept; ln -s /var/home root/home", scratch.display()));
        let os = Tree::os(leaked(&scratch.join("root")));
        let place = kernel.resolve(&os.at("/home")).unwrap();
        assert_eq!(place, os.at("/var/home"));
        kernel.mount(&memory_on(&os.at("/home"))).unwrap();
        kernel.write(&os.at("/home/file"), b"x", 0o644).unwrap();
        assert!(scratch.join("root/var/home/file").exists());
        kernel.mount(&Mount::Unmount { target: os.at("/home"), lazy: false }).unwrap();
        assert!(!scratch.join("root/var/home/file").exists());
    });
}
