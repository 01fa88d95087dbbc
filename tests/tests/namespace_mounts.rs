//! Mounts and loop devices against the real kernel, with sys-mount, loopdev-3 and losetup as second opinions.

mod namespace;

use std::fs;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use dayfly_sys::{
    Backing, Devices, Files, Kernel, Mount, MountFlags, Platform, SysError, Tree, Writable, own,
};
use namespace::{apart, run, shell, tmpfs};

const EROFS: Option<i32> = Some(nix::errno::Errno::EROFS as i32);
const READ_ONLY: MountFlags =
    MountFlags { read_only: true, nodev: false, nosuid: false, noexec: false, noatime: false };

fn image(kernel: &Kernel, scratch: &Path, fstype: &str) -> (PathBuf, PathBuf) {
    let tree = scratch.join("tree");
    fs::create_dir_all(tree.join("etc")).unwrap();
    fs::write(tree.join("etc/os-release"), "ID=test\n").unwrap();
    fs::write(tree.join("large"), vec![7; 3 << 20]).unwrap();
    let (tree, file) = (tree.to_str().unwrap(), scratch.join(fstype));
    match fstype {
        "squashfs" => {
            run("mksquashfs", &[tree, file.to_str().unwrap(), "-quiet", "-no-progress", "-comp", "zstd"])
        }
        "erofs" => run("mkfs.erofs", &[file.to_str().unwrap(), tree]),
        other => panic!("no image of {other}"),
    };
    let mut memory = kernel.ram_file("image").unwrap();
    memory.write_all(&fs::read(&file).unwrap()).unwrap();
    (kernel.attach_loop(&memory.backing().unwrap()).unwrap(), file)
}

fn mount_image(fstype: &str, device: &Path, target: &Path) -> Mount {
    Mount::New {
        fstype: fstype.into(),
        source: device.to_str().unwrap().into(),
        target: own(target),
        options: Vec::new(),
        flags: READ_ONLY,
    }
}

/// A row of the mount table, as util-linux reads it.
#[derive(Debug)]
struct Row {
    source: String,
    fstype: String,
    options: Vec<String>,
}

/// The topmost mount at a path in this thread's namespace.
fn seen(target: &Path) -> Option<Row> {
    let text = run("findmnt", &["--json", "--list", "--tab-file", "/proc/thread-self/mountinfo"]);
    let table: serde_json::Value = serde_json::from_str(&text).unwrap();
    let field = |row: &serde_json::Value, name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let row = table["filesystems"]
        .as_array()?
        .iter()
        .rev()
        .find(|row| Path::new(&field(row, "target")) == target)?;
    let mut options: Vec<String> = field(row, "options").split(',').map(str::to_owned).collect();
    options.sort();
    Some(Row { source: field(row, "source"), fstype: field(row, "fstype"), options })
}

