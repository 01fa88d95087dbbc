use std::io::Cursor;

use super::*;

/// A layer in words: `d PATH`, `f PATH TEXT`, `s PATH TARGET` (symbolic), `h PATH TARGET` (hard).
fn layer(lines: &[&str]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let text = words.get(2).copied().unwrap_or_default();
        let mut header = Header::new_gnu();
        header.set_mode(0o640);
        header.set_uid(7);
        header.set_gid(3_000_000);
        header.set_mtime(9);
        header.set_size(0);
        match words[0] {
            "d" => {
                header.set_entry_type(EntryType::Directory);
                builder.append_data(&mut header, words[1], io::empty()).expect("written");
            }
            "f" => {
                header.set_size(text.len() as u64);
                builder.append_data(&mut header, words[1], text.as_bytes()).expect("written");
            }
            "s" => {
                header.set_entry_type(EntryType::Symlink);
                builder.append_link(&mut header, words[1], text).expect("written");
            }
            _ => {
                header.set_entry_type(EntryType::Link);
                builder.append_link(&mut header, words[1], text).expect("written");
            }
        }
    }
    builder.into_inner().expect("written")
}

fn merged(layers: &[&[&str]]) -> Vec<String> {
    let layers: Vec<Vec<u8>> = layers.iter().map(|lines| layer(lines)).collect();
    let open = |index: usize| Ok(Box::new(Cursor::new(layers[index].clone())) as Box<dyn Read>);
    let tree = Tree::read(layers.len(), &open).expect("read");
    let mut out = Vec::new();
    tree.write(layers.len(), &open, &mut out).expect("written");
    let mut lines = Vec::new();
    for entry in tar::Archive::new(Cursor::new(out)).entries().expect("entries") {
        let mut entry = entry.expect("an entry");
        let name = entry.path().expect("a path").display().to_string();
        let target = entry.link_name().expect("a target").map(|target| target.display().to_string());
        let kind = entry.header().entry_type();
        let mut text = String::new();
        entry.read_to_string(&mut text).expect("a text");
        lines.push(match kind {
            EntryType::Directory => format!("d {name}"),
            EntryType::Symlink => format!("s {name} {}", target.unwrap_or_default()),
            EntryType::Link => format!("h {name} {}", target.unwrap_or_default()),
            _ => {
                assert_eq!(
                    (entry.header().uid().ok(), entry.header().gid().ok()),
                    (Some(7), Some(3_000_000))
                );
                format!("f {name} {text}")
            }
        });
    }
    lines
}

#[test]
fn layers_lie_over_each_other() {
    let table: &[(&[&[&str]], &[&str])] = &[
        // a later one wins, folders keep what is in them, folders without an entry are made
        (
            &[&["d ./a", "f ./a/x 1", "f b/c/y 1"], &["d a", "f a/x 2"]],
            &["d a", "d b", "d b/c", "f b/c/y 1", "f a/x 2"],
        ),
        // whiteouts: of a file, of a folder with all in it, and of nothing
        (
            &[&["d a", "f a/x 1", "f a/y 1", "d ab", "f ab/z 1"], &["f a/.wh.x", "f .wh.ab", "f .wh.no"]],
            &["d a", "f a/y 1"],
        ),
        // a whiteout applies to the layers below, wherever it is in its own layer
        (&[&["d a", "f a/x 1"], &["f a/x 2", "f a/.wh.x"]], &["d a", "f a/x 2"]),
        (&[&["d a", "f a/x 1", "f a/y 1"], &["d a", "f a/z 2", "f a/.wh..wh..opq"]], &["d a", "f a/z 2"]),
        (&[&["f x 1"], &["f .wh..wh.plnk 0", "f .wh..wh..opq", "f y 2"]], &["f y 2"]),
        // a different kind of entry at the same path
        (&[&["d a", "f a/x 1"], &["s a b"]], &["s a b"]),
        (&[&["s a b"], &["d a", "f a/x 2"]], &["d a", "f a/x 2"]),
        (&[&["s a ../../b/./c", "s d /abs"]], &["s a ../../b/c", "s d /abs"]),
        // hard links live on when their first name changes or goes
        (&[&["f x 1", "h y x", "h z x"]], &["f x 1", "h y x", "h z x"]),
        (&[&["f x 1", "h x x", "h ./x x"]], &["f x 1"]),
        (&[&["f a/x 1", "d a", "f a/y 1"]], &["d a", "f a/x 1", "f a/y 1"]),
        (&[&["f x 1", "h y x", "h z x"], &["f x 2"]], &["f y 1", "h z y", "f x 2"]),
        (&[&["d a", "f a/x 1", "h y a/x"], &["f .wh.a"]], &["f y 1"]),
        (&[&["f x 1", "h y x"], &["f x 2", "h z x"], &["f .wh.x"]], &["f y 1", "f z 2"]),
    ];
    for (layers, expected) in table {
        assert_eq!(merged(layers), *expected, "{layers:?}");
    }
}

