//! `dayfly initramfs` and `dayfly modules` as a user runs them: over a small made-up kernel, and over Debian's.

mod archive;
mod kernel;

use std::fs;
use std::io::Read;
use std::path::Path;

use archive::{files, listed};
use kernel::{Bench, RELEASE, dayfly, program};

#[test]
fn the_image_holds_what_the_node_needs() {
    let bench = Bench::new();
    fs::write(bench.path("settings.toml"), "version = 1\n").expect("a file");
    fs::write(bench.path("roots.pem"), "PEM").expect("a file");
    fs::create_dir(bench.path("extra")).expect("a folder");
    fs::write(bench.path("extra/motd"), "hello").expect("a file");
    let run = bench.build(
        "image",
        &[
            "--profile",
            "virtio",
            "--compress",
            "none",
            "--settings",
            &bench.text("settings.toml"),
            "--ca-bundle",
            &bench.text("roots.pem"),
            "--add-file",
            &format!("{}:/etc/extra", bench.text("extra")),
            "--shell",
            &bench.text("init"),
        ],
    );
    assert!(run.ok, "{}", run.err);
    let image = fs::read(bench.path("image")).expect("it was written");
    let list = listed(&image);
    let mode = |path: &str| list.iter().find(|(_, name)| name == path).map(|(mode, _)| mode.as_str());
    for (path, expected) in [
        ("init", "-rwxr-xr-x"),
        ("dev/console", "crw-------"),
        ("dev/null", "crw-rw-rw-"),
        ("dev/kmsg", "crw-r--r--"),
        ("proc", "drwxr-xr-x"),
        ("sys", "drwxr-xr-x"),
        ("run", "drwxr-xr-x"),
        ("lib/dayfly/modules.index", "-rw-r--r--"),
        ("etc/dayfly.toml", "-rw-r--r--"),
        ("etc/ssl/certs/ca-certificates.crt", "-rw-r--r--"),
        ("etc/extra/motd", "-rw-r--r--"),
        ("bin/busybox", "-rwxr-xr-x"),
    ] {
        assert_eq!(mode(path), Some(expected), "{path}");
    }
    let paths: Vec<&String> = list.iter().map(|(_, path)| path).collect();
    assert!(paths.is_sorted(), "{paths:?}");

    let files = files(&image);
    let base = format!("lib/modules/{RELEASE}/kernel");
    for (path, content) in [
        ("drivers/virtio/virtio_ring.ko", "virtio_ring"),
        ("drivers/virtio/virtio_pci.ko", "virtio_pci"),
        ("drivers/net/virtio_net.ko", "virtio_net"),
        ("fs/overlayfs/overlay.ko", "overlay"),
    ] {
        assert_eq!(
            files.get(&format!("{base}/{path}")).map(Vec::as_slice),
            Some(content.as_bytes()),
            "{path}"
        );
    }
    assert!(!files.contains_key(&format!("{base}/drivers/net/ethernet/e1000.ko")));
    assert_eq!(files.get("bin/sh").map(Vec::as_slice), Some(&b"busybox"[..]));
    let build = String::from_utf8(files["etc/dayfly-build"].clone()).expect("text");
    assert!(build.starts_with("epoch=1") && build.contains(&format!("\nkernel={RELEASE}\n")), "{build}");

    let index = String::from_utf8(files["lib/dayfly/modules.index"].clone()).expect("text");
    let table = dayfly_formats::modules::Table::decode(&index).expect("the node can read it");
    assert_eq!(table.release(), RELEASE);
    let loads = table.load_order("virtio_net").expect("it is packed");
    let loads: Vec<(&str, &str)> =
        loads.iter().map(|load| (load.path.as_str(), load.params.as_str())).collect();
    assert_eq!(
        loads,
        [("kernel/drivers/virtio/virtio_ring.ko", ""), ("kernel/drivers/net/virtio_net.ko", "napi_tx=0")]
    );
    assert_eq!(table.left_out("pci:v00008086d0000100Esv0sd0bc02sc00i00"), ["e1000"]);

    for expected in [
        "initramfs for kernel 6.99.0-test, profile virtio\n",
        "  modules: network                1        10 B\n",
        "note: a.conf: \"what is this\" is not a statement of modprobe.d(5); it is ignored\n",
        "of the profile built in: ext4; it lacks: 8021q af_packet ",
    ] {
        assert!(run.out.contains(expected), "{expected:?} is missing in:\n{}", run.out);
    }
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let bench = Bench::new();
    for how in ["none", "lz4", "zstd"] {
        for name in ["one", "two"] {
            let run = bench.build(name, &["--compress", how]);
            assert!(run.ok, "{}", run.err);
        }
        let [one, two] = ["one", "two"].map(|name| fs::read(bench.path(name)).expect("it was written"));
        assert!(one == two, "{how}: two builds differ");
    }
}

