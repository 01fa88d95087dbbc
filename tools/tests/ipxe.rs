//! `dayfly ipxe` as a user runs it.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

/// The folder of the page docs/how-to/ipxe.md, with files that have only their first bytes.
fn folder() -> TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    let kernel = [&[0; 0x202][..], b"HdrS"].concat();
    // The superblock's magic, version 4.0, the time zero and the size of everything (Documentation/filesystems/squashfs.rst).
    let mut image = vec![0; 4096];
    image[..4].copy_from_slice(b"hsqs");
    image[28] = 4;
    image[40] = 96;
    for (name, bytes) in
        [("vmlinuz", &kernel[..]), ("initramfs.img", b"070701"), ("os.squashfs", &image), ("notes", b"x")]
    {
        fs::write(dir.path().join(name), bytes).expect("a file");
    }
    dir
}

fn dayfly(dir: &Path, args: &[&str]) -> (bool, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_dayfly"))
        .current_dir(dir)
        .arg("ipxe")
        .args(args)
        .output()
        .expect("the binary was built");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (output.status.success(), text(output.stdout), text(output.stderr))
}

fn refused(dir: &Path, args: &[&str]) -> String {
    let (ok, out, err) = dayfly(dir, args);
    assert!(!ok && out.is_empty(), "{args:?} should be refused: {out}");
    err
}

const URL: [&str; 2] = ["--url", "http://192.0.2.1:8080/"];

/// The page has the output of the command.
#[test]
fn the_script_is_the_one_of_the_docs() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/how-to/ipxe.md");
    let page = fs::read_to_string(&path).expect("the page");
    let dir = folder();
    let (ok, script, err) = dayfly(dir.path(), &[&URL[..], &["--cmdline", "console=ttyS0"]].concat());
    assert!(ok, "{err}");
    if std::env::var_os("DAYFLY_BLESS").is_some() {
        let (before, rest) = page.split_once("```text\n#!ipxe\n# Written").expect("the script's place");
        let (_, after) = rest.split_once("```\n").expect("its end");
        fs::write(&path, format!("{before}```text\n{script}```\n{after}")).expect("writable");
        return;
    }
    assert!(
        page.contains(&format!("```text\n{script}```\n")),
        "{} lacks this script:\n{script}\nrun `DAYFLY_BLESS=1 cargo test -p dayfly-tools --test ipxe`",
        path.display()
    );
}

#[test]
fn output_is_a_file_and_replaces_the_old_one() {
    let dir = folder();
    let (_, script, _) = dayfly(dir.path(), &URL);
    fs::write(dir.path().join("boot.ipxe"), "old").expect("a file");
    let (ok, out, err) = dayfly(dir.path(), &[&URL[..], &["-o", "boot.ipxe"]].concat());
    assert!(ok && out.is_empty(), "{out}{err}");
    assert_eq!(fs::read_to_string(dir.path().join("boot.ipxe")).expect("a file"), script);
}

#[test]
fn what_is_missing_or_ambiguous_is_named() {
    let dir = folder();
    let path = |name: &str| dir.path().join(name);
    fs::copy(path("vmlinuz"), path("vmlinuz-old")).expect("a copy");
    let error = refused(dir.path(), &URL);
    for part in ["vmlinuz, vmlinuz-old", "--kernel"] {
        assert!(error.contains(part), "{error}");
    }
    let chosen = dayfly(dir.path(), &[&URL[..], &["--kernel", "vmlinuz-old"]].concat());
    assert!(chosen.0 && chosen.1.contains("kernel ${base}vmlinuz-old "), "{chosen:?}");
    for (name, reason) in [("nothing", "no such file"), ("../x", "without .."), ("/etc/passwd", "without ..")]
    {
        let error = refused(dir.path(), &[&URL[..], &["--kernel", name]].concat());
        assert!(error.contains(reason), "{error}");
    }

    let chosen =
        |image: &str| refused(dir.path(), &[&URL[..], &["--kernel", "vmlinuz", "--image", image]].concat());
    assert!(chosen("notes").contains("neither a squashfs nor an erofs"));
    let image = fs::read(path("os.squashfs")).expect("was there");
    fs::write(path("half.squashfs"), &image[..95]).expect("a file");
    assert!(chosen("half.squashfs").contains("95 bytes, but its superblock says 96"));

    fs::remove_file(path("half.squashfs")).expect("was there");
    fs::remove_file(path("os.squashfs")).expect("was there");
    let image = refused(dir.path(), &[&URL[..], &["--kernel", "vmlinuz"]].concat());
    assert!(image.contains("no squashfs or erofs image"), "{image}");
    let on_disk = dayfly(
        dir.path(),
        &[&URL[..], &["--kernel", "vmlinuz", "--cmdline", "root=live:LABEL=images"]].concat(),
    );
    assert!(on_disk.0 && !on_disk.1.contains("sha256="), "{on_disk:?}");
    let elsewhere = ["--kernel", "vmlinuz", "--cmdline", "dayfly.settings.url=http://192.0.2.1/${mac}.toml"];
    let elsewhere = dayfly(dir.path(), &[&URL[..], &elsewhere].concat());
    assert!(elsewhere.0 && elsewhere.1.contains("/${mac}.toml || goto"), "{elsewhere:?}");
}

/// An error in the command line is found here, not at the node's console.
#[test]
fn what_a_node_would_refuse_is_refused() {
    let dir = folder();
    let error = refused(dir.path(), &[&URL[..], &["--cmdline", "ip=nonsense"]].concat());
    assert!(error.contains("refuse") && error.contains("config.value"), "{error}");
    let (ok, _, err) = dayfly(dir.path(), &[&URL[..], &["--cmdline", "dayfly.hostnam=x"]].concat());
    assert!(ok && err.contains("warning: ") && err.contains("hostname"), "{err}");
    // Values that iPXE fills in are not checked.
    let (ok, _, err) = dayfly(dir.path(), &[&URL[..], &["--cmdline", "nameserver=${dns}"]].concat());
    assert!(ok && err == "hashing ./os.squashfs\n", "{err}");
}