#[test]
fn a_root_is_left_for_one_in_memory() {
    apart(|kernel, scratch| {
        let (root, disk) = (scratch.join("root"), scratch.join("disk"));
        for dir in ["etc", "usr", "proc", "sys", "dev", "run"] {
            fs::create_dir_all(root.join(dir)).unwrap();
        }
        fs::write(root.join("etc/os-release"), "ID=test\n").unwrap();
        fs::File::create(&disk).unwrap().set_len(16 << 20).unwrap();
        let (shown, image) = (root.to_str().unwrap(), disk.to_str().unwrap());
        run("mkfs.ext4", &["-q", "-d", shown, image]);
        // As an initramfs leaves it: writable, with a file system below, the kernel's file systems mounted, all shared.
        run("mount", &["-o", "loop", image, shown]);
        kernel.mount(&tmpfs(&root.join("usr"))).unwrap();
        fs::write(root.join("usr/program"), "x").unwrap();
        run("mount", &["--rbind", "/proc", root.join("proc").to_str().unwrap()]);
        kernel.mount(&tmpfs(&root.join("run"))).unwrap();
        run("mount", &["--make-rshared", shown]);
        nix::unistd::chroot(&root).unwrap();
        nix::unistd::chdir("/").unwrap();

        let old = Path::new("/run/dayfly/l");
        kernel.leave_root(Tree::plain("/run/dayfly/l")).unwrap();
        let names: Vec<String> = kernel.list(&own("/")).unwrap().into_iter().map(|e| e.name).collect();
        assert_eq!(names, ["proc", "run"]);
        assert_eq!(fs::read_to_string(old.join("etc/os-release")).unwrap(), "ID=test\n");
        assert_eq!(fs::read_to_string(old.join("usr/program")).unwrap(), "x");
        assert!(fs::read_dir(old.join("proc")).unwrap().next().is_none(), "/proc was not moved");
        fs::write("/file", "in memory").unwrap();
        assert!(!old.join("file").exists());

        let freeze = Mount::ReadOnly { target: own(old) };
        let writer = fs::File::create(old.join("etc/open")).unwrap();
        let error = kernel.mount(&freeze).unwrap_err();
        assert_eq!(error.errno(), Some(nix::errno::Errno::EBUSY as i32), "{error}");
        drop(writer);
        kernel.mount(&freeze).unwrap();
        for place in ["etc/new", "usr/new"] {
            assert_eq!(fs::write(old.join(place), "x").unwrap_err().raw_os_error(), EROFS, "{place}");
        }
        let table = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
        let row = table.lines().find(|line| line.contains(" /run/dayfly/l ")).unwrap();
        assert!(
            row.rsplit(' ').next().unwrap().starts_with("ro"),
            "the file system is still writable: {row}"
        );
    });
}

#[test]
fn an_image_in_memory_is_mounted_and_its_device_clears_itself() {
    for fstype in ["squashfs", "erofs"] {
        apart(|kernel, scratch| {
            let (device, file) = image(kernel, scratch, fstype);
            let target = scratch.join("mnt");
            kernel.make_dir(&own(&target), 0o755).unwrap();
            kernel.mount(&mount_image(fstype, &device, &target)).unwrap();
            assert_eq!(kernel.read(&own(target.join("etc/os-release"))).unwrap(), b"ID=test\n", "{fstype}");
            assert_eq!(fs::read(target.join("large")).unwrap(), vec![7; 3 << 20]);

            // The independent implementations: sys-mount's mount(2) of the same device gives the same row in the table, and
            // loopdev-3 does not offer the device as free.
            let row = seen(&target).expect("the mount in the table");
            assert_eq!((row.source.as_str(), row.fstype.as_str()), (device.to_str().unwrap(), fstype));
            let other = scratch.join("other");
            kernel.make_dir(&own(&other), 0o755).unwrap();
            let flags = sys_mount::MountFlags::RDONLY;
            sys_mount::Mount::builder().fstype(fstype).flags(flags).mount(&device, &other).unwrap();
            assert_eq!(seen(&other).unwrap().options, row.options);
            sys_mount::unmount(&other, sys_mount::UnmountFlags::empty()).unwrap();
            assert_eq!(loopdev::LoopDevice::open(&device).unwrap().major().unwrap(), 7);
            let free = loopdev::LoopControl::open().unwrap().next_free().unwrap();
            assert_ne!(free.path().as_deref(), Some(&*device));
            let columns = "NAME,RO,AUTOCLEAR,SIZELIMIT,OFFSET,LOG-SEC";
            let json = run("losetup", &["--json", "--list", "--output", columns, device.to_str().unwrap()]);
            let table: serde_json::Value = serde_json::from_str(&json).unwrap();
            let row = &table["loopdevices"][0];
            assert_eq!(
                (&row["ro"], &row["autoclear"], &row["log-sec"]),
                (&true.into(), &true.into(), &512.into()),
                "{json}"
            );
            let bytes: u64 =
                run("blockdev", &["--getsize64", device.to_str().unwrap()]).trim().parse().unwrap();
            assert_eq!(bytes, fs::metadata(&file).unwrap().len() / 512 * 512);

            kernel.mount(&Mount::Unmount { target: own(target), lazy: false }).unwrap();
            let backing = format!("/sys/block/{}/loop", device.file_name().unwrap().to_str().unwrap());
            for _ in 0..100 {
                if !Path::new(&backing).exists() {
                    return;
                }
                kernel.sleep(std::time::Duration::from_millis(20));
            }
            panic!("{fstype}: {} is still attached", device.display());
        });
    }
}

