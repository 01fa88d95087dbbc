//! The commands of the documentation. The blocks of the how-tos run here as they are written, in their own namespaces. The tutorial
//! runs completely in its machine (`tests/tests/vm/tutorial.rs`). A block for another machine's programs has a title with its place.

mod namespace;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};

use dayfly_qemu::{kernel::Kernel, product::Product};
use dayfly_tests::docs::{Block, blocks, pages, parse, root};
use namespace::{apart, run, shell};

/// The titles, the number of blocks for each, and where these blocks run.
const TITLES: &[(&str, usize, Fate)] = &[
    ("in the node", 1, Fate::Elsewhere("vm: tutorial_as_it_is_written")),
    ("on a node with systemd-networkd", 1, Fate::Elsewhere("vm: address_networkd")),
    ("on a node with ifupdown", 1, Fate::Elsewhere("vm: address_ifupdown")),
    ("with disks", 4, Fate::Here(&[])),
    ("until Ctrl-C", 2, Fate::Here(&[])),
    ("on a host with dracut", 1, Fate::Here(&["dracut"])),
    ("on a node of the control plane", 1, Fate::Here(&["kubeadm"])),
    ("on the Proxmox host", 3, Fate::Here(&["qm", "uuidgen"])),
    ("with the openstack client", 3, Fate::Here(&["openstack", "baremetal"])),
    ("with cargo-deb", 1, Fate::Elsewhere("package: packages_install_work_and_go")),
    ("on the Debian that gets them", 1, Fate::Elsewhere("package: packages_install_work_and_go")),
    ("with QEMU", 3, Fate::Elsewhere("vm: try_image")),
    ("with a k0s of yours", 1, Fate::Elsewhere("nowhere: it needs a k0s")),
];

#[derive(Clone, Copy)]
enum Fate {
    /// In this test, with stand-ins that do nothing for the programs that this machine lacks; the rest is real.
    Here(&'static [&'static str]),
    /// In a scenario, or not at all.
    Elsewhere(&'static str),
}

fn fate(block: &Block) -> Fate {
    let Some(title) = &block.title else { return Fate::Here(&[]) };
    let found = TITLES.iter().find(|(known, ..)| known == title);
    found.unwrap_or_else(|| panic!("{}: line {}: unknown title {title:?}", block.page, block.line)).2
}

fn all() -> Vec<Block> {
    pages().iter().flat_map(|page| blocks(page)).collect()
}

#[test]
fn blocks_of_a_page() {
    let page = "```text\n```\nwords\n```sh\na\n\nb\n```\n\n1. x\n\n   ```sh title=\"in the node\"\n   c\n     d\n   ```\n";
    let expected = [(4, None, "a\n\nb\n"), (12, Some("in the node"), "c\n  d\n")];
    let found = parse("p", page);
    let found: Vec<(usize, Option<&str>, &str)> =
        found.iter().map(|block| (block.line, block.title.as_deref(), block.text.as_str())).collect();
    assert_eq!(found, expected);
}

#[test]
fn every_title_is_known() {
    let mut counts = BTreeMap::new();
    for block in all() {
        fate(&block);
        if let Some(title) = block.title {
            *counts.entry(title).or_insert(0) += 1;
        }
    }
    let expected = TITLES.iter().map(|&(title, count, _)| (title.to_owned(), count)).collect();
    assert_eq!(counts, expected, "blocks by title: left in the pages, right in this test");
    for (title, count, fate) in TITLES {
        match fate {
            Fate::Here(stand_ins) => println!("{count} {title:?}: here, stand-ins: {stand_ins:?}"),
            Fate::Elsewhere(place) => println!("{count} {title:?}: {place}"),
        }
    }
}

#[test]
fn blocks_are_shell_without_faults() {
    let more =
        ["README.md", "docs/explanation/design.md", "docs/reference/commands.md", "dracut-module/README.md"];
    let checked: Vec<Block> = all().into_iter().chain(more.into_iter().flat_map(blocks)).collect();
    assert!(checked.len() > 35, "only {} blocks were found", checked.len());
    for block in checked {
        let commands: [&[&str]; 2] =
            [&["bash", "-n"], &["shellcheck", "--shell=bash", "--severity=warning", "-"]];
        for command in commands {
            let mut child = Command::new(command[0])
                .args(&command[1..])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap_or_else(|error| panic!("{}: {error}", command[0]));
            child.stdin.take().expect("piped").write_all(block.text.as_bytes()).expect("it reads");
            let output = child.wait_with_output().expect("it ends");
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            assert!(output.status.success(), "{}: line {}: {}\n{said}", block.page, block.line, block.text);
        }
    }
}

/// What a page presumes: files of the reader, and contents of a disk. The key is a text of the block that needs it.
const GIVEN: &[(&str, &str)] = &[
    // Between the two blocks the page boots a node.
    ("rm -r /mnt/usr-local", "mount /dev/vdb /mnt; mkdir /mnt/usr-local; umount /mnt"),
    (
        "qm set 201 --smbios1",
        "mkdir www; cp $(ls /boot/vmlinuz-* | head -n1) www/vmlinuz; cp os.squashfs www; echo 070701 >www/initramfs.img",
    ),
];

/// The kernel release in the pages.
const RELEASE: &str = "6.1.0-56-amd64";

