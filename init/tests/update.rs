//! A state disk after an update of the image: files of packages must be those of the new image, and files of the node
//! must stay. Tests the directory layout of every distribution.

mod machine;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use dayfly_init::trees::{IMAGE, OS, STATE};
use dayfly_plan::{DEFAULTS, Writer};
use dayfly_sys::{Cause, Tree};
use machine::{End, Fault, Machine, Node, State};

/// errno(3): read-only file system.
const EROFS: i32 = 30;

const CMDLINE: &str = "root=live:http://10.0.2.2/os.squashfs ip=dhcp rd.retry=20";

/// For each distribution: files of its package database, and a file that its services write.
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

/// The package database entries that are single files.
const FILES: [&str; 2] = ["/var/lib/apt/extended_states", "/var/lib/shells.state"];

/// Files of a tree, by their paths in it.
type Nodes = BTreeMap<PathBuf, Node>;

/// Boots an image with these additional files, and a state disk with these files.
fn boot(image: &Nodes, disk: &Nodes, prepare: impl FnOnce(&mut State)) -> Arc<Machine> {
    let machine = Machine::new(CMDLINE);
    {
        let mut state = machine.state();
        state.attach_ext4("vda", "state");
        for (tree, nodes) in [(IMAGE, image), (STATE, disk)] {
            for (path, node) in nodes {
                state.put(&Path::new(tree.root()).join(path), node.clone());
            }
        }
        prepare(&mut state);
    }
    let end = machine.boot();
    assert_eq!(end, End::Exec("/sbin/init".to_owned()), "{:#?}", machine.state().log);
    machine
}

/// The current contents of a tree.
fn nodes_of(machine: &Machine, tree: Tree) -> Nodes {
    let state = machine.state();
    let inside = |(path, node): (&PathBuf, &Node)| {
        Some((path.strip_prefix(tree.root()).ok()?.to_owned(), node.clone()))
    };
    state.nodes.iter().filter_map(inside).collect()
}

fn file(text: impl Into<String>) -> Node {
    Node::File(text.into().into_bytes())
}

#[test]
fn packages_follow_the_image_and_the_node_keeps_what_is_its_own() {
    for (name, records, own) in DISTRIBUTIONS {
        let image = |version: &str| -> Nodes {
            let gone = records.iter().map(|path| Path::new(path).with_file_name(format!("only-{version}")));
            let paths = records.iter().map(PathBuf::from).chain(gone);
            paths.map(|path| (path, file(format!("of {version}")))).collect()
        };
        let before = boot(&image("v1"), &Nodes::new(), |_| ());
        let mut disk = nodes_of(&before, STATE);
        disk.insert(PathBuf::from(own), file("of the node"));
        let after = boot(&image("v2"), &disk, |_| ());
        let (root, disk) = (nodes_of(&after, OS), nodes_of(&after, STATE));
        let text = |path: &Path| match root.get(path) {
            Some(Node::File(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
            other => format!("{other:?}"),
        };
        for path in *records {
            let path = Path::new(path);
            assert_eq!(text(path), "of v2", "{name}: {}", path.display());
        }
        // Files of the old image in a database directory must be gone.
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

/// A file on the disk of another type than in the new image is replaced.
#[test]
fn a_kept_path_of_another_kind_makes_room() {
    let records = ["var/lib/rpm/rpmdb.sqlite", "var/lib/shells.state"];
    let image = records.map(|path| (path.into(), file("of v2"))).into();
    let disk = Nodes::from([
        ("var/lib/rpm".into(), file("a file once")),
        ("var/lib/shells.state".into(), Node::Dir),
        ("var/lib/shells.state/x".into(), file("a folder once")),
    ]);
    let root = nodes_of(&boot(&image, &disk, |_| ()), OS);
    for path in records {
        assert_eq!(root.get(Path::new(path)), Some(&file("of v2")), "{path}");
    }
}

/// An image with the rpm database in /usr, and a link to it at the path of the database in older images.
fn with_rpm_in_usr() -> Nodes {
    [
        ("usr/lib/sysimage/rpm/rpmdb.sqlite".into(), file("of v2")),
        ("var/lib/rpm".into(), Node::Symlink("../../usr/lib/sysimage/rpm".into())),
    ]
    .into()
}

/// Otherwise rpm would read the old database in the directory that the older image left on the state disk.
#[test]
fn the_link_to_a_package_database_takes_the_place_of_an_older_images_folder() {
    let disk =
        [("var/lib/rpm/rpmdb.sqlite".into(), file("of v1")), ("var/lib/own".into(), file("of the node"))];
    let machine = boot(&with_rpm_in_usr(), &disk.into(), |_| ());
    let root = nodes_of(&machine, OS);
    let at = |path: &str| root.get(Path::new(path));
    assert_eq!(at("var/lib/rpm"), Some(&Node::Symlink("/usr/lib/sysimage/rpm".into())));
    assert_eq!(at("var/lib/rpm/rpmdb.sqlite"), None);
    assert_eq!(at("usr/lib/sysimage/rpm/rpmdb.sqlite"), Some(&file("of v2")));
    assert_eq!(at("var/lib/own"), Some(&file("of the node")));
    let told = format!("{:?}", machine.state().log);
    assert!(told.contains("restored the link /var/lib/rpm to /usr/lib/sysimage/rpm"), "{told}");
}

/// Only a directory or a file can be the database of an older image.
#[test]
fn a_link_of_the_nodes_own_stays() {
    let own = Node::Symlink("/srv/rpm".into());
    let machine = boot(&with_rpm_in_usr(), &[("var/lib/rpm".into(), own.clone())].into(), |_| ());
    assert_eq!(nodes_of(&machine, OS).get(Path::new("var/lib/rpm")), Some(&own));
}

/// With a read-only state disk, only the link is lost; the boot succeeds.
#[test]
fn a_link_that_cannot_be_put_back_is_told() {
    let disk = [("var/lib/rpm/rpmdb.sqlite".into(), file("of v1"))];
    let machine = boot(&with_rpm_in_usr(), &disk.into(), |state| {
        let call = format!("remove_tree {}", OS.at("var/lib/rpm"));
        state.fault = Some(Fault { call, times: 1, cause: Cause::Errno(EROFS) });
    });
    let told = format!("{:?}", machine.state().log);
    assert!(told.contains("restore the link /var/lib/rpm to /usr/lib/sysimage/rpm"), "{told}");
}

/// A path that the image does not have costs only one check.
#[test]
fn a_path_of_another_distribution_costs_one_look() {
    let machine = Machine::new(CMDLINE);
    machine.state().attach_ext4("vda", "state");
    assert_eq!(machine.boot(), End::Exec("/sbin/init".to_owned()));
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
