//! Images as users have them, mounted by the boot's own steps and the real kernel.

mod namespace;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dayfly_formats::cmdline::Cmdline;
use dayfly_init::events::Events;
use dayfly_init::{Failure, Modules, Runner};
use dayfly_plan::{
    Action, Code, Deadline, Integrity, Layer, LayerSource, OnFailure, Phase, Plan, Step, StepId,
};
use dayfly_sys::{Kernel, Sys};
use namespace::{apart, run, shell, tmpfs};

const FILE: &str = "LiveOS/squashfs.img";

/// Mounts a file of the initramfs as the boot does, and returns the OS's os-release.
fn mounted(image: &Path) -> Result<String, Failure> {
    let path = image.to_str().unwrap().to_owned();
    booted(&[layer(LayerSource::File(path), None)])
}

fn layer(source: LayerSource, sha256: Option<&str>) -> Layer {
    let integrity = sha256.map_or(Integrity::Unchecked, |sha256| Integrity::Sha256(sha256.parse().unwrap()));
    Layer { source, integrity, bytes: None }
}

/// The same with any layers.
fn booted(layers: &[Layer]) -> Result<String, Failure> {
    let sys: Arc<dyn Sys> = Arc::new(Kernel::new());
    let events = Events::start(&sys);
    let modules = Arc::new(Modules::new(Arc::clone(&sys), events.clone(), &Cmdline::parse("")));
    let mut runner = Runner::new(sys, events, modules);
    let step = |id, needs: &[StepId], action| Step {
        id,
        phase: Phase::Image,
        needs: needs.to_vec(),
        action,
        deadline: Deadline::Within(Duration::from_secs(30)),
        on_failure: OnFailure::Abort,
    };
    let layers = layers.to_vec();
    let mount = Action::MountImage { layers: layers.clone(), file: FILE.to_owned() };
    let steps = vec![
        step(StepId::Find, &[], Action::FindImage { layers: layers.clone() }),
        step(StepId::Verify, &[StepId::Find], Action::Verify { layers }),
        step(StepId::Image, &[StepId::Verify], mount),
    ];
    let plan = Plan { steps, ..Plan::default() };
    runner.run(&plan, None).map_err(|(_, failure)| failure)?;
    Ok(fs::read_to_string("/run/dayfly/l/etc/os-release").expect("the mounted OS"))
}