#[test]
fn how_tos_run_as_they_are_written() {
    let product = Product::of_checkout().unwrap();
    // Build first what the pages build: this namespace has no network.
    product.init("").unwrap();
    let dayfly = product.dayfly().unwrap();
    let target = dayfly.parent().and_then(Path::parent).expect("the target folder").to_owned();
    let kernel = Kernel::of_host().unwrap();
    apart(|_, scratch| {
        // Files that the pages install disappear with the namespace.
        for name in ["usr", "etc", "boot"] {
            let (upper, work) = (scratch.join(name), scratch.join(format!("{name}.work")));
            fs::create_dir_all(&upper).unwrap();
            fs::create_dir_all(&work).unwrap();
            let options = format!("lowerdir=/{name},upperdir={},workdir={}", upper.display(), work.display());
            run("mount", &["-t", "overlay", "overlay", "-o", &options, &format!("/{name}")]);
        }
        programs(&scratch.join("bin"), &dayfly);
        for page in pages().iter().filter(|page| page.starts_with("docs/how-to/")) {
            let found: Vec<Block> =
                blocks(page).into_iter().filter(|block| matches!(fate(block), Fate::Here(_))).collect();
            if found.is_empty() {
                continue;
            }
            let name = page.rsplit('/').next().expect("a name");
            let folder = scratch.join(name);
            desk(&folder, &target);
            if found.iter().any(|block| block.text.contains(RELEASE)) && kernel.version != RELEASE {
                symlink(&kernel.image, format!("/boot/vmlinuz-{RELEASE}")).unwrap();
                symlink(&kernel.modules, format!("/lib/modules/{RELEASE}")).unwrap();
            }
            let _disks = found
                .iter()
                .any(|block| block.title.as_deref() == Some("with disks"))
                .then(|| Disk::new(scratch, name));
            let script = script(&found);
            let output = Command::new("bash")
                .args(["-euo", "pipefail", "-c", &script])
                .current_dir(&folder)
                .env("PATH", format!("{}:{}", scratch.join("bin").display(), std::env::var("PATH").unwrap()))
                .env("DAYFLY_CHECKOUT", root())
                .env("DAYFLY_BIN", scratch.join("bin"))
                .stdin(Stdio::null())
                .output()
                .expect("bash");
            let said = [output.stdout, output.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            assert!(output.status.success(), "{page}: {}\n{said}", output.status);
            println!("{page}: {} blocks", found.len());
        }
    });
}

/// The blocks of a page as one script, as a reader types them into one shell.
fn script(blocks: &[Block]) -> String {
    let mut lines = Vec::new();
    for block in blocks {
        let Fate::Here(stand_ins) = fate(block) else { continue };
        lines.push(format!("echo '== line {}' >&2", block.line));
        // Programs, not functions, because sudo starts them too.
        lines.extend(stand_ins.iter().map(|program| format!("ln -s /bin/true \"$DAYFLY_BIN/{program}\"")));
        let given = GIVEN.iter().filter(|(text, _)| block.text.contains(text));
        lines.extend(given.map(|(_, given)| (*given).to_owned()));
        let text = block.text.trim_end();
        lines.push(match block.title.as_deref() {
            Some("until Ctrl-C") => format!("timeout --preserve-status --signal INT 3 {text}"),
            _ => text.to_owned(),
        });
        lines.extend(stand_ins.iter().map(|program| format!("rm \"$DAYFLY_BIN/{program}\"")));
    }
    lines.join("\n")
}

/// Programs that precede this machine's own in the path.
fn programs(folder: &Path, dayfly: &Path) {
    fs::create_dir_all(folder).unwrap();
    symlink(dayfly, folder.join("dayfly")).unwrap();
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    for (name, text) in [
        // These tests run as root already.
        ("sudo", "exec \"$@\"".to_owned()),
        // Simulate only; qemu/provision installs the packages.
        ("apt-get", "exec /usr/bin/apt-get --simulate \"$@\"".to_owned()),
        // The checkout is in another folder.
        ("cargo", format!("cd \"$DAYFLY_CHECKOUT\" && exec {cargo} \"$@\"")),
    ] {
        let file = folder.join(name);
        fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// A reader's folder: the parts of the checkout that pages use, an image, the certificate of a CA.
fn desk(folder: &Path, target: &Path) {
    fs::create_dir_all(folder).unwrap();
    symlink(target, folder.join("target")).unwrap();
    symlink(root().join("dracut-module"), folder.join("dracut-module")).unwrap();
    fs::copy(root().join("init/formats/src/x509/ca.pem"), folder.join("my-ca.pem")).unwrap();
    shell(&format!(
        "cd '{}' && mkdir os && echo os >os/file && mksquashfs os os.squashfs -quiet -no-progress && rm -r os",
        folder.display()
    ));
}

/// /dev/vdb, which is also the partition `os`, in a separate /dev.
struct Disk(String);

impl Disk {
    fn new(scratch: &Path, name: &str) -> Self {
        let file = scratch.join(format!("{name}.disk"));
        let script = format!(
            "truncate -s 64M '{0}' && loop=$(losetup --find --show '{0}') && numbers=$(lsblk -dno MAJ:MIN \"$loop\")
            mkdir -p '{0}.dev/disk/by-partlabel'
            for name in null zero full random urandom tty; do cp -a /dev/$name '{0}.dev/'; done
            ln -s /proc/self/fd '{0}.dev/fd'
            mknod '{0}.dev/vdb' b ${{numbers%:*}} ${{numbers#*:}}
            ln -s ../../vdb '{0}.dev/disk/by-partlabel/os'
            echo \"$loop\"",
            file.display()
        );
        let device = shell(&script).trim().to_owned();
        run("mount", &["--bind", &format!("{}.dev", file.display()), "/dev"]);
        Self(device)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Mounts of it end with the namespace, which frees the device.
        let _ = Command::new("umount").arg("/dev").status();
        let _ = Command::new("losetup").args(["--detach", &self.0]).status();
    }
}
