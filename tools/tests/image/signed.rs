//! Signatures, keys, and what was changed after signing.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::desk::Desk;

/// A desk with an image that the key `one` has signed.
fn signed() -> Desk {
    let desk = Desk::new();
    desk.tree("os", &["bash", "zlib"], 8);
    fs::write(desk.path("vmlinuz"), "kernel").unwrap();
    for name in ["one", "two"] {
        desk.ok(&["keys", "new", name, "--no-password"]);
    }
    desk.ok(&["build", "os", "--output", "www", "--sign", "one.key", "--companion", "kernel=vmlinuz"]);
    desk
}

/// The number of a key, from its file.
fn id(desk: &Desk, name: &str) -> String {
    let text = fs::read_to_string(desk.path(&format!("{name}.pub"))).unwrap();
    text.lines().next().unwrap().rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn a_changed_byte_is_found_by_name() {
    let desk = signed();
    let verify = &["verify", "www/os.json", "--key", "one.pub"];
    let said = desk.ok(verify);
    assert!(said.contains("os version 1\n") && said.contains("signed with"), "{said}");
    let one = id(&desk, "one");
    let layer = desk.blob("www/os.json", "/layers/0/digest");
    let size = fs::metadata(&layer).unwrap().len();
    // 0xff in the last bytes of an index is a hash; the first bytes are its magic number.
    for (path, at, wrong) in [
        (layer.clone(), 100, "layer 1 was changed: chunk 1 of "),
        (layer.clone(), size / 2, "layer 1 was changed: chunk "),
        (desk.blob("www/os.json", "/layers/1/digest"), 40, "the chunk index was changed: the SHA-256 of "),
        (desk.blob("www/os.json", "/layers/2/digest"), 2, "vmlinuz was changed: the SHA-256 of "),
        (desk.blob("www/os.json", "/config/digest"), 12, "the config was changed: the SHA-256 of "),
        (desk.path("www/os.json"), 20, "www/os.json"),
        (desk.path(&format!("www/os.json.{one}.minisig")), 100, "one.minisig"),
    ] {
        let good = fs::read(&path).unwrap();
        let mut bad = good.clone();
        bad[usize::try_from(at).unwrap()] ^= 0x01;
        fs::write(&path, &bad).unwrap();
        if wrong == "one.minisig" {
            // The file with the usual name still fits; without it there is none.
            desk.ok(verify);
            fs::rename(desk.path("www/os.json.minisig"), desk.path("kept")).unwrap();
            let said = desk.refused(verify);
            assert!(said.contains(&format!("cannot accept www/os.json.{one}.minisig")), "{said}");
            fs::rename(desk.path("kept"), desk.path("www/os.json.minisig")).unwrap();
        } else {
            let said = desk.refused(verify);
            assert!(said.contains(wrong), "{}: {said}", path.display());
            assert!(said.contains(path.file_name().unwrap().to_str().unwrap()), "{said}");
        }
        // Bytes that are missing, too.
        fs::write(&path, &good[..good.len() - 1]).unwrap();
        if wrong != "one.minisig" {
            desk.refused(verify);
        }
        fs::write(&path, good).unwrap();
    }
    desk.ok(verify);
    // A manifest that is valid JSON, with another content.
    let text = fs::read_to_string(desk.path("www/os.json")).unwrap();
    fs::write(desk.path("www/os.json"), format!("{text} ")).unwrap();
    let said = desk.refused(verify);
    assert!(said.contains("the manifest www/os.json was changed: its digest is sha256:"), "{said}");
    fs::write(desk.path("www/os.json"), text).unwrap();
    fs::remove_file(&layer).unwrap();
    assert!(desk.refused(verify).contains("layer 1 is missing: cannot open www/blobs/sha256/"));
}

#[test]
fn minisign_and_dayfly_accept_each_others_signatures() {
    let desk = signed();
    desk.shell("minisign -Vm www/os.json -p one.pub && minisign -Vm www/os_v1.json -p one.pub");
    let one = id(&desk, "one");
    desk.shell(&format!("minisign -Vm www/os.json -p one.pub -x www/os.json.{one}.minisig"));
    desk.shell("minisign -G -W -f -p stock.pub -s stock.key");
    desk.refused(&["verify", "www", "--key", "stock.pub"]);
    // A signature of minisign, under its own file name.
    desk.shell("minisign -Sm www/os.json -s stock.key -t 'from minisign'");
    let said = desk.ok(&["verify", "www", "--key", "stock.pub"]);
    assert!(said.contains("(www/os.json.minisig): from minisign"), "{said}");
    // A key of minisign signs here, and minisign's key signs with the other's.
    desk.ok(&["sign", "www", "--key", "stock.key"]);
    desk.shell("minisign -Vm www/os.json -p stock.pub");
    desk.shell("minisign -Sm vmlinuz -s one.key && minisign -Vm vmlinuz -p one.pub");
    // The key on the command line is its line, too.
    let line = fs::read_to_string(desk.path("stock.pub")).unwrap().lines().nth(1).unwrap().to_owned();
    desk.ok(&["verify", "www", "--key", &line]);
    // A legacy signature is refused, as in a node.
    desk.shell("minisign -Slm www/os.json -s stock.key && rm www/os.json.*.minisig");
    let said = desk.refused(&["verify", "www", "--key", "stock.pub"]);
    assert!(said.contains("it is a legacy signature"), "{said}");
}

#[test]
fn as_many_keys_as_the_threshold_must_have_signed() {
    let desk = signed();
    let both = &["verify", "www", "--key", "one.pub", "--key", "two.pub", "--threshold", "2"];
    let said = desk.refused(both);
    let two = id(&desk, "two");
    assert!(said.contains("is signed with 1 of the keys, but 2 must have signed it"), "{said}");
    assert!(
        said.contains(&format!(
            "key {two} (two.pub): cannot accept www/os.json.minisig: it was made with the key"
        )),
        "{said}"
    );
    let said = desk.refused(&["verify", "www", "--key", "two.pub"]);
    assert!(said.contains("is signed with 0 of the keys"), "{said}");
    // The same key twice is one key.
    let said = desk.refused(&["verify", "www", "--key", "one.pub", "--key", "one.pub", "--threshold", "2"]);
    assert!(said.contains("--threshold 2: with 1 key it is 1 to 1"), "{said}");
    desk.ok(&["verify", "www", "--key", "one.pub", "--key", "two.pub"]);
    desk.ok(&["sign", "www", "--key", "two.key"]);
    desk.ok(both);
    // Both at once, and as versions.
    desk.ok(&["build", "os", "--output", "www", "--sign", "one.key", "--sign", "two.key"]);
    desk.ok(both);
    desk.ok(&["verify", "www:os_v1", "--key", "one.pub", "--key", "two.pub", "--threshold", "2"]);
    let said = desk.refused(&["build", "os", "--output", "www", "--sign", "one.key", "--sign", "one.key"]);
    assert!(said.contains("was given twice"), "{said}");
}

#[test]
fn no_signature_stays_beside_another_manifest() {
    let desk = signed();
    let (one, two) = (id(&desk, "one"), id(&desk, "two"));
    let there = |name: &str| desk.path("www").join(name).exists();
    desk.ok(&["build", "os", "--output", "www", "--sign", "two.key"]);
    assert!(!there(&format!("os.json.{one}.minisig")) && there(&format!("os.json.{two}.minisig")));
    desk.ok(&["verify", "www", "--key", "two.pub"]);
    desk.refused(&["verify", "www", "--key", "one.pub"]);
    let output = desk.dayfly(&["build", "os", "--output", "www"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        said.contains(&format!("note: a version before was signed with {two}, and this one is not")),
        "{said}"
    );
    assert!(!there(&format!("os.json.{two}.minisig")) && !there("os.json.minisig"));
    desk.refused(&["verify", "www", "--key", "two.pub"]);
    // Each version keeps its own.
    desk.ok(&["verify", "www:os_v1", "--key", "one.pub"]);
    desk.ok(&["verify", "www:os_v2", "--key", "two.pub"]);
    desk.refused(&["verify", "www:os_v3", "--key", "two.pub"]);
    desk.ok(&["sign", "www:os_v3", "--key", "one.key"]);
    for reference in ["www", "www:os_v3", "www/os_v3.json", "www/os.json"] {
        desk.ok(&["verify", reference, "--key", "one.pub"]);
    }
}

/// `minisign -S` has written the file with the usual name alone.
#[test]
fn a_signature_under_the_usual_name_is_kept() {
    let desk = signed();
    let (one, two) = (id(&desk, "one"), id(&desk, "two"));
    fs::remove_file(desk.path(&format!("www/os.json.{one}.minisig"))).unwrap();
    desk.ok(&["sign", "www", "--key", "two.key"]);
    for key in [&one, &two] {
        assert!(desk.path(&format!("www/os.json.{key}.minisig")).exists(), "{key}");
    }
    desk.ok(&["verify", "www", "--key", "one.pub", "--key", "two.pub", "--threshold", "2"]);
}

#[test]
fn a_key_has_two_files_that_are_never_overwritten() {
    let desk = Desk::new();
    let said = desk.ok(&["keys", "new", "os", "--no-password"]);
    let line = fs::read_to_string(desk.path("os.pub")).unwrap().lines().nth(1).unwrap().to_owned();
    assert_eq!(said, format!("image.keys = [\"{line}\"]\n"));
    assert_eq!(fs::metadata(desk.path("os.key")).unwrap().permissions().mode() & 0o777, 0o600);
    let secret = fs::read(desk.path("os.key")).unwrap();
    let said = desk.refused(&["keys", "new", "os", "--no-password"]);
    assert!(said.contains("os.key is there already"), "{said}");
    fs::remove_file(desk.path("os.key")).unwrap();
    let said = desk.refused(&["keys", "new", "os", "--no-password"]);
    assert!(said.contains("os.pub is there already"), "{said}");
    assert!(!desk.path("os.key").exists() && !secret.is_empty());
    // A full disk: the limit of a file's size.
    let said = desk.shell(&format!(
        "trap '' XFSZ; ulimit -f 0; ! '{}' image keys new full --no-password 2>&1",
        env!("CARGO_BIN_EXE_dayfly")
    ));
    assert!(said.contains("cannot write full.key") && !desk.path("full.key").exists(), "{said}");
    for (args, wrong) in [
        (&["keys", "new", "", "--no-password"][..], "the name of the key is empty"),
        (&["keys", "new", "missing/os", "--no-password"], "cannot write missing/os.key"),
    ] {
        let said = desk.refused(args);
        assert!(said.contains(wrong), "{said}");
    }
}

#[test]
fn a_password_protects_a_key() {
    let desk = signed();
    fs::write(desk.path("password"), "correct horse\n").unwrap();
    fs::write(desk.path("wrong"), "battery staple\n").unwrap();
    fs::write(desk.path("empty"), "\n").unwrap();
    assert!(
        desk.refused(&["keys", "new", "mine", "--password-file", "empty"]).contains("the password is empty")
    );
    desk.ok(&["keys", "new", "mine", "--password-file", "password"]);
    let said = desk.refused(&["sign", "www", "--key", "mine.key", "--password-file", "wrong"]);
    assert!(said.contains("cannot open the secret key mine.key: Wrong password"), "{said}");
    desk.ok(&["sign", "www", "--key", "mine.key", "--password-file", "password"]);
    desk.ok(&["verify", "www", "--key", "mine.pub"]);
    desk.shell("minisign -Sm vmlinuz -s mine.key <password && minisign -Vm vmlinuz -p mine.pub");
    // A key of minisign with a password. Its hash takes 1 GiB of memory.
    desk.shell("printf 'correct horse\\ncorrect horse\\n' | minisign -G -f -p stock.pub -s stock.key");
    desk.ok(&["sign", "www", "--key", "stock.key", "--password-file", "password"]);
    desk.shell("minisign -Vm www/os.json -p stock.pub");
    // Of several keys, each has its line.
    fs::write(desk.path("lines"), "none\ncorrect horse\n").unwrap();
    desk.ok(&[
        "build",
        "os",
        "--output",
        "www",
        "--sign",
        "one.key",
        "--sign",
        "mine.key",
        "--password-file",
        "lines",
    ]);
    for key in ["mine.key", "one.pub"] {
        let args = ["verify", "www", "--key", key];
        if key == "one.pub" {
            desk.ok(&args);
        } else {
            assert!(desk.refused(&args).contains("is a secret key"), "{key}");
        }
    }
    let said = desk.refused(&["sign", "www", "--key", "mine.pub"]);
    assert!(said.contains("mine.pub is a public key; to sign, give the secret key"), "{said}");
}

/// Messages end up in logs of CI.
#[test]
fn a_secret_key_is_never_shown() {
    let desk = signed();
    let text = fs::read_to_string(desk.path("one.key")).unwrap();
    let line = text.lines().nth(1).unwrap();
    for given in [line, &text, &line[..line.len() - 1], "correct horse"] {
        for args in [
            &["verify", "www", "--key", given][..],
            &["sign", "www", "--key", given],
            &["build", "os", "--output", "www", "--sign", given],
        ] {
            let said = desk.refused(args);
            assert!(!said.contains(&given[..12]), "{said}");
            assert!(said.contains(&format!("a text of {} characters", given.len())), "{said}");
        }
    }
}

#[test]
fn a_refusal_names_good_and_missing_keys() {
    let desk = signed();
    let (one, two) = (id(&desk, "one"), id(&desk, "two"));
    let said = desk.refused(&["verify", "www", "--key", "one.pub", "--key", "two.pub", "--threshold", "2"]);
    assert!(said.contains(&format!("key {one} (one.pub): good")), "{said}");
    assert!(said.contains(&format!("key {two} (two.pub): cannot accept")), "{said}");
    // Another character in the middle of the key leaves its number.
    let mut line = fs::read(desk.path("one.pub")).unwrap();
    let at = line.len() - 20;
    line[at] = if line[at] == b'A' { b'B' } else { b'A' };
    fs::write(desk.path("typo.pub"), line).unwrap();
    let said = desk.refused(&["verify", "www", "--key", "typo.pub"]);
    assert!(said.contains("the key, the file or the signature was changed"), "{said}");
}

/// `dayfly explain --manifest` refuses what a node would.
#[test]
fn a_plan_has_the_manifests_hash_and_signatures() {
    let desk = signed();
    let explain = |more: &str| {
        let line = |name: &str| {
            fs::read_to_string(desk.path(&format!("{name}.pub"))).unwrap().lines().nth(1).unwrap().to_owned()
        };
        let more = more.replace("ONE", &line("one")).replace("TWO", &line("two"));
        let output = Command::new(env!("CARGO_BIN_EXE_dayfly"))
            .args(["explain", "--manifest", "www/os.json", "--cmdline"])
            .arg(format!("dayfly.image.url=http://192.0.2.1/os.json {more}"))
            .current_dir(desk.path(""))
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        (output.status.code(), said.into_owned())
    };
    let (one, two) = (id(&desk, "one"), id(&desk, "two"));
    let hash = desk.shell("sha256sum <www/os.json | cut -c1-64").trim().to_owned();
    let (code, said) = explain(&format!("dayfly.image.sha256={hash}"));
    assert_eq!(code, Some(0), "{said}");
    let other = "ab".repeat(32);
    let (code, said) = explain(&format!("dayfly.image.sha256={other}"));
    assert!(code == Some(1) && said.contains(&hash) && said.contains(&format!("asks for {other}")), "{said}");
    let (code, said) = explain("dayfly.image.keys=ONE");
    assert!(code == Some(0) && said.contains(&one), "{said}");
    let (code, said) = explain("dayfly.image.keys=ONE dayfly.image.keys=TWO dayfly.image.threshold=2");
    assert!(
        code == Some(1)
            && said.contains(&format!("1 of 2 needed signatures are valid; there is no valid one of {two} ")),
        "{said}"
    );
    // The key's own file does not fit, and the one with the usual name does.
    fs::write(desk.path(&format!("www/os.json.{one}.minisig")), "old").unwrap();
    let (code, said) = explain("dayfly.image.keys=ONE");
    assert_eq!(code, Some(0), "{said}");
}
