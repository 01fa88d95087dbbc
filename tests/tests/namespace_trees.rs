//! Compares copies of trees with `cp -a`.

mod namespace;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use dayfly_sys::{Devices, Files, Mount, MountFlags, own};
use namespace::{apart, run, shell, tmpfs};

/// One of everything that cp(1) preserves.
const TREE: &str = r"
    cd $TREE
    mkdir -p deep/er/est plain sockets mount
    echo hello > plain/file; chmod 4751 plain/file; chown 12:34 plain/file; chmod 4751 plain/file
    head -c 5000000 /dev/urandom > plain/large; : > plain/empty
    ln plain/file deep/hard; ln plain/file deep/er/hard; ln -s nowhere/at/all deep/dangling; chown -h 5:6 deep/dangling
    ln deep/dangling deep/er/dangling-too
    mkfifo -m 0620 plain/fifo; mknod -m 0604 plain/null c 1 3; mknod plain/loop b 7 200
    chmod 1777 deep/er; chmod 0 deep/er/est; chown 7:8 deep
    mkdir -p group/below; chown 9:10 group; echo x > group/plain; echo x > group/below/plain; ln -s x group/link; mkfifo group/fifo; chmod 2775 group
    mkdir acl; echo x > acl/plain; mkdir acl/below; setfattr -n system.posix_acl_default -v 0x0200000001000700ffffffff02000700e803000004000500ffffffff10000700ffffffff20000500ffffffff acl
    setfattr -n user.note -v words plain/file
    setfattr -n trusted.note -v words deep
    setfattr -h -n trusted.link -v words deep/dangling
    setfattr -n security.capability -v 0x0100000200040000000000000000000000000000 plain/large
    setfattr -n system.posix_acl_access -v 0x0200000001000600ffffffff02000400e803000004000400ffffffff10000400ffffffff20000400ffffffff plain/empty
    printf x > 'plain/odd
name'; printf y > plain/$(printf 'caf\351'); ln plain/$(printf 'caf\351') deep/$(printf 'caf\351')
    find . -depth -exec touch -h -d '2001-02-03 04:05:06.789' {} +
";

fn listing(dir: &Path) -> String {
    shell(&format!(
        "cd {}; find . -printf '%P|%y|%m|%U|%G|%T@|%n|%l\\n' | sort; find . -mindepth 1 -type f -printf '%P %s\\n' | sort;
         find . -type f -print0 | sort -z | xargs -0 sha256sum; find . -mindepth 1 -print0 | sort -z | xargs -0 getfattr -h -d -m - -e hex;
         stat -c '%n %t %T' plain/null plain/loop; ls -i plain/file deep/hard deep/er/hard | awk '{{print $1}}' | uniq | wc -l",
        dir.display()
    ))
}

#[test]
fn a_copy_is_what_cp_makes() {
    apart(|kernel, scratch| {
        let [tree, ours, theirs, image] = ["tree", "ours", "theirs", "image"].map(|name| scratch.join(name));
        for dir in [&tree, &ours, &theirs, &image] {
            kernel.make_dir(&own(dir), 0o755).unwrap();
        }
        shell(&format!("TREE={}; {TREE}", tree.display()));
        fs::set_permissions(&tree, std::os::unix::fs::PermissionsExt::from_mode(0o711)).unwrap();
        run("cp", &["-a", "--one-file-system", &format!("{}/.", tree.display()), theirs.to_str().unwrap()]);

        // From a tmpfs, and from a squashfs, for which the kernel uses other calls.
        let file = scratch.join("tree.squashfs");
        run("mksquashfs", &[tree.to_str().unwrap(), file.to_str().unwrap(), "-quiet", "-no-progress"]);
        let device = kernel.attach_loop(&dayfly_sys::Backing::Path(own(file))).unwrap();
        let flags = MountFlags { read_only: true, ..MountFlags::default() };
        let (fstype, source) = ("squashfs".to_owned(), device.to_str().unwrap().to_owned());
        kernel
            .mount(&Mount::New { fstype, source, target: own(&image), options: Vec::new(), flags })
            .unwrap();

        let expected = listing(&theirs);
        for from in [&tree, &image] {
            // Twice: the second copy overwrites the first.
            for round in 1..=2 {
                let copied = kernel.copy_tree(&own(from), &own(&ours), &[]).unwrap();
                let actual = listing(&ours);
                // squashfs keeps whole seconds, and no ACLs.
                let blunt = |text: &str| {
                    let text = text.replace(".7890000000", ".0000000000");
                    let of_acl = |line: &str| {
                        line.is_empty()
                            || ["# file: acl", "# file: plain/empty"].contains(&line)
                            || line.starts_with("system.posix_acl")
                    };
                    text.lines().filter(|line| !of_acl(line)).collect::<Vec<_>>().join("\n")
                };
                if from == &tree {
                    assert_eq!(actual, expected, "round {round}");
                } else {
                    assert_eq!(blunt(&actual), blunt(&expected), "round {round}");
                }
                assert_eq!(fs::metadata(&ours).unwrap().mode() & 0o7777, 0o711);
                let entries: u64 = shell(&format!("find {} -mindepth 1 -printf x | wc -c", theirs.display()))
                    .trim()
                    .parse()
                    .unwrap();
                assert_eq!(
                    (copied.entries, copied.bytes),
                    (entries, 6 + 5_000_000 + 2 + 6),
                    "{}",
                    from.display()
                );
            }
            kernel.remove_tree(&own(&ours)).unwrap();
            kernel.make_dir(&own(&ours), 0o755).unwrap();
        }
    });
}

