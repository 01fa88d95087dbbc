//! A state disk that outlives its image: after an update, what packages wrote is the new image's, and what the node wrote
//! is the node's, for the tree of every distribution.

mod machine;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dayfly_init::trees::{IMAGE, OS, STATE};
use dayfly_plan::{DEFAULTS, Writer};
use machine::{End, Machine, Node};

const CMDLINE: &str = "root=live:http://10.0.2.2/os.squashfs ip=dhcp rd.retry=20";

/// A file of the image's own records for each distribution, and one that its services write.
const DISTRIBUTIONS: &[(&str, &[&str], &str)] = &[
    (
        "Debian",
        &[
            "var/lib/dpkg/info/base-files.list",
            "var/lib/dpkg/alternatives/editor",
            "var/lib/apt/extended_states",
            "var/cache/debconf/config.dat",
            "var/lib/ucf/hashfile",
            "var/lib/pam/auth",
            "var/lib/shells.state",
            "var/lib/initramfs-tools/6.1.0",
            "var/lib/systemd/deb-systemd-helper-enabled/ssh.service.dsh-also",
            "var/lib/systemd/catalog/database",
            "var/cache/ldconfig/aux-cache",
            "var/cache/man/index.db",
            "var/cache/apparmor/1/usr.sbin.sshd",
            "var/lib/dkms/zfs/2.1/source",
            "etc/alternatives/editor",
        ],
        "var/lib/apt/lists/mirror",
    ),
    (
        "Fedora before 36, Red Hat",
        &[
            "var/lib/rpm/rpmdb.sqlite",
            "var/lib/alternatives/ld",
            "var/lib/dnf/history.sqlite",
            "var/lib/authselect/checksum",
            "var/lib/selinux/targeted/active/policy.linked",
        ],
        "var/lib/chrony/drift",
    ),
    (
        "Fedora",
        &["usr/lib/sysimage/rpm/rpmdb.sqlite", "var/lib/alternatives/ld"],
        "var/lib/NetworkManager/secret_key",
    ),
    (
        "SUSE",
        &[
            "usr/lib/sysimage/rpm/Packages.db",
            "var/lib/zypp/AutoInstalled",
            "var/lib/ca-certificates/ca-bundle.pem",
        ],
        "var/lib/wicked/lease",
    ),
    (
        "Alpine",
        &["lib/apk/db/installed", "lib/apk/db/scripts.tar", "etc/apk/world"],
        "var/cache/apk/APKINDEX.tar.gz",
    ),
    (
        "Arch",
        &["var/lib/pacman/local/glibc-2.40-1/desc", "var/cache/fontconfig/x.cache-9"],
        "var/lib/pacman/sync/core.db",
    ),
    (
        "Gentoo",
        &["var/db/pkg/sys-libs/glibc-2.40/CONTENTS", "var/lib/portage/world", "var/cache/edb/mtimedb"],
        "var/db/repos/gentoo/profiles",
    ),
    ("Void", &["var/db/xbps/pkgdb-0.38.plist"], "var/log/socklog/everything"),
    ("Slackware", &["var/lib/pkgtools/packages/aaa_base-15.0"], "var/log/messages"),
];

/// The records that are files by themselves.
const FILES: [&str; 2] = ["/var/lib/apt/extended_states", "/var/lib/shells.state"];

/// Boots an image with these files on a state disk; the files of the OS, and those of the disk afterwards.
fn boot(files: &[(PathBuf, String)], disk: &BTreeMap<PathBuf, Node>) -> [BTreeMap<PathBuf, Node>; 2] {
    let (machine, ends) = Machine::new(CMDLINE, 20);
    {
        let mut state = machine.state();
        state.attach_ext4("vda", "state");
        for (path, text) in files {
            state.put(&Path::new(IMAGE.root()).join(path), Node::File(text.clone().into_bytes()));
        }
        for (path, node) in disk {
            state.put(&Path::new(STATE.root()).join(path), node.clone());
        }
    }
    let end = machine.boot(&ends, Duration::from_secs(20));
    assert_eq!(end, End::Exec("/sbin/init".to_owned()), "{:#?}", machine.state().log);
    let state = machine.state();
    [OS.root(), STATE.root()].map(|root| {
        let below = state.nodes.iter().filter_map(|(path, node)| Some((path.strip_prefix(root).ok()?, node)));
        below.map(|(path, node)| (path.to_owned(), node.clone())).collect()
    })
}