#[test]
fn compressed_images_unpack_to_the_plain_one() {
    let bench = Bench::new();
    for how in ["none", "lz4", "zstd"] {
        assert!(bench.build(how, &["--compress", how, "--ca-bundle", "none"]).ok);
    }
    let plain = fs::read(bench.path("none")).expect("it was written");
    let zstd = fs::read(bench.path("zstd")).expect("it was written");
    let mut frame = zstd::stream::read::Decoder::with_buffer(zstd.as_slice()).expect("zstd").single_frame();
    let mut unpacked = Vec::new();
    frame.read_to_end(&mut unpacked).expect("zstd");
    assert!(unpacked == plain);
    // Only zeros up to the alignment at which the kernel looks for the next archive.
    let rest = frame.finish();
    assert!(zstd.len().is_multiple_of(4) && rest.len() < 4 && rest.iter().all(|byte| *byte == 0), "{rest:?}");
    let lz4 = fs::read(bench.path("lz4")).expect("it was written");
    assert_eq!(lz4[..4], [0x02, 0x21, 0x4C, 0x18], "the frame that the kernel knows");
    let len = u32::from_le_bytes(lz4[4..8].try_into().expect("four bytes")) as usize;
    let size = i32::try_from(plain.len()).expect("small");
    assert!(
        lz4::block::decompress(&lz4[8..8 + len], Some(size)).expect("lz4") == plain,
        "one block holds it all"
    );
    // The end mark at which the kernel stops, whatever follows.
    let rest = &lz4[8 + len..];
    assert!(
        lz4.len().is_multiple_of(4) && (4..8).contains(&rest.len()) && rest.iter().all(|byte| *byte == 0),
        "{rest:?}"
    );
}

#[test]
fn modules_are_added_and_left_out_by_name() {
    let bench = Bench::new();
    let run = bench.build(
        "image",
        &[
            "--profile",
            "virtio",
            "--compress",
            "none",
            "--add-module",
            "e1000",
            "--omit-module",
            "virtio-pci",
        ],
    );
    assert!(run.ok, "{}", run.err);
    let files = files(&fs::read(bench.path("image")).expect("it was written"));
    let has = |name: &str| files.keys().any(|path| path.ends_with(&format!("/{name}.ko")));
    assert!(has("e1000") && has("virtio_net") && !has("virtio_pci"));

    let run = bench.build("image", &["--profile", "virtio", "--omit-module", "virtio_ring"]);
    assert!(run.ok, "{}", run.err);
    assert!(run.out.contains(
        "note: virtio_net is left out: module virtio_net needs kernel/drivers/virtio/virtio_ring.ko.gz"
    ));
}