#[test]
fn a_single_file_is_copied_with_everything_and_bound() {
    apart(|kernel, scratch| {
        let (from, to, place) = (scratch.join("from"), scratch.join("to"), scratch.join("place"));
        let make = "echo hello > from; chmod 4640 from; chown 12:34 from; chmod 4640 from; setfattr -n user.note -v words from; touch -d '2001-02-03 04:05:06.789' from; echo covered > place";
        shell(&format!("cd {}; {make}", scratch.display()));
        kernel.copy_file(&own(&from), &own(&to)).unwrap();
        let look = |name: &str| {
            shell(&format!(
                "cd {}; stat -c '%a %u %g %Y' {name}; cat {name}; getfattr -d {name} | tail -n +2",
                scratch.display()
            ))
        };
        assert_eq!(look("to"), look("from"));
        assert!(kernel.copy_file(&own(&from), &own(&to)).is_err(), "an existing file was overwritten");
        kernel
            .mount(&Mount::Bind {
                source: own(&to),
                target: own(&place),
                recursive: false,
                flags: MountFlags { nodev: true, ..MountFlags::default() },
            })
            .unwrap();
        fs::write(&place, "through\n").unwrap();
        assert_eq!(fs::read_to_string(&to).unwrap(), "through\n");
        let replaced = fs::rename(&from, &place).unwrap_err();
        assert_eq!(replaced.raw_os_error(), Some(16), "EBUSY, as the documentation says: {replaced}");
    });
}

#[test]
fn mounts_and_sockets_stay_behind() {
    apart(|kernel, scratch| {
        let (tree, copy) = (scratch.join("tree"), scratch.join("copy"));
        kernel.make_dir(&own(tree.join("mount")), 0o755).unwrap();
        kernel.make_dir(&own(tree.join("bound")), 0o755).unwrap();
        kernel.make_dir(&own(tree.join("source")), 0o755).unwrap();
        kernel.make_dir(&own(&copy), 0o755).unwrap();
        kernel.write(&own(tree.join("source/file")), b"x", 0o644).unwrap();
        kernel.mount(&tmpfs(&tree.join("mount"))).unwrap();
        kernel.write(&own(tree.join("mount/file")), b"x", 0o644).unwrap();
        // The same file system, so that device numbers do not differ.
        let flags = MountFlags::default();
        let (source, target) = (tree.join("source"), tree.join("bound"));
        kernel
            .mount(&Mount::Bind { source: own(source), target: own(target), recursive: false, flags })
            .unwrap();
        let _socket = UnixListener::bind(tree.join("socket")).unwrap();
        let copied = kernel.copy_tree(&own(&tree), &own(&copy), &[]).unwrap();
        let found = shell(&format!("cd {}; find . | sort", copy.display()));
        assert_eq!(found, ".\n./bound\n./mount\n./source\n./source/file\n");
        assert_eq!((copied.entries, copied.bytes), (4, 1));

        // A removal does not enter them, either.
        let error = kernel.remove_tree(&own(&tree)).unwrap_err();
        assert!(error.to_string().contains("busy"), "{error}");
        assert!(tree.join("mount/file").exists() && tree.join("bound").exists());
        // The files in the bind mount were removed by their other path, which is on this mount.
        assert!(!tree.join("source").exists() || !tree.join("source/file").exists());
    });
}

/// A process may have 1024 descriptors open, and a path 4096 bytes; trees have neither limit. Copying a tree of 510 levels once
/// failed with EMFILE.
#[test]
fn trees_of_any_depth_are_copied_and_removed() {
    apart(|kernel, scratch| {
        let deep = "import os, sys\nos.chdir(sys.argv[1])\nfor i in range(10000):\n os.mkdir('d'); os.chdir('d')\nopen('leaf', 'w').write('x')";
        let [tree, copy] = ["tree", "copy"].map(|name| scratch.join(name));
        for dir in [&tree, &copy] {
            kernel.make_dir(&own(dir), 0o755).unwrap();
        }
        run("python3", &["-c", deep, tree.to_str().unwrap()]);
        let copied = kernel.copy_tree(&own(&tree), &own(&copy), &[]).unwrap();
        assert_eq!((copied.entries, copied.bytes), (10_001, 1));
        for dir in [tree, copy] {
            kernel.remove_tree(&own(&dir)).unwrap();
            assert!(!dir.exists());
        }
    });
}