#[test]
fn an_image_on_a_disk_is_mounted_from_its_path() {
    apart(|kernel, scratch| {
        let (first, file) = image(kernel, scratch, "squashfs");
        let device = kernel.attach_loop(&Backing::Path(own(&file))).unwrap();
        assert_ne!(first, device, "an attached device was given out again");
        let shown = run("losetup", &["--noheadings", "--output", "BACK-FILE", device.to_str().unwrap()]);
        assert_eq!(Path::new(shown.trim()).file_name(), file.file_name());
        let target = scratch.join("mnt");
        kernel.make_dir(&own(&target), 0o755).unwrap();
        kernel.mount(&mount_image("squashfs", &device, &target)).unwrap();
        assert!(target.join("etc/os-release").exists());
        kernel.mount(&Mount::Unmount { target: own(target), lazy: false }).unwrap();
    });
}

fn layers(kernel: &Kernel, scratch: &Path) -> [PathBuf; 5] {
    let dirs = ["top:layer", "bottom\\layer", "upper", "work", "root"].map(|name| scratch.join(name));
    for dir in &dirs {
        kernel.make_dir(&own(dir), 0o755).unwrap();
    }
    fs::write(dirs[0].join("both"), "top").unwrap();
    fs::write(dirs[1].join("both"), "bottom").unwrap();
    fs::write(dirs[1].join("below"), "bottom").unwrap();
    dirs
}

#[test]
fn an_overlay_shows_the_topmost_layer_and_keeps_changes_above() {
    apart(|kernel, scratch| {
        let [top, bottom, upper, work, root] = layers(kernel, scratch);
        let overlay = Mount::Overlay {
            lower: vec![own(&top), own(&bottom)],
            writable: Some(Writable { upper: own(&upper), work: own(work) }),
            target: own(&root),
        };
        kernel.mount(&overlay).unwrap();
        assert_eq!(kernel.read(&own(root.join("both"))).unwrap(), b"top");
        kernel.write(&own(root.join("below")), b"changed", 0o644).unwrap();
        assert_eq!(fs::read(bottom.join("below")).unwrap(), b"bottom");
        assert_eq!(fs::read(upper.join("below")).unwrap(), b"changed");
        assert_eq!(seen(&root).unwrap().fstype, "overlay");
    });
}

#[test]
fn a_read_only_bind_leaves_its_source_writable() {
    apart(|kernel, scratch| {
        let (source, target) = (scratch.join("source"), scratch.join("target"));
        kernel.make_dir(&own(source.join("sub")), 0o755).unwrap();
        kernel.make_dir(&own(&target), 0o755).unwrap();
        kernel.mount(&tmpfs(&source.join("sub"))).unwrap();
        let flags = MountFlags { nosuid: true, ..READ_ONLY };
        let bind = Mount::Bind { source: own(&source), target: own(&target), recursive: true, flags };
        kernel.mount(&bind).unwrap();
        for (dir, errno) in [(&target, EROFS), (&target.join("sub"), EROFS), (&source, None)] {
            let made = kernel.write(&own(dir.join("file")), b"x", 0o644);
            assert_eq!(made.err().and_then(|error| error.errno()), errno, "{}", dir.display());
        }
        let row = seen(&target).unwrap();
        assert!(row.options.contains(&"ro".into()) && row.options.contains(&"nosuid".into()), "{row:?}");
    });
}