#[test]
fn packages_follow_the_image_and_the_node_keeps_what_is_its_own() {
    for (name, records, own) in DISTRIBUTIONS {
        let image = |version: &str| -> Vec<(PathBuf, String)> {
            let gone = records.iter().map(|path| Path::new(path).with_file_name(format!("only-{version}")));
            let paths = records.iter().map(PathBuf::from).chain(gone);
            paths.map(|path| (path, format!("of {version}"))).collect()
        };
        let [_, mut disk] = boot(&image("v1"), &BTreeMap::new());
        disk.insert(
            PathBuf::from("var").join(own.strip_prefix("var/").unwrap()),
            Node::File(b"of the node".to_vec()),
        );
        let [root, disk] = boot(&image("v2"), &disk);
        let text = |path: &Path| match root.get(path) {
            Some(Node::File(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
            other => format!("{other:?}"),
        };
        for path in *records {
            let path = Path::new(path);
            assert_eq!(text(path), "of v2", "{name}: {}", path.display());
        }
        // What came with the old image in a folder of records has gone with it.
        for path in records.iter().map(|path| Path::new(path).with_file_name("only-v1")) {
            let is_record = |owned: &&dayfly_plan::Owned| {
                owned.writer == Writer::Packages && path.starts_with(&owned.path[1..])
            };
            let is_folder =
                DEFAULTS.iter().filter(|owned| !FILES.contains(&owned.path)).any(|owned| is_record(&owned));
            assert!(!is_folder || !root.contains_key(&path), "{name}: {}", path.display());
        }
        assert_eq!(text(Path::new(own)), "of the node", "{name}");
        assert!(disk.contains_key(Path::new("var")), "{name}");
    }
}

/// What stands in the way on a disk, of an image that had it otherwise, makes room.
#[test]
fn a_kept_path_of_another_kind_makes_room() {
    let image = [
        (PathBuf::from("var/lib/rpm/rpmdb.sqlite"), "of v2".to_owned()),
        (PathBuf::from("var/lib/shells.state"), "of v2".to_owned()),
    ];
    let disk = BTreeMap::from([
        (PathBuf::from("var/lib/rpm"), Node::File(b"a file once".to_vec())),
        (PathBuf::from("var/lib/shells.state"), Node::Dir),
        (PathBuf::from("var/lib/shells.state/x"), Node::File(b"a folder once".to_vec())),
    ]);
    let [root, _] = boot(&image, &disk);
    for path in ["var/lib/rpm/rpmdb.sqlite", "var/lib/shells.state"] {
        assert_eq!(root.get(Path::new(path)), Some(&Node::File(b"of v2".to_vec())), "{path}");
    }
}

/// What an image does not have costs one look.
#[test]
fn a_path_of_another_distribution_costs_one_look() {
    let (machine, ends) = Machine::new(CMDLINE, 20);
    machine.state().attach_ext4("vda", "state");
    assert_eq!(machine.boot(&ends, Duration::from_secs(20)), End::Exec("/sbin/init".to_owned()));
    let state = machine.state();
    let other = DEFAULTS.iter().filter(|owned| {
        owned.writer == Writer::Packages && owned.path.starts_with("/var/") && owned.path != "/var/lib/dpkg"
    });
    for owned in other {
        let calls: Vec<&String> =
            state.calls.iter().filter(|call| call.split(' ').any(|word| is_at(word, owned.path))).collect();
        assert_eq!(calls.len(), 1, "{calls:?}");
    }
}

fn is_at(word: &str, path: &str) -> bool {
    word.ends_with(path) || word.contains(&format!("{path}/"))
}
