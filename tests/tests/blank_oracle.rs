//! Compares the blank check with blkid and wipefs, on disks that the real tools made: complete, and with the first 4 MiB
//! zeroed, as a careless `dd` leaves them.
//!
//! mdadm writes no superblock without the kernel's md driver, and firmware RAIDs have no tool. So this file writes their marks
//! according to their formats, and mdadm and blkid must recognize them.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;

use dayfly_formats::blank::{self, NotBlank};
use dayfly_formats::superblock;

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The name, the size, the tool's package, and a script that makes it in the sparse file `$D`.
type Made = (&'static str, u64, &'static str, &'static str);

/// Linux file systems; the sizes are sparse.
const OF_LINUX: &[Made] = &[
    ("ext4, 4 KiB blocks", 500 * GIB, "e2fsprogs", "mkfs.ext4 -q -L data $D"),
    ("ext4, 2 KiB blocks", 4 * GIB, "e2fsprogs", "mkfs.ext4 -q -b 2048 $D"),
    ("ext4, 1 KiB blocks", 64 * MIB, "e2fsprogs", "mkfs.ext4 -q -b 1024 $D"),
    ("ext4, bigalloc", 64 * GIB, "e2fsprogs", "mkfs.ext4 -q -O bigalloc -C 65536 $D"),
    ("ext4, sparse_super2", 10 * GIB, "e2fsprogs", "mkfs.ext4 -q -O sparse_super2,^resize_inode $D"),
    ("ext4, 64bit,meta_bg", 20 * GIB, "e2fsprogs", "mkfs.ext4 -q -O 64bit,meta_bg,^resize_inode $D"),
    ("ext3", 8 * GIB, "e2fsprogs", "mkfs.ext3 -q $D"),
    ("ext2", 2 * GIB, "e2fsprogs", "mkfs.ext2 -q $D"),
    ("ext2, revision 0", 64 * MIB, "e2fsprogs", "mkfs.ext2 -q -r 0 $D"),
    ("an external journal of ext4", 256 * MIB, "e2fsprogs", "mkfs.ext4 -q -O journal_dev $D"),
    ("xfs", 500 * GIB, "xfsprogs", "mkfs.xfs -q -l size=64m $D"),
    ("xfs, 512 bytes more", 300 * GIB + 512, "xfsprogs", "mkfs.xfs -q $D"),
    ("xfs, 1 KiB blocks", 10 * GIB, "xfsprogs", "mkfs.xfs -q -b size=1024 $D"),
    ("xfs, on stripes", 10 * GIB, "xfsprogs", "mkfs.xfs -q -d su=256k,sw=4 $D"),
    ("xfs, 10 groups", 20 * GIB, "xfsprogs", "mkfs.xfs -q -d agcount=10 $D"),
    ("xfs, 5 TiB", 5 << 40, "xfsprogs", "mkfs.xfs -q -l size=64m $D"),
    ("btrfs", GIB, "btrfs-progs", "mkfs.btrfs -q $D"),
    ("btrfs, three mirrors", 300 * GIB, "btrfs-progs", "mkfs.btrfs -q $D"),
    ("f2fs", GIB, "f2fs-tools", "mkfs.f2fs -q $D"),
    ("jfs", 64 * MIB, "jfsutils", "mkfs.jfs -q $D"),
    ("jfs, large", 16 * GIB, "jfsutils", "mkfs.jfs -q $D"),
    ("nilfs2", GIB, "nilfs-tools", "mkfs.nilfs2 -q $D"),
    ("reiserfs", GIB, "reiserfsprogs", "mkreiserfs -ff -q $D"),
    ("reiser4", GIB, "reiser4progs", "mkfs.reiser4 -fy $D"),
    ("ocfs2", 8 * GIB, "ocfs2-tools", "mkfs.ocfs2 -q -M local -F $D"),
    ("gfs2", GIB, "gfs2-utils", "mkfs.gfs2 -q -O -p lock_nolock $D"),
    ("minix", 64 * MIB, "util-linux", "mkfs.minix $D"),
    ("bfs", 64 * MIB, "util-linux", "mkfs.bfs $D"),
    ("cramfs", 64 * MIB, "util-linux", "mkfs.cramfs \"$(mktemp -d)\" $D"),
];

/// Other contents of a disk.
const OTHERS: &[Made] = &[
    ("NTFS", 2 * GIB, "ntfs-3g", "mkntfs -F -Q -q $D"),
    ("exFAT", 64 * MIB, "exfatprogs", "mkfs.exfat $D"),
    ("exFAT, large", 500 * GIB, "exfatprogs", "mkfs.exfat $D"),
    ("FAT16", 64 * MIB, "dosfstools", "mkfs.vfat -F 16 -n DATA $D"),
    ("FAT32", 200 * GIB, "dosfstools", "mkfs.vfat -F 32 $D"),
    ("UDF", 10 * GIB, "udftools", "mkudffs -l state $D"),
    ("swap, 4 KiB pages", 64 * MIB, "util-linux", "mkswap -q $D"),
    ("swap, 64 KiB pages", 64 * MIB, "util-linux", "mkswap -q -p 65536 $D"),
    (
        "LUKS1",
        64 * MIB,
        "cryptsetup-bin",
        "echo pw | cryptsetup -q luksFormat --type luks1 --pbkdf-force-iterations 1000 $D -",
    ),
    (
        "LUKS2",
        64 * MIB,
        "cryptsetup-bin",
        "echo pw | cryptsetup -q luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 $D -",
    ),
    (
        "LUKS2, its second header at 4 MiB",
        64 * MIB,
        "cryptsetup-bin",
        "echo pw | cryptsetup -q luksFormat --type luks2 --luks2-metadata-size 4m --luks2-keyslots-size 16m \
         --pbkdf pbkdf2 --pbkdf-force-iterations 1000 $D -",
    ),
    (
        "LVM2",
        64 * MIB,
        "lvm2",
        "L=$(losetup -f --show $D); pvcreate -q --config \"devices{filter=[\\\"a|^$L\\$|\\\",\\\"r|.*|\\\"]}\" $L || r=$?; \
         losetup -d $L; exit ${r:-0}",
    ),
    (
        "LVM2, metadata at both ends",
        64 * MIB,
        "lvm2",
        "L=$(losetup -f --show $D); pvcreate -q --pvmetadatacopies 2 --config \
         \"devices{filter=[\\\"a|^$L\\$|\\\",\\\"r|.*|\\\"]}\" $L || r=$?; losetup -d $L; exit ${r:-0}",
    ),
    ("a backing device of bcache", 64 * MIB, "bcache-tools", "make-bcache -B $D"),
    ("a cache of bcache", 64 * MIB, "bcache-tools", "make-bcache -C $D"),
    ("GPT", 64 * MIB, "gdisk", "sgdisk -n 1:2048:4095 $D"),
    ("DOS partitions", 64 * MIB, "fdisk", "echo , | sfdisk -q $D"),
    ("a partition table of SGI", 64 * MIB, "fdisk", "echo label: sgi | sfdisk -q $D"),
    ("a partition table of Sun", 64 * MIB, "parted", "parted -s $D mklabel sun"),
    ("a partition table of Apple", 64 * MIB, "parted", "parted -s $D mklabel mac"),
    ("a partition table of BSD", 64 * MIB, "parted", "parted -s $D mklabel bsd"),
    ("a partition table of Amiga", 64 * MIB, "parted", "parted -s $D mklabel amiga"),
    ("a partition table of Atari", 64 * MIB, "parted", "parted -s $D mklabel atari"),
    (
        "an ISO that is a disk, too",
        64 * MIB,
        "xorriso",
        "T=$(mktemp -d); echo x >$T/x; xorriso -as mkisofs -quiet -V 'A B' -partition_offset 16 -o $T.iso $T && \
         dd if=$T.iso of=$D conv=notrunc status=none",
    ),
    (
        "squashfs",
        64 * MIB,
        "squashfs-tools",
        "T=$(mktemp -d); echo x >$T/x; mksquashfs $T $T.img -quiet -no-progress && dd if=$T.img of=$D conv=notrunc status=none",
    ),
    (
        "erofs",
        64 * MIB,
        "erofs-utils",
        "T=$(mktemp -d); echo x >$T/x; mkfs.erofs $T.img $T && dd if=$T.img of=$D conv=notrunc status=none",
    ),
];

/// These have copies of their superblock, or mark used space, far inside or at the end: even 64 MiB of zeros do not hide them.
const KEEP_COPIES: &[&str] = &[
    "ext4, 4 KiB blocks",
    "ext4, 2 KiB blocks",
    "ext4, bigalloc",
    "ext4, sparse_super2",
    "ext4, 64bit,meta_bg",
    "ext3",
    "ext2",
    "xfs",
    "xfs, 512 bytes more",
    "xfs, 1 KiB blocks",
    "xfs, on stripes",
    "xfs, 10 groups",
    "xfs, 5 TiB",
    "btrfs, three mirrors",
    "nilfs2",
    "reiserfs",
    "reiser4",
    "ocfs2",
    "gfs2",
    "NTFS",
    "UDF",
    "jfs, large",
];

fn path() -> String {
    format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default())
}