/// A namespace that the steps take for an initramfs: /run is empty, all modules are built in, the console is silent.
fn in_initramfs<T: Send>(test: impl FnOnce(&Path) -> T + Send) -> T {
    apart(|kernel, scratch| {
        use dayfly_sys::Devices;
        kernel.mount(&tmpfs(Path::new("/run"))).unwrap();
        kernel.mount(&tmpfs(Path::new("/lib/modules"))).unwrap();
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
        let folder = Path::new("/lib/modules").join(release.trim());
        fs::create_dir(&folder).unwrap();
        let built_in =
            ["loop", "squashfs", "erofs", "ext4", "xfs", "btrfs"].map(|name| format!("kernel/{name}.ko\n"));
        fs::write(folder.join("modules.builtin"), built_in.concat()).unwrap();
        for device in ["/dev/kmsg", "/dev/console"] {
            if Path::new(device).exists() {
                run("mount", &["--bind", "/dev/null", device]);
            }
        }
        let tree = scratch.join("os");
        fs::create_dir_all(tree.join("etc")).unwrap();
        fs::write(tree.join("etc/os-release"), "ID=test\n").unwrap();
        fs::write(tree.join("filler"), (0..70_001_u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>())
            .unwrap();
        test(scratch)
    })
}

/// Makes an image with a line of shell: `$tree` is the OS, `$image` the file.
fn make(scratch: &Path, script: &str) -> PathBuf {
    let image = scratch.join("image");
    let (tree, shown) = (scratch.join("os"), image.display());
    shell(&format!(
        "tree={}; image={shown}; scratch={}; exec >&2\n{script}",
        tree.display(),
        scratch.display()
    ));
    image
}

#[test]
fn images_of_every_kind_are_mounted() {
    for (name, script) in [
        ("squashfs", "mksquashfs $tree $image -quiet -no-progress -comp zstd"),
        // An odd length: the loop device alone would drop the last bytes.
        (
            "nopad.squashfs",
            "mksquashfs $tree $image -quiet -no-progress -nopad; test $(($(stat -c %s $image) % 512)) != 0",
        ),
        ("erofs", "mkfs.erofs --quiet $image $tree"),
        ("ext4", "truncate -s 8M $image; mkfs.ext4 -q -d $tree $image"),
        ("btrfs", "truncate -s 128M $image; mkfs.btrfs -q -r $tree $image"),
        (
            "rootfs.img in a squashfs",
            "mkdir -p $scratch/outer/LiveOS; truncate -s 8M $scratch/outer/LiveOS/rootfs.img; \
             mkfs.ext4 -q -d $tree $scratch/outer/LiveOS/rootfs.img; mksquashfs $scratch/outer $image -quiet -no-progress",
        ),
        (
            "GPT disk with a root's type",
            "truncate -s 8M $scratch/root; mkfs.ext4 -q -d $tree $scratch/root; truncate -s 24M $image; \
             sgdisk -n 1:2048:+1M -t 1:ef00 -n 2:0:+8M -t 2:8304 -n 3:0:+8M -t 3:8300 $image >/dev/null; \
             dd if=$scratch/root of=$image bs=512 seek=$(sgdisk -i 2 $image | awk '/First/ { print $3 }') conv=notrunc status=none; \
             dd if=$scratch/root of=$image bs=512 seek=$(sgdisk -i 3 $image | awk '/First/ { print $3 }') conv=notrunc status=none",
        ),
        (
            "MBR disk with one Linux",
            "truncate -s 8M $scratch/root; mkfs.ext4 -q -d $tree $scratch/root; truncate -s 16M $image; \
             printf '2048,2048,c\\n6144,16384,83\\n' | sfdisk -q $image; \
             dd if=$scratch/root of=$image bs=512 seek=6144 conv=notrunc status=none",
        ),
    ] {
        in_initramfs(|scratch| {
            let image = make(scratch, script);
            let found = mounted(&image).unwrap_or_else(|failure| panic!("{name}: {failure:?}"));
            assert_eq!(found, "ID=test\n", "{name}");
            let filler = fs::read("/run/dayfly/l/filler").unwrap();
            assert!(filler == fs::read(scratch.join("os/filler")).unwrap(), "{name}: the last bytes");
        });
    }
}

/// A copy in memory no longer needs its source, which may be in memory too.
#[test]
fn an_image_that_was_copied_lets_go_of_what_held_it() {
    for (padding, held) in [("", true), ("-nopad", false)] {
        in_initramfs(|scratch| {
            let script = format!(
                "mkdir -p $scratch/outer/LiveOS; \
                 mksquashfs $tree $scratch/outer/LiveOS/rootfs.img -quiet -no-progress {padding}; \
                 mksquashfs $scratch/outer $image -quiet -no-progress"
            );
            assert_eq!(mounted(&make(scratch, &script)).expect("a mounted image"), "ID=test\n", "{padding}");
            let mounts = fs::read_to_string("/proc/thread-self/mounts").unwrap();
            assert_eq!(mounts.contains(" /run/dayfly/outer1 "), held, "{padding}: {mounts}");
        });
    }
}

/// An unpadded image on a partition that is just long enough, with the hash of the file. The file cannot be told from a padded one.
#[test]
fn an_image_fills_its_partition() {
    in_initramfs(|scratch| {
        let image = make(scratch, "mksquashfs $tree $image -quiet -no-progress -nopad");
        let sha256 = shell(&format!("sha256sum <{}", image.display()));
        let (sha256, _) = sha256.split_once(' ').unwrap();
        shell(&format!("truncate -s %512 {}", image.display()));
        // The next block of 4096 bytes ends beyond the device.
        let sectors = fs::metadata(&image).unwrap().len() / 512;
        assert_ne!(sectors % 8, 0, "the tree of this test needs another size");
        let device = run("losetup", &["--find", "--show", "--read-only", image.to_str().unwrap()]);
        let wait = Duration::from_secs(20);
        let on_disk = |sha256: &str| {
            let source = LayerSource::Disk { device: device.trim().parse().unwrap(), file: None, wait };
            booted(&[layer(source, Some(sha256))])
        };
        let found = on_disk(sha256);
        let wrong = on_disk(&"0".repeat(64));
        run("losetup", &["--detach", device.trim()]);
        assert_eq!(found.expect("a mounted image"), "ID=test\n");
        assert!(wrong.unwrap_err().wrong.contains("expected 0000"));
    });
}

/// Three layers, each with another file system. The topmost has precedence, and none is mounted before all are decided.
#[test]
fn layers_lie_on_each_other() {
    in_initramfs(|scratch| {
        let image = make(scratch, "mksquashfs $tree $image -quiet -no-progress");
        let files: Vec<String> = ["site", "top"]
            .iter()
            .map(|name| {
                let (tree, file) = (scratch.join(name), scratch.join(format!("{name}.img")));
                fs::create_dir_all(tree.join("etc")).unwrap();
                fs::write(tree.join("etc/os-release"), format!("ID={name}\n")).unwrap();
                fs::write(tree.join(name), name).unwrap();
                run("mkfs.erofs", &["--quiet", file.to_str().unwrap(), tree.to_str().unwrap()]);
                file.to_str().unwrap().to_owned()
            })
            .collect();
        let sum = |file: &str| shell(&format!("sha256sum <{file} | cut -d' ' -f1")).trim().to_owned();
        let of = |file: &str, sha256: Option<&str>| layer(LayerSource::File(file.to_owned()), sha256);
        let base = of(image.to_str().unwrap(), None);
        let wrong = booted(&[base.clone(), of(&files[0], Some(&"0".repeat(64)))]).unwrap_err();
        assert_eq!(wrong.code, Code::ImageHashMismatch, "{wrong:?}");
        assert!(!Path::new("/run/dayfly/0").exists(), "a layer was mounted before all were decided");

        let layers = [base, of(&files[0], Some(&sum(&files[0]))), of(&files[1], Some(&sum(&files[1])))];
        assert_eq!(booted(&layers).expect("the overlay of all layers"), "ID=top\n");
        for name in ["filler", "site", "top"] {
            assert!(Path::new("/run/dayfly/l").join(name).exists(), "{name} is not there");
        }
        assert!(fs::write("/run/dayfly/l/new", "").is_err(), "the image can be written to");
    });
}

#[test]
fn what_is_no_image_is_named_with_the_way_out() {
    for (name, script, wrong, fix) in [
        ("gz", "echo x | gzip >$image", "compressed with gzip", "gunzip"),
        ("xz", "echo x | xz >$image", "compressed with xz", "unxz"),
        ("zst", "echo x | zstd -q >$image", "compressed with zstd", "unzstd"),
        ("bz2", "echo x | bzip2 >$image", "compressed with bzip2", "bunzip2"),
        ("tar", "tar -cf $image -C $tree .", "a tar archive", "sqfstar"),
        ("cpio", "cd $tree; find . | cpio --quiet -oH newc >$image", "a cpio archive", "mksquashfs"),
        ("zip", "printf 'PK\\3\\4' >$image; truncate -s 1M $image", "a zip archive", "unzip"),
        (
            "qcow2",
            "printf 'QFI\\373\\0\\0\\0\\3' >$image; truncate -s 1M $image",
            "(qcow2)",
            "qemu-img convert",
        ),
        ("vmdk", "printf KDMV >$image; truncate -s 1M $image", "(vmdk)", "qemu-img convert"),
        ("html", "echo '<!DOCTYPE html><title>404' >$image", "a web page", "curl -v"),
        ("empty", ": >$image", "it is empty", "again"),
        ("zeros", "truncate -s 1M $image", "zeros", "again"),
        ("kernel", "cp /boot/vmlinuz-* $image", "a Linux kernel", "boot loader"),
        ("swap", "truncate -s 1M $image; mkswap $image >/dev/null", "it is swap", "mksquashfs"),
        (
            "two roots",
            "truncate -s 24M $image; sgdisk -n 1:2048:+8M -t 1:8300 -n 2:0:+8M -t 2:8300 $image >/dev/null; \
             truncate -s 8M $scratch/root; mkfs.ext4 -q $scratch/root; \
             for n in 1 2; do dd if=$scratch/root of=$image bs=512 seek=$(sgdisk -i $n $image | awk '/First/ { print $3 }') conv=notrunc status=none; done",
            "1 (ext4, 16384 sectors from 2048), 2 (ext4, 16384 sectors from 18432)",
            "sgdisk -t N:8304",
        ),
        (
            "lzma squashfs",
            // The id of a compression that no kernel.org kernel ever had.
            "mksquashfs $tree $image -quiet -no-progress -noI -noD -noF; printf '\\2' | dd of=$image bs=1 seek=20 conv=notrunc status=none",
            "Invalid argument",
            "no mainline kernel ever supported lzma",
        ),
        (
            "cut squashfs",
            "mksquashfs $tree $image -quiet -no-progress; truncate -s 8192 $image",
            "it is truncated",
            "copy it again",
        ),
    ] {
        in_initramfs(|scratch| {
            let image = make(scratch, script);
            let failure = mounted(&image).expect_err(name);
            assert!(failure.wrong.contains(wrong), "{name}: {failure:?}");
            assert!(failure.fix.contains(fix), "{name}: {failure:?}");
        });
    }
}