#[test]
fn mistakes_are_told_with_the_way_out() {
    let bench = Bench::new();
    fs::write(bench.path("script"), "#!/bin/sh\n").expect("a file");
    fs::write(bench.path("bad.toml"), "root = 1\n").expect("a file");
    let mut arm = program();
    arm[18] = 183;
    fs::write(bench.path("arm"), arm).expect("a file");
    fs::write(bench.path(&format!("modules/{RELEASE}/kernel/fs/overlayfs/overlay.ko")), program())
        .expect("a file");
    fs::write(bench.path(&format!("modules/{RELEASE}/kernel/drivers/net/ethernet/e1000.ko")), program())
        .expect("a file");
    fs::create_dir_all(bench.path("empty/1.2.3")).expect("a folder");
    let (script, bad, none, empty) =
        (bench.text("script"), bench.text("bad.toml"), bench.text("none"), bench.text("empty/1.2.3"));
    let (arm, twice) = (bench.text("arm"), format!("{}:/init", bench.text("script")));
    let table: &[(&[&str], &str)] = &[
        (
            &["--add-module", "virtio_nett"],
            "--add-module virtio_nett: kernel 6.99.0-test has no module or alias of this name; did you mean virtio_net?",
        ),
        (
            &["--add-module", "zzzzzz"],
            "--add-module zzzzzz: kernel 6.99.0-test has no module or alias of this name\n",
        ),
        (
            &["--omit-module", "overlayy"],
            "--omit-module overlayy: kernel 6.99.0-test has no module or alias of this name; did you mean overlay?",
        ),
        (
            &["--omit-module", "ext4"],
            "--omit-module ext4: it is built into kernel 6.99.0-test, so it cannot be left out",
        ),
        (
            &["--omit-module", "e1000", "--add-module", "e1000"],
            "e1000 is given to --add-module and to --omit-module",
        ),
        (&["--init", &none], "--init: cannot read"),
        (&["--init", &script], "it is not a 64-bit ELF program"),
        (&["--init", "/bin/ls"], "it is linked dynamically and the image has no libraries"),
        (
            &["--init", &arm, "--add-module", "e1000"],
            "--init is built for Aarch64, the kernel's modules for X86_64",
        ),
        (&["--shell", &script], "--shell "),
        (&["--settings", &none], "--settings: cannot read"),
        (&["--settings", &bad], "a node would not boot with it:\n  The settings file has no version"),
        (&["--ca-bundle", &none], "--ca-bundle: cannot read"),
        (&["--add-file", "nocolon"], "--add-file nocolon: expected SRC:DST"),
        (&["--add-file", "/etc/hostname:relative"], "\"relative\" is not an absolute path inside the image"),
        (&["--add-file", &twice], "/init would be in the image twice"),
        (&["--kernel", "9.9.9", "--modules", &none], "kernel 9.9.9: there is no folder"),
        (&["--profile", "desktop"], "invalid value 'desktop'"),
    ];
    for (args, expected) in table {
        let run = if args.contains(&"--modules") {
            let mut all = vec!["initramfs", "--output", &none];
            all.extend(*args);
            dayfly(&all)
        } else {
            bench.build("image", args)
        };
        assert!(!run.ok, "{args:?} was accepted");
        assert!(run.err.contains(expected), "{args:?}: {}", run.err);
        assert!(!bench.path("image").exists(), "{args:?} left a file");
    }
    let run = dayfly(&["initramfs", "--modules", &empty, "--output", &none]);
    assert!(run.err.contains("modules.dep is missing or empty; run \"depmod 1.2.3\""), "{}", run.err);
    let run = dayfly(&["initramfs", "--kernel", "1.2.3-nosuch", "--output", &none]);
    assert!(
        run.err.contains("kernel 1.2.3-nosuch: there is no folder /lib/modules/1.2.3-nosuch; installed: "),
        "{}",
        run.err
    );
}

#[test]
fn the_resolver_shows_its_answers() {
    let bench = Bench::new();
    let (modules, conf) = (bench.text(&format!("modules/{RELEASE}")), bench.text("conf"));
    let kernel = ["--modules", &modules, "--modprobe-config", &conf];
    let run = dayfly(&[&["modules"][..], &kernel, &["virtio:d00000001v00001AF4", "ext4"]].concat());
    assert!(run.ok, "{}", run.err);
    assert_eq!(
        run.out,
        "virtio:d00000001v00001AF4: virtio_net\n  kernel/drivers/virtio/virtio_ring.ko.gz\n  \
         kernel/drivers/net/virtio_net.ko.zst napi_tx=0\next4: ext4\n  built in\n"
    );
    let run = dayfly(&[&["modules"][..], &kernel, &["nosuch"]].concat());
    assert!(!run.ok && run.err.contains("has no module for nosuch"), "{}", run.err);
}

/// The image of Debian's kernel has the drivers for booting a virtual machine, and its size is within the budget.
#[test]
fn a_distribution_kernel_fits_the_budget() {
    let installed = fs::read_dir("/lib/modules").into_iter().flatten().flatten().map(|entry| entry.path());
    let kernel = installed.filter(|folder| folder.join("modules.dep").is_file()).max();
    let kernel = kernel.expect("no kernel in /lib/modules; apt-get install linux-image-amd64 kmod");
    let bench = Bench::new();
    let output = bench.text("image");
    let (modules, init) = (kernel.to_str().expect("UTF-8"), bench.text("init"));
    let build = |more: &[&str]| {
        let args =
            ["initramfs", "--modules", modules, "--init", &init, "--profile", "virtio", "--output", &output];
        let run = dayfly(&[&args[..], more].concat());
        assert!(run.ok, "{}", run.err);
        run
    };
    let run = build(&["--compress", "none"]);
    let image = fs::read(Path::new(&output)).expect("it was written");
    let files = files(&image);
    for name in
        ["virtio_pci", "virtio_net", "virtio_blk", "sd_mod", "loop", "overlay", "squashfs", "erofs", "ext4"]
    {
        assert!(
            files.keys().any(|path| path.ends_with(&format!("/{name}.ko")))
                || run.out.contains(&format!(" {name}")),
            "{name} is neither packed nor built in"
        );
    }
    // The init takes 3 MiB of the 5 MiB; lz4 is the larger of the compressions in use.
    build(&[]);
    let size = fs::metadata(&output).expect("it was written").len();
    assert!(size < 2 * 1024 * 1024 + 512 * 1024, "all but the init takes {size} bytes");
}