#[test]
fn mounts_move_are_shared_and_go_even_when_busy() {
    apart(|kernel, scratch| {
        let (a, b) = (scratch.join("a"), scratch.join("b"));
        kernel.make_dir(&own(&a), 0o755).unwrap();
        kernel.make_dir(&own(&b), 0o755).unwrap();
        kernel.mount(&tmpfs(&a)).unwrap();
        kernel.write(&own(a.join("file")), b"x", 0o644).unwrap();
        kernel.mount(&Mount::Move { source: own(&a), target: own(&b) }).unwrap();
        assert!(!a.join("file").exists() && b.join("file").exists());
        kernel.mount(&Mount::Shared { target: own(&b) }).unwrap();
        let shared = run("findmnt", &["--noheadings", "--output", "PROPAGATION", b.to_str().unwrap()]);
        assert_eq!(shared.trim(), "shared");
        let busy = fs::File::open(b.join("file")).unwrap();
        let error = kernel.mount(&Mount::Unmount { target: own(&b), lazy: false }).unwrap_err();
        assert_eq!(error.errno(), Some(nix::errno::Errno::EBUSY as i32), "{error}");
        kernel.mount(&Mount::Unmount { target: own(&b), lazy: true }).unwrap();
        assert!(!b.join("file").exists());
        drop(busy);
    });
}

/// systemd shares every mount with every other namespace, in an initramfs too. A bind of a shared mount repeats the mounts below
/// the other.
#[test]
fn nothing_is_mounted_twice_below_a_shared_root() {
    apart(|kernel, scratch| {
        kernel.mount(&Mount::Shared { target: own(scratch) }).unwrap();
        let bind = |source: &str, target: &str| Mount::Bind {
            source: own(scratch.join(source)),
            target: own(scratch.join(target)),
            recursive: false,
            flags: MountFlags::default(),
        };
        for dir in ["root", "copy"] {
            kernel.make_dir(&own(scratch.join(dir)), 0o755).unwrap();
        }
        kernel.mount(&tmpfs(&scratch.join("root"))).unwrap();
        for dir in ["root/usr", "root/usr/local"] {
            kernel.make_dir(&own(scratch.join(dir)), 0o755).unwrap();
        }
        kernel.mount(&bind("root", "copy")).unwrap();
        kernel.mount(&bind("copy/usr", "root/usr")).unwrap();
        kernel.mount(&tmpfs(&scratch.join("root/usr/local"))).unwrap();
        let below = format!("{}/", scratch.display());
        let table =
            run("findmnt", &["-rno", "TARGET,PROPAGATION", "--tab-file", "/proc/thread-self/mountinfo"]);
        let mounts: Vec<&str> = table.lines().filter_map(|line| line.strip_prefix(&below)).collect();
        assert_eq!(
            mounts,
            ["root private", "copy private", "root/usr private", "root/usr/local private"],
            "{table}"
        );
    });
}

fn refused(kernel: &Kernel, mount: &Mount) -> SysError {
    kernel.mount(mount).expect_err("the kernel refuses it")
}

#[test]
fn the_kernels_own_words_are_in_the_error() {
    apart(|kernel, scratch| {
        let [top, _, upper, work, root] = layers(kernel, scratch);
        let overlay = |option: &str, value: &str| Mount::New {
            fstype: "overlay".into(),
            source: "overlay".into(),
            target: own(&root),
            options: vec![(option.to_owned(), Some(value.to_owned()))],
            flags: MountFlags::default(),
        };
        let error = refused(kernel, &overlay("no_such_option", "1"));
        assert!(error.kernel_log.iter().any(|line| line.contains("no_such_option")), "{error:?}");
        assert!(error.words.contains("at option \"no_such_option\""), "{error}");
        assert!(error.kernel_log.iter().all(|line| !line.starts_with("e ")), "{error:?}");

        let error = refused(kernel, &overlay("lowerdir", &"/x".repeat(128)));
        assert!(error.words.contains("has 256 bytes, but the kernel accepts at most 255"), "{error}");
        // One byte less is the kernel's to refuse, with another reason.
        let error = refused(kernel, &overlay("lowerdir", &format!("/{}", "/x".repeat(127))));
        assert!(!error.words.contains("at most 255"), "{error}");

        let on_overlay = Mount::Overlay {
            lower: vec![own(top)],
            writable: Some(Writable { upper: own(upper.join("gone")), work: own(work) }),
            target: own(&root),
        };
        let error = refused(kernel, &on_overlay);
        assert_eq!(error.operation, "mount overlay");
        assert!(!error.kernel_log.is_empty() || error.is_not_found(), "{error:?}");

        let error = refused(kernel, &mount_image("no-such-fs", Path::new("none"), &root));
        assert!(error.words.contains("the kernel does not support no-such-fs"), "{error}");

        fs::write(scratch.join("garbage"), vec![0x55; 64 << 10]).unwrap();
        let device = kernel.attach_loop(&Backing::Path(own(scratch.join("garbage")))).unwrap();
        let error = refused(kernel, &mount_image("squashfs", &device, &root));
        assert_eq!(error.errno(), Some(nix::errno::Errno::EINVAL as i32), "{error:?}");
        assert!(error.subject.starts_with(device.to_str().unwrap()), "{error}");
        println!("{error}");

        let error = refused(kernel, &tmpfs(&scratch.join("nowhere")));
        assert!(error.is_not_found(), "{error}");
    });
}

