//! Compares Dayfly's disk recognition with blkid and sgdisk, on file systems made by their own tools.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::Command;

use dayfly_formats::{gpt, superblock};

/// Runs a tool; `apt` is the package that has it.
fn run(apt: &str, program: &str, args: &[&str]) -> String {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let output = Command::new(program).args(args).env("PATH", path).output();
    let output = output.unwrap_or_else(|error| panic!("{program}: {error}; apt-get install {apt}"));
    assert!(
        output.status.success(),
        "{program} {args:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn start(path: &Path, len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    fs::File::open(path).unwrap().take(len as u64).read_to_end(&mut bytes).unwrap();
    bytes
}

/// TYPE, LABEL and UUID by blkid's low-level probing.
fn blkid(path: &Path) -> (String, Option<String>, Option<String>) {
    let text = run("util-linux", "blkid", &["--probe", "--output", "export", path.to_str().unwrap()]);
    let field = |key: &str| {
        // Unsafe characters are escaped for shells.
        text.lines().find_map(|line| Some(line.strip_prefix(key)?.strip_prefix('=')?.replace('\\', "")))
    };
    (field("TYPE").expect("blkid knows it"), field("LABEL"), field("UUID"))
}

const UUID: &str = "1b4e28ba-2fa1-41d2-883f-b9a761bde3fb";

/// What, package, program, size of the device in MiB, arguments; `@` is the device.
const MADE: &[(&str, &str, &str, u64, &[&str])] = &[
    ("ext4", "e2fsprogs", "mkfs.ext4", 8, &["-q", "-L", "state", "-U", UUID, "@"]),
    (
        "ext4 without journal",
        "e2fsprogs",
        "mkfs.ext4",
        8,
        &["-q", "-O", "^has_journal", "-L", "sixteen-letters!", "@"],
    ),
    ("ext3", "e2fsprogs", "mkfs.ext3", 8, &["-q", "-L", "old state", "@"]),
    ("ext2", "e2fsprogs", "mkfs.ext2", 8, &["-q", "@"]),
    ("FAT12", "dosfstools", "mkfs.vfat", 2, &["-n", "CIDATA", "-i", "ABCD1234", "@"]),
    ("FAT16", "dosfstools", "mkfs.vfat", 16, &["-F", "16", "-n", "MY STATE", "@"]),
    ("FAT32", "dosfstools", "mkfs.vfat", 64, &["-F", "32", "-n", "ESP", "@"]),
    ("FAT without a label", "dosfstools", "mkfs.vfat", 16, &["@"]),
    ("swap", "util-linux", "mkswap", 4, &["-q", "-L", "swap0", "-U", UUID, "@"]),
    (
        "xfs",
        "xfsprogs",
        "mkfs.xfs",
        320,
        &["-q", "-L", "var", "-m", "uuid=1b4e28ba-2fa1-41d2-883f-b9a761bde3fb", "@"],
    ),
    ("btrfs", "btrfs-progs", "mkfs.btrfs", 128, &["-q", "-L", "a label with blanks", "-U", UUID, "@"]),
    ("f2fs", "f2fs-tools", "mkfs.f2fs", 64, &["-q", "-l", "flash", "@"]),
];

#[test]
fn disks_are_recognized_as_blkid_does() {
    let folder = tempfile::tempdir().unwrap();
    for (what, apt, program, size, args) in MADE {
        let path = folder.path().join("device");
        fs::File::create(&path).unwrap().set_len(size << 20).unwrap();
        let args: Vec<&str> =
            args.iter().map(|arg| if *arg == "@" { path.to_str().unwrap() } else { arg }).collect();
        run(apt, program, &args);
        let found =
            superblock::probe(&start(&path, superblock::PROBE_LEN)).unwrap_or_else(|| panic!("{what}"));
        let ours = (found.kind.as_str().to_owned(), found.label, found.uuid);
        assert_eq!(ours, blkid(&path), "{what}");
        assert!(ours.2.is_some(), "{what} has a UUID");
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn an_xfs_says_whether_an_overlay_can_lie_on_it() {
    let folder = tempfile::tempdir().unwrap();
    for (args, has_ftype) in [
        (&[][..], true),
        (&["-m", "crc=0", "-n", "ftype=1"], true),
        (&["-m", "crc=0", "-n", "ftype=0"], false),
    ] {
        let path = folder.path().join("device");
        fs::File::create(&path).unwrap().set_len(320 << 20).unwrap();
        run("xfsprogs", "mkfs.xfs", &[&["-q"], args, &[path.to_str().unwrap()]].concat());
        assert_eq!(superblock::xfs_has_ftype(&start(&path, 512)), Some(has_ftype), "{args:?}");
        fs::remove_file(path).unwrap();
    }
    assert_eq!(superblock::xfs_has_ftype(b"no xfs"), None);
    assert_eq!(superblock::xfs_has_ftype(b"XFSB, cut off"), None);
}

#[test]
fn exfat_is_recognized_and_its_label_only_where_it_is_within_reach() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("device");
    fs::File::create(&path).unwrap().set_len(16 << 20).unwrap();
    run("exfatprogs", "mkfs.exfat", &["-L", "stick", path.to_str().unwrap()]);
    let (kind, label, uuid) = blkid(&path);
    let found = superblock::probe(&start(&path, superblock::PROBE_LEN)).unwrap();
    assert_eq!((found.kind.as_str(), found.uuid), (kind.as_str(), uuid));
    assert!(found.label.is_none() || found.label == label);
    // With the whole device available the label is found, wherever the root folder is.
    assert_eq!(superblock::probe(&start(&path, 16 << 20)).unwrap().label, label);
}

#[test]
fn images_are_recognized_with_their_length_and_compression() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    fs::create_dir(&tree).unwrap();
    fs::write(tree.join("file"), vec![7; 300_000]).unwrap();
    let tree = tree.to_str().unwrap();
    for compression in ["gzip", "lzo", "xz", "lz4", "zstd"] {
        let path = folder.path().join(compression);
        let image = path.to_str().unwrap();
        run("squashfs-tools", "mksquashfs", &[tree, image, "-quiet", "-no-progress", "-comp", compression]);
        let head = start(&path, 4096);
        let needs: Vec<&str> = superblock::kernel_needs(&head).iter().map(|need| need.what).collect();
        assert_eq!(needs, [compression]);
        // mksquashfs pads to 4 KiB behind the length that it stores.
        let len = superblock::image_len(&head).unwrap();
        assert_eq!(len.next_multiple_of(4096), fs::metadata(&path).unwrap().len(), "{compression}");
        assert_eq!(superblock::probe(&head).unwrap().kind.as_str(), blkid(&path).0);
    }
    let path = folder.path().join("erofs");
    run("erofs-utils", "mkfs.erofs", &["-U", UUID, path.to_str().unwrap(), tree]);
    let head = start(&path, 4096);
    assert_eq!(superblock::image_len(&head), Some(fs::metadata(&path).unwrap().len()));
    let found = superblock::probe(&head).unwrap();
    assert_eq!((found.kind.as_str().to_owned(), found.label, found.uuid), blkid(&path));
}

#[test]
fn partition_tables_are_read_as_sgdisk_wrote_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("disk");
    let disk = path.to_str().unwrap();
    fs::File::create(&path).unwrap().set_len(64 << 20).unwrap();
    let guid = format!("--partition-guid=3:{UUID}");
    let args = [
        "--clear",
        "--new=1:2048:+8M",
        "--change-name=1:EFI System",
        "--typecode=1:ef00",
        "--new=3:32768:65535",
        "--change-name=3:stäte",
        guid.as_str(),
        "--typecode=3:8300",
        disk,
    ];
    run("gdisk", "sgdisk", &args);
    let partitions = gpt::parse(&start(&path, 1024 + (16 << 10)), 512).unwrap();
    let numbers: Vec<u32> = partitions.iter().map(|partition| partition.number).collect();
    assert_eq!(numbers, [1, 3]);
    for partition in &partitions {
        let info = run("gdisk", "sgdisk", &[&format!("--info={}", partition.number), disk]);
        let field = |key: &str| {
            info.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_else(|| panic!("{key}: {info}"))
        };
        let first_word = |text: &str| text.trim().split(' ').next().unwrap_or_default().to_lowercase();
        assert_eq!(first_word(field("Partition GUID code:")), partition.type_uuid);
        assert_eq!(first_word(field("Partition unique GUID:")), partition.uuid);
        assert_eq!(first_word(field("First sector:")), partition.first_lba.to_string());
        assert_eq!(first_word(field("Last sector:")), partition.last_lba.to_string());
        assert_eq!(field("Partition name:").trim().trim_matches('\''), partition.label.clone().unwrap());
    }
    assert_eq!(partitions[1].uuid, UUID);
}
