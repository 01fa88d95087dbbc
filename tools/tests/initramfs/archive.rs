//! The contents of a cpio archive: read with GNU cpio, and by the rules of the format alone.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

/// (mode as `cpio -itv` prints it, path) of an uncompressed archive, by GNU cpio.
pub fn listed(archive: &[u8]) -> Vec<(String, String)> {
    let mut cpio = Command::new("cpio")
        .args(["-itv", "--quiet", "--numeric-uid-gid"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("cpio runs; apt-get install cpio");
    let mut stdin = cpio.stdin.take().expect("a pipe");
    let archive = archive.to_vec();
    let feeder = std::thread::spawn(move || stdin.write_all(&archive));
    let output = cpio.wait_with_output().expect("cpio ends");
    assert!(output.status.success(), "cpio refuses the archive");
    feeder.join().expect("no panic").expect("cpio reads it all");
    String::from_utf8(output.stdout)
        .expect("UTF-8")
        .lines()
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(&words[2..4], ["0", "0"], "root owns everything: {line}");
            let entry = line.split_once(" -> ").map_or(line, |link| link.0);
            let path = entry.rsplit_once(' ').map_or("", |pair| pair.1);
            (words[0].to_owned(), path.to_owned())
        })
        .collect()
}

/// The files of an uncompressed archive and their bytes, read by the format's rules alone.
pub fn files(archive: &[u8]) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut rest = archive;
    loop {
        let field = |i: usize| {
            let text = std::str::from_utf8(&rest[6 + 8 * i..14 + 8 * i]).expect("hexadecimal");
            usize::from_str_radix(text, 16).expect("hexadecimal")
        };
        assert_eq!(&rest[..6], b"070701");
        let (size, name_size) = (field(6), field(11));
        let name = std::str::from_utf8(&rest[110..110 + name_size - 1]).expect("UTF-8").to_owned();
        let start = (110 + name_size).next_multiple_of(4);
        if name == "TRAILER!!!" {
            return files;
        }
        files.insert(name, rest[start..start + size].to_vec());
        rest = &rest[(start + size).next_multiple_of(4)..];
    }
}