#[test]
fn the_switch_moves_what_the_os_needs_and_enters_the_new_root() {
    apart(|kernel, scratch| {
        // A small machine: its root is a tmpfs, and the host's own root is unreachable before the switch.
        let machine = scratch.join("machine");
        kernel.make_dir(&own(&machine), 0o755).unwrap();
        kernel.mount(&tmpfs(&machine)).unwrap();
        for dir in ["proc", "sys", "run", "dev", "new", "old"] {
            kernel.make_dir(&own(machine.join(dir)), 0o755).unwrap();
        }
        shell(&format!(
            "cd {}; mount -t proc proc proc; mount -t tmpfs tmpfs run; mount --bind /dev dev;
             echo kept > marker; echo r > run/r; pivot_root . old",
            machine.display()
        ));
        kernel.mount(&Mount::Unmount { target: own("/old"), lazy: true }).unwrap();
        assert!(Path::new("/marker").exists() && !Path::new("/old/etc").exists());

        let error = kernel.switch_root(Tree::plain("/gone")).unwrap_err();
        assert!(error.is_not_found(), "{error}");
        let error = kernel.switch_root(Tree::plain("/new")).unwrap_err();
        assert!(error.words.contains("it is on the initramfs itself"), "{error}");
        assert!(Path::new("/marker").exists());

        let old = fs::File::open("/").unwrap();
        kernel.mount(&tmpfs(Path::new("/new"))).unwrap();
        kernel.write(&own("/new/etc/os-release"), b"ID=new\n", 0o644).unwrap();
        kernel.switch_root(Tree::plain("/new")).unwrap();
        assert_eq!(fs::read("/etc/os-release").unwrap(), b"ID=new\n");
        assert_eq!(fs::read("/run/r").unwrap(), b"r\n");
        assert!(Path::new("/proc/self/status").exists() && Path::new("/dev/null").exists());
        assert!(!Path::new("/marker").exists() && !Path::new("/sys/kernel").exists());
        // The switch does not empty a root that is not the kernel's rootfs, because it may be a layer of the new one.
        assert_eq!(fs::read(format!("/proc/self/fd/{}/marker", old.as_raw_fd())).unwrap(), b"kept\n");
    });
}

#[test]
fn a_device_that_something_uses_is_said_to_be_used() {
    apart(|kernel, scratch| {
        let (disk, target) = (scratch.join("disk"), scratch.join("mounted"));
        fs::File::create(&disk).unwrap().set_len(16 << 20).unwrap();
        run("mkfs.ext4", &["-q", disk.to_str().unwrap()]);
        fs::create_dir(&target).unwrap();
        let device = kernel.attach_loop(&Backing::Path(own(disk))).unwrap();
        assert_eq!(kernel.check_unused(&own(&device)), Ok(()));
        kernel.mount(&mount_image("ext4", &device, &target)).unwrap();
        let error = kernel.check_unused(&own(&device)).unwrap_err();
        assert_eq!(error.errno(), Some(nix::libc::EBUSY), "{error}");
        kernel.mount(&Mount::Unmount { target: own(target), lazy: false }).unwrap();
    });
}