#[test]
fn nothing_leads_out() {
    let mut bytes = layer(&["f xx 1"]);
    bytes[..2].copy_from_slice(b"..");
    // The header's checksum, with the two letters in it.
    let sum: u32 = bytes[..512]
        .iter()
        .enumerate()
        .map(|(at, &byte)| if (148..156).contains(&at) { 32 } else { u32::from(byte) })
        .sum();
    bytes[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    let open = |_| Ok(Box::new(Cursor::new(bytes.clone())) as Box<dyn Read>);
    let refused = format!("{:#}", Tree::read(1, &open).expect_err("refused"));
    assert!(refused.contains("leads out"), "{refused}");
}

/// Long names, and attributes, come through as tar has them.
#[test]
fn long_names_and_attributes_stay() {
    let long = "n".repeat(200);
    let mut builder = Builder::new(Vec::new());
    let mut header = Header::new_ustar();
    header.set_size(1);
    header.set_mode(0o755);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    builder
        .append_pax_extensions([("SCHILY.xattr.security.capability", &b"\x01\0\xff"[..])])
        .expect("written");
    header.set_path("ping").expect("a path");
    header.set_cksum();
    builder.append(&header, &b"x"[..]).expect("written");
    let bytes = builder.into_inner().expect("written");
    let second = layer(&[&format!("f {long}/{long} 1"), &format!("s l {long}/{long}")]);
    let layers = [bytes, second];
    let open = |index: usize| Ok(Box::new(Cursor::new(layers[index].clone())) as Box<dyn Read>);
    let tree = Tree::read(2, &open).expect("read");
    let mut out = Vec::new();
    tree.write(2, &open, &mut out).expect("written");
    let mut seen = Vec::new();
    for entry in tar::Archive::new(Cursor::new(out)).entries().expect("entries") {
        let mut entry = entry.expect("an entry");
        seen.push((entry.path().expect("a path").display().to_string(), xattrs(&mut entry).expect("read")));
    }
    let capability = ("SCHILY.xattr.security.capability".to_owned(), b"\x01\0\xff".to_vec());
    let expected = [
        (long.clone(), vec![]),
        ("ping".into(), vec![capability]),
        (format!("{long}/{long}"), vec![]),
        ("l".into(), vec![]),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn a_whiteout_of_what_lies_below_is_known() {
    let unmet = |layers: &[&[&str]]| {
        let layers: Vec<Vec<u8>> = layers.iter().map(|lines| layer(lines)).collect();
        let open = |index: usize| Ok(Box::new(Cursor::new(layers[index].clone())) as Box<dyn Read>);
        let tree = Tree::read(layers.len(), &open).expect("read");
        tree.unmet_whiteout().map(|name| String::from_utf8_lossy(name).into_owned())
    };
    assert_eq!(unmet(&[&["f a 1", "d d", "f d/b 1"], &["f .wh.a", "f d/.wh..wh..opq"]]), None);
    assert_eq!(unmet(&[&["f .wh.a", "f a 1"]]).as_deref(), Some(".wh.a"));
    assert_eq!(unmet(&[&["d d"], &["f d/.wh..wh..opq", "f .wh.x"]]).as_deref(), Some("d/.wh..wh..opq"));
}