/// Runs a script with `$D`; `apt` is the package that has the tool.
fn make(what: &str, apt: &str, script: &str, disk: &Path) {
    let output = Command::new("sh")
        .args(["-euc", script])
        .env("D", disk)
        .env("PATH", path())
        .env("TMPDIR", disk.parent().unwrap())
        .env("LVM_SUPPRESS_FD_WARNINGS", "1")
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{what} ({apt} has the tool): {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// What blkid's low-level probing and wipefs recognize on a disk; empty if they recognize nothing.
fn known(disk: &Path) -> String {
    let ask = |program: &str, args: &[&str]| {
        let output = Command::new(program).args(args).arg(disk).env("PATH", path()).output().unwrap();
        // blkid's exit code is 2 if there is nothing, and 8 if there are several.
        let ambivalent = output.status.code() == Some(8);
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if ambivalent { format!("{text} more than one thing") } else { text }
    };
    let blkid = ask("blkid", &["--probe", "--output", "export"]);
    let words = blkid
        .lines()
        .filter(|line| line.starts_with("TYPE=") || line.starts_with("PTTYPE=") || line.contains("than"));
    let wipefs = ask("wipefs", &["--no-act", "--noheadings", "--output", "TYPE,OFFSET"]);
    words.chain(wipefs.lines()).collect::<Vec<_>>().join(" ")
}

fn judge(disk: &Path, seed: u64) -> Result<(), NotBlank<io::Error>> {
    let file = File::open(disk).unwrap();
    let len = file.metadata().unwrap().len();
    blank::check(len, seed, |offset, len| {
        let mut bytes = vec![0; len];
        file.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    })
}

/// The offset of the first byte that is not zero.
fn first_byte(disk: &Path) -> Option<u64> {
    let file = File::open(disk).unwrap();
    let len = file.metadata().unwrap().len();
    let mut at = 0;
    while at < len {
        // lseek(2): the holes of a sparse file are zeros, so skip them.
        at = match nix::unistd::lseek(&file, i64::try_from(at).unwrap(), nix::unistd::Whence::SeekData) {
            Ok(at) => u64::try_from(at).unwrap(),
            Err(nix::errno::Errno::ENXIO) => return None,
            Err(error) => panic!("seek: {error}"),
        };
        let mut bytes = vec![0; usize::try_from(MIB.min(len - at)).unwrap()];
        file.read_exact_at(&mut bytes, at).unwrap();
        if let Some(index) = bytes.iter().position(|byte| *byte != 0) {
            return Some(at + index as u64);
        }
        at += bytes.len() as u64;
    }
    None
}

#[test]
fn no_file_system_of_linux_is_blank() {
    none_is_blank(OF_LINUX);
}

#[test]
fn nothing_else_that_anybody_knows_is_blank() {
    none_is_blank(OTHERS);
    let made: Vec<&str> = OF_LINUX.iter().chain(OTHERS).map(|(what, ..)| *what).collect();
    assert!(KEEP_COPIES.iter().all(|name| made.contains(name)), "KEEP_COPIES has a name that is not made");
}

fn none_is_blank(made: &[Made]) {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    for (what, size, apt, script) in made {
        File::create(&disk).unwrap().set_len(*size).unwrap();
        make(what, apt, script, &disk);
        // Some tools truncate the file to the size that they need.
        File::options().write(true).open(&disk).unwrap().set_len(*size).unwrap();
        let whole = judge(&disk, 1).expect_err(what);
        println!("{what}: {} | {whole}", known(&disk));
        for zeroed in [4 * MIB, 64 * MIB] {
            zero_head(&disk, zeroed.min(*size));
            let (known, rest, first) = (known(&disk), judge(&disk, 1), first_byte(&disk));
            let zeroed = zeroed / MIB;
            let said =
                format!("{what} without its first {zeroed} MiB: {known} | {rest:?} | first byte {first:?}");
            println!("    {said}");
            assert!(known.is_empty() || rest.is_err(), "{said}");
            if zeroed == 4 || KEEP_COPIES.contains(what) {
                assert_eq!(rest.is_ok(), first.is_none(), "{said}");
            }
            assert!(zeroed == 4 || rest.is_err() || !KEEP_COPIES.contains(what), "{said}");
        }
        fs::remove_file(&disk).unwrap();
    }
}

fn zero_head(disk: &Path, len: u64) {
    let file = File::options().write(true).open(disk).unwrap();
    file.write_all_at(&vec![0; usize::try_from(len).unwrap()], 0).unwrap();
}

/// `struct mdp_superblock_1` with its checksum (super_1.c of mdadm, calc_sb_1_csum), for metadata at this sector.
fn md_1(sector: u64, data_offset: u64) -> Vec<u8> {
    let mut sb = vec![0; 512];
    let mut put = |at: usize, bytes: &[u8]| sb[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &0xA92B_4EFC_u32.to_le_bytes());
    put(4, &1_u32.to_le_bytes());
    put(16, &[0x11; 16]);
    put(32, b"host:state");
    put(72, &1_u32.to_le_bytes()); // level
    put(80, &100_000_u64.to_le_bytes());
    put(92, &2_u32.to_le_bytes()); // disks
    put(128, &data_offset.to_le_bytes());
    put(136, &100_000_u64.to_le_bytes());
    put(144, &sector.to_le_bytes());
    put(168, &[0x22; 16]);
    put(220, &2_u32.to_le_bytes()); // roles
    put(258, &1_u16.to_le_bytes());
    let words = sb[..256].chunks(4).map(|word| u64::from(u32::from_le_bytes(word.try_into().unwrap())));
    let sum: u64 = words.sum::<u64>() + u64::from(u16::from_le_bytes([sb[256], sb[257]])) + (1 << 16);
    let folded = u32::try_from((sum & 0xFFFF_FFFF) + (sum >> 32)).unwrap();
    sb[216..220].copy_from_slice(&folded.to_le_bytes());
    sb
}

/// `mdp_super_t` of version 0.90 (md_p.h), without the parts that no tool reads for recognition.
fn md_0() -> Vec<u8> {
    let mut words = [0_u32; 1024];
    words[..13].copy_from_slice(&[0xA92B_4EFC, 0, 90, 0, 0, 0x1111_1111, 1, 1, 50_000, 2, 2, 0, 0]);
    let sum: u64 = words.iter().map(|word| u64::from(*word)).sum();
    // MD_SB_GENERIC_STATE_WORDS begin at 32: utime, state, and so on; the checksum is the seventh.
    words[38] = u32::try_from((sum & 0xFFFF_FFFF) + (sum >> 32)).unwrap();
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// A disk with an ext4 labelled `state` at its beginning, which is a member of something larger, is recognized as such with the
/// same name as by blkid. It is not blank if its beginning is zeroed.
#[test]
fn a_member_is_known_as_blkid_knows_it() {
    const SIZE: u64 = 64 * MIB + 0x9000;
    let sector = (SIZE / 512 - 16) & !7;
    let pad = |bytes: &[u8], at: usize| [vec![0; at], bytes.to_vec()].concat();
    let ddf = {
        let mut header = vec![0xFF; 512];
        header[..4].copy_from_slice(&0xDE11_DE11_u32.to_be_bytes());
        header[8..32].copy_from_slice(b"Linux-MD\xde\xad\xbe\xef0123456789ab");
        header[32..40].copy_from_slice(b"01.02.00");
        header[96..104].copy_from_slice(&(SIZE / 512 - 1).to_be_bytes());
        header
    };
    let via = {
        let mut bytes = [0_u8; 51];
        bytes[..3].copy_from_slice(&[0x55, 0xAA, 2]);
        bytes[50] = 1;
        bytes
    };
    let jmicron = {
        let mut bytes = [0_u8; 128];
        bytes[..4].copy_from_slice(&[b'J', b'M', 1, 0]);
        // Makes the sum of all words zero.
        bytes[4..6].copy_from_slice(&0_u16.wrapping_sub(0x4D4A).wrapping_sub(1).to_le_bytes());
        bytes
    };
    // blkid's name, the offset, the bytes, and whether mdadm recognizes it as well.
    let marks: Vec<(&str, u64, Vec<u8>, bool)> = vec![
        ("linux_raid_member", sector * 512, md_1(sector, 0), true),
        ("linux_raid_member", 4096, md_1(8, 2048), true),
        ("linux_raid_member", 0, md_1(0, 2048), true),
        ("linux_raid_member", (SIZE & !0xFFFF) - 0x1_0000, md_0(), true),
        ("ddf_raid_member", SIZE - 512, ddf, false),
        ("isw_raid_member", SIZE - 1024, b"Intel Raid ISM Cfg Sig. 1.1.00".to_vec(), false),
        ("lsi_mega_raid_member", SIZE - 512, b"$XIDE$".to_vec(), false),
        ("via_raid_member", SIZE - 512, via.to_vec(), false),
        ("nvidia_raid_member", SIZE - 1024, b"NVIDIA  ".to_vec(), false),
        ("promise_fasttrack_raid_member", SIZE - 63 * 512, b"Promise Technology, Inc.".to_vec(), false),
        ("jmicron_raid_member", SIZE - 512, jmicron.to_vec(), false),
        ("hpt45x_raid_member", SIZE - 11 * 512, 0x5A78_16F3_u32.to_le_bytes().to_vec(), false),
        ("drbd", (SIZE & !0xFFF) - 4096, pad(&[0x83, 0x74, 2, 0x6D], 60), false),
        ("ceph_bluestore", 0, b"bluestore block device\n".to_vec(), false),
        ("vdo", 0, b"dmvdo001".to_vec(), false),
        ("LVM1_member", 0, [b"HM\x01\0".to_vec(), vec![0; 40]].concat(), false),
    ];
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    let mut differ = Vec::new();
    for (name, at, bytes, is_md) in marks {
        let file = File::create(&disk).unwrap();
        file.set_len(SIZE).unwrap();
        make("ext4", "e2fsprogs", "mkfs.ext4 -q -L state $D", &disk);
        File::options().write(true).open(&disk).unwrap().write_all_at(&bytes, at).unwrap();
        let theirs = known(&disk);
        if is_md {
            make("md", "mdadm", "mdadm --examine $D | grep -q a92b4efc", &disk);
        }
        let ours = ours(&disk);
        println!("{name} at {at}: {ours} | {theirs}");
        assert_eq!(ours, name);
        if !theirs.contains(&format!("TYPE={name}")) && !theirs.contains("more than one thing") {
            differ.push(format!("{name} at {at}: {theirs}"));
        }
        zero_head(&disk, 4 * MIB);
        let at_the_end = at > 4 * MIB;
        assert_eq!(first_byte(&disk).is_some(), judge(&disk, 1).is_err(), "{name}");
        assert!(!at_the_end || judge(&disk, 1).is_err(), "{name}");
        fs::remove_file(&disk).unwrap();
    }
    assert_eq!(differ, [""; 0]);
}

/// What the boot recognizes on the whole disk.
fn ours(disk: &Path) -> String {
    let file = File::open(disk).unwrap();
    let len = file.metadata().unwrap().len();
    let read = |offset: u64, count: usize| {
        let mut bytes = vec![0; count];
        let got = file.read_at(&mut bytes, offset)?;
        bytes.truncate(got);
        Ok::<_, io::Error>(bytes)
    };
    let head = superblock::probe(&read(0, superblock::PROBE_LEN).unwrap());
    let head = head.map(|found| found.kind).filter(|kind| !kind.is_file_system());
    let member = superblock::member_of(len, read).unwrap();
    head.as_ref().map(|kind| kind.as_str()).or(member).unwrap_or("nothing larger").to_owned()
}
