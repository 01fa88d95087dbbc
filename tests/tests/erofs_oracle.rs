//! Compares the kernel features that an erofs needs with dump.erofs, on one image for each option of mkfs.erofs that needs one.
//!
//! Debian 12's mkfs.erofs (1.5) supports half of the options; the required ones are marked. With a newer mkfs.erofs first in PATH,
//! the others are tested too.

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output};

use dayfly_formats::superblock;

/// A part of dump.erofs's name for a feature, and the first kernel that has the feature.
const FEATURES: &[(&str, &str)] = &[
    ("0padding", "5.4"),
    ("compr_cfgs", "5.13"),
    ("big_pcluster", "5.13"),
    ("chunked_file", "5.15"),
    ("device_table", "5.16"),
    ("ztailpacking", "5.17"),
    ("fragments", "6.1"),
    ("dedupe", "6.1"),
    ("xattr_prefixes", "6.4"),
    ("48bit", "6.15"),
    ("metabox", "6.17"),
];

/// What an old mkfs.erofs prints about an unknown option. It ignores an unknown extended option (`-E`).
const UNKNOWN: &[&str] =
    &["valid compressor", "invalid option", "unrecognized option", "unknown extended option"];

struct Made {
    /// `@` stands for another file.
    args: &'static [&'static str],
    /// dump.erofs's name for the option's feature; empty if the option adds none.
    brings: &'static str,
    /// Requirements beside the features: the kernel's option, and since when.
    beside: &'static [(&'static str, &'static str)],
    /// Every mkfs.erofs supports it.
    is_old: bool,
}

const fn old(args: &'static [&'static str], brings: &'static str) -> Made {
    Made { args, brings, beside: &[], is_old: true }
}

const fn new(
    args: &'static [&'static str],
    brings: &'static str,
    beside: &'static [(&'static str, &'static str)],
) -> Made {
    Made { args, brings, beside, is_old: false }
}

const LZMA: (&str, &str) = ("CONFIG_EROFS_FS_ZIP_LZMA", "5.16");
const DEFLATE: (&str, &str) = ("CONFIG_EROFS_FS_ZIP_DEFLATE", "6.6");
const ZSTD: (&str, &str) = ("CONFIG_EROFS_FS_ZIP_ZSTD", "6.10");

const MADE: &[Made] = &[
    old(&[], ""),
    old(&["-Enoinline_data"], ""),
    old(&["-Eforce-inode-extended"], ""),
    old(&["-zlz4"], "0padding"),
    old(&["-zlz4hc"], "0padding"),
    old(&["-zlz4hc,12"], "0padding"),
    old(&["-zlz4hc", "-C65536"], "big_pcluster"),
    old(&["-zlz4hc", "-Eztailpacking"], "ztailpacking"),
    old(&["--chunksize=65536"], "chunked_file"),
    old(&["--chunksize=65536", "--blobdev=@"], "device_table"),
    new(&["-zlz4hc", "-Efragments"], "fragments", &[]),
    new(&["-zlz4hc", "-Eall-fragments"], "fragments", &[]),
    new(&["-zlz4hc", "-Ededupe"], "dedupe", &[]),
    new(&["-zlzma"], "0padding", &[LZMA]),
    new(&["-zdeflate"], "0padding", &[DEFLATE]),
    new(&["-zlibdeflate"], "0padding", &[DEFLATE]),
    new(&["-zzstd"], "0padding", &[ZSTD]),
    new(&["-zlz4hc:zstd"], "0padding", &[ZSTD]),
    new(&["--xattr-prefix=user.long.prefix."], "xattr_prefixes", &[]),
    new(&["-E48bit"], "48bit", &[]),
    new(&["-zlz4hc", "-m4096"], "metabox", &[]),
    new(&["-m4096:lzma,6"], "metabox", &[LZMA]),
    new(&["-b1024"], "", &[("CONFIG_EROFS_FS", "6.4")]),
    new(&["-b1024", "-zlz4"], "0padding", &[("CONFIG_EROFS_FS", "6.8")]),
    new(&["-zzstd", "-C65536", "-Eall-fragments,dedupe,48bit", "-m4096:lzma"], "metabox", &[LZMA, ZSTD]),
];

fn start(program: &str, args: &[&str]) -> Output {
    let output = Command::new(program).args(args).output();
    output.unwrap_or_else(|error| panic!("{program}: {error}; apt-get install erofs-utils"))
}

/// dump.erofs's names for an image's features.
fn dumped(image: &str, other: Option<&String>) -> String {
    let device = other.map(|path| format!("--device={path}"));
    let args: Vec<&str> = ["-s"].into_iter().chain(device.as_deref()).chain([image]).collect();
    let output = start("dump.erofs", &args);
    assert!(output.status.success(), "dump.erofs {args:?}: {output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| line.contains("features:")).collect()
}

#[test]
fn each_option_of_mkfs_erofs_asks_for_its_kernel() {
    let folder = tempfile::tempdir().unwrap();
    let tree = folder.path().join("tree");
    fs::create_dir(&tree).unwrap();
    // Compressible, with ends that fit beside their inodes, and each file twice.
    let bytes: Vec<u8> = (0..40_000).flat_map(|line| format!("line {line}\n").into_bytes()).collect();
    for len in [700, 9000, 200_000] {
        for name in ["a", "b"] {
            fs::write(tree.join(format!("{name}{len}")), &bytes[..len]).unwrap();
        }
    }
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (image, other) = (path("image"), path("other"));
    let mut left_out = Vec::new();
    for Made { args, brings, beside, is_old } in MADE {
        let own: Vec<String> = args.iter().map(|arg| arg.replace('@', &other)).collect();
        let all: Vec<&str> =
            own.iter().map(String::as_str).chain([image.as_str(), tree.to_str().unwrap()]).collect();
        let output = start("mkfs.erofs", &all);
        let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            assert!(!is_old && UNKNOWN.iter().any(|part| said.contains(part)), "{args:?}: {said}");
            left_out.push(args);
            continue;
        }
        let mut words = dumped(&image, args.contains(&"--blobdev=@").then_some(&other));
        // dump.erofs 1.5 has no name for it, and mkfs.erofs 1.5 warns of it.
        if said.contains("compressed inline data feature in use") {
            words += " ztailpacking";
        }
        let mut features: Vec<&str> =
            FEATURES.iter().filter(|(word, _)| words.contains(word)).map(|(_, since)| *since).collect();
        features.dedup();
        let mut head = Vec::new();
        fs::File::open(&image).unwrap().take(4096).read_to_end(&mut head).unwrap();
        let is_done = words.contains(brings);
        assert!(is_done || !is_old, "{args:?}: no {brings} in {words}");
        if !is_done {
            left_out.push(args);
        }
        let beside: Vec<_> = beside.iter().filter(|_| is_done).copied().collect();
        let (mut ours, mut found) = (Vec::new(), Vec::new());
        for need in superblock::kernel_needs(&head) {
            // A feature, or a requirement of the row.
            match (need.option, need.since) {
                pair if beside.contains(&pair) => found.push(pair),
                (_, since) => ours.push(since),
            }
        }
        found.sort_unstable();
        assert_eq!((ours, &found), (features, &beside), "{args:?}: {words}");
        for file in [&image, &other].into_iter().filter(|file| Path::new(file).exists()) {
            fs::remove_file(file).unwrap();
        }
    }
    println!("this mkfs.erofs cannot make: {left_out:?}");
}
