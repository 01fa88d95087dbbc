//! The fake's file system: one flat map of paths.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use dayfly_init::trees;
use dayfly_plan::paths;
use dayfly_sys::{Cause, Copied, Entry, FileKind, Links, Mount, Result, SysError, Tree, TreePath};

use super::{ENOENT, State, errno, firmware};

const ELOOP: i32 = 40;
const EPERM: i32 = 1;

/// A file of the fake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    File(Vec<u8>),
    Dir,
    Symlink(PathBuf),
    Block,
}

impl Node {
    pub fn kind(&self) -> FileKind {
        match self {
            Node::File(bytes) => FileKind::File(bytes.len() as u64),
            Node::Dir => FileKind::Dir,
            Node::Symlink(_) => FileKind::Symlink,
            Node::Block => FileKind::Block,
        }
    }
}

/// The mounts of an installed OS after its root was left: /usr is a separate file system.
const MOUNTINFO: &str = "40 1 0:30 / / rw - tmpfs root rw\n22 40 0:5 / /proc rw - proc proc rw\n\
    23 40 0:21 / /run rw - tmpfs tmpfs rw\n30 23 254:1 / /run/dayfly/l ro - ext4 /dev/vda1 ro\n\
    31 30 254:2 / /run/dayfly/l/usr ro - ext4 /dev/vda2 ro\n";

/// The module index of the fake: the modules that it needs are built in, and one driver has a file.
const INDEX: &str = "dayfly-modules 1 6.1.0-fake\n\
    [dep 45]\nkernel/virtio_net.ko:\nkernel/isofs.ko:\nkernel/fake_overlay.ko:\nkernel/qemu_fw_cfg.ko:\n\
    [alias 47]\nalias virtio:d00000001v* virtio_net\nalias x fake_x\n\
    [builtin 69]\nkernel/loop.ko\nkernel/squashfs.ko\nkernel/erofs.ko\nkernel/overlay.ko\nx.ko\n";

pub fn initramfs(cmdline: &str) -> BTreeMap<PathBuf, Node> {
    let mut nodes = BTreeMap::new();
    for (path, text) in [
        ("/proc/cmdline", cmdline),
        ("/proc/sys/kernel/osrelease", "6.1.0-fake\n"),
        ("/proc/mounts", "rootfs / rootfs rw 0 0\nstate /sysroot/var ext4 rw 0 0\n"),
        (paths::MODULE_INDEX, &index()),
        (paths::BUILD, "epoch=1700000000\nkernel=6.1.0-fake\n"),
        ("/sys/bus/virtio/devices/virtio0/modalias", "virtio:d00000001v00001AF4\n"),
    ] {
        insert(&mut nodes, Path::new(path), Node::File(text.as_bytes().to_vec()));
    }
    insert(&mut nodes, Path::new(firmware::TABLE), Node::File(firmware::with_uuid()));
    for dir in ["/sys/class/block", "/sys/module/overlay", "/dev", "/run"] {
        insert(&mut nodes, Path::new(dir), Node::Dir);
    }
    nodes
}

/// The index with the right section lengths.
fn index() -> String {
    let mut lines = INDEX.lines();
    let mut text = format!("{}\n", lines.next().unwrap());
    let mut section: Option<(String, String)> = None;
    let mut close = |section: &mut Option<(String, String)>| {
        if let Some((name, body)) = section.take() {
            write!(text, "[{name} {}]\n{body}", body.len()).unwrap();
        }
    };
    for line in lines {
        match line.strip_prefix('[').and_then(|rest| rest.split_once(' ')) {
            Some((name, _)) => {
                close(&mut section);
                section = Some((name.to_owned(), String::new()));
            }
            None => {
                if let Some((_, body)) = section.as_mut() {
                    body.push_str(line);
                    body.push('\n');
                }
            }
        }
    }
    close(&mut section);
    text
}

fn insert(nodes: &mut BTreeMap<PathBuf, Node>, path: &Path, node: Node) {
    for parent in path.ancestors().skip(1) {
        nodes.entry(parent.to_owned()).or_insert(Node::Dir);
    }
    // A directory that is created again keeps its contents.
    if node != Node::Dir || !nodes.contains_key(path) {
        nodes.insert(path.to_owned(), node);
    }
}

impl State {
    pub fn put(&mut self, path: &Path, node: Node) {
        insert(&mut self.nodes, path, node);
    }

    /// Attaches a disk with a settings file on it.
    pub fn attach_settings(&mut self, name: &str, label: &str, text: &str) {
        self.attach_ext4(name, label);
        self.settings.insert(Path::new("/dev").join(name), text.as_bytes().to_vec());
    }

    /// Attaches a disk with these bytes, and its attributes in /sys.
    pub fn attach_disk(&mut self, name: &str, bytes: Vec<u8>) {
        self.describe_disk(name, bytes.len() as u64);
        self.disks.insert(Path::new("/dev").join(name), bytes);
    }

    /// Attaches a file of the host as a disk.
    pub fn attach_host_disk(&mut self, name: &str, file: &Path) {
        self.describe_disk(name, std::fs::metadata(file).unwrap().len());
        self.host_disks.insert(Path::new("/dev").join(name), file.to_owned());
    }

    /// Attaches a partition of an attached disk, with these bytes.
    pub fn attach_partition(&mut self, disk: &str, name: &str, start: u64, bytes: Vec<u8>) {
        self.attach_disk(name, bytes);
        let number = name.trim_start_matches(disk).trim_start_matches('p');
        for (file, text) in [("partition", number.to_owned()), ("start", start.to_string())] {
            self.put_sys(name, file, &text);
        }
        self.put(&Path::new("/sys/class/block").join(disk).join(name), Node::Dir);
    }

    /// Writes a file below /sys/class/block.
    pub fn put_sys(&mut self, name: &str, file: &str, text: &str) {
        let path = Path::new("/sys/class/block").join(name).join(file);
        self.put(&path, Node::File(format!("{text}\n").into_bytes()));
    }

    fn describe_disk(&mut self, name: &str, len: u64) {
        self.put(&Path::new("/sys/class/block").join(name).join("holders"), Node::Dir);
        for (file, text) in [("ro", 0), ("removable", 0), ("size", len / 512)] {
            self.put_sys(name, file, &text.to_string());
        }
        self.put(&Path::new("/dev").join(name), Node::Block);
    }

    /// Attaches a disk with an ext4 of this label.
    pub fn attach_ext4(&mut self, name: &str, label: &str) {
        let device = Path::new("/dev").join(name);
        self.disks.insert(device.clone(), super::ext4(label));
        self.put(&device, Node::Block);
        self.put(&Path::new("/sys/class/block").join(name), Node::Dir);
    }

    /// Adds credentials in fw_cfg.
    pub fn hand_in(&mut self, credentials: &[(&str, &str)]) {
        self.put(Path::new("/sys/bus/acpi/devices/QEMU0002:00"), Node::Dir);
        for (name, value) in credentials {
            let file = format!("/sys/firmware/qemu_fw_cfg/by_name/opt/io.systemd.credentials/{name}/raw");
            self.put(Path::new(&file), Node::File(value.as_bytes().to_vec()));
        }
    }

    pub fn list(&self, dir: &Path) -> Result<Vec<Entry>> {
        if !matches!(self.nodes.get(dir), Some(Node::Dir)) {
            return Err(errno("list", dir, ENOENT));
        }
        let below = self.nodes.iter().filter(|(path, _)| path.parent() == Some(dir));
        Ok(below
            .map(|(path, node)| Entry {
                name: path.file_name().unwrap().to_string_lossy().into_owned(),
                is_dir: *node == Node::Dir,
            })
            .collect())
    }

    /// Like the real one, for the paths that a boot uses.
    pub fn resolve(&self, path: &TreePath) -> Result<TreePath> {
        let tree = path.tree();
        let mut inside = PathBuf::new();
        let parts = |path: &Path| -> Vec<_> {
            path.iter().filter(|part| *part != "/").rev().map(ToOwned::to_owned).collect()
        };
        let mut rest = parts(path.inside());
        for _ in 0..200 {
            let Some(part) = rest.pop() else { return Ok(tree.at(inside)) };
            if tree.shares_run() && inside == Path::new("run") && part == "dayfly" {
                let words = "it leads into the boot's own directory, /run/dayfly";
                return Err(SysError::new("follow", path.to_string(), Cause::Errno(EPERM), words));
            }
            match self.nodes.get(&tree.at(inside.join(&part)).outside()) {
                _ if part == ".." => drop(inside.pop()),
                Some(Node::Symlink(_)) if tree.links() == Links::Refused => break,
                Some(Node::Symlink(target)) => {
                    if target.is_absolute() {
                        inside = PathBuf::new();
                    }
                    rest.extend(parts(target));
                }
                _ => inside.push(part),
            }
        }
        Err(errno("follow", &path.outside(), ELOOP))
    }

    /// Resolves all symlinks in a path, for the fake's map. Using a path of a tree as one of the boot's own is an error
    /// in the step.
    pub fn end(&self, path: &TreePath) -> Result<PathBuf> {
        if path.tree() != Tree::OWN {
            return Ok(self.resolve(path)?.outside());
        }
        let path = path.outside();
        for tree in [trees::OS, trees::IMAGE, trees::STATE, trees::OVERLAY, trees::CONFIG, trees::MEDIA] {
            let is_inside = path.starts_with(tree.root()) && path != Path::new(tree.root());
            assert!(
                !is_inside,
                "{} is a path of {}, but was used as a path of the boot itself",
                path.display(),
                tree.root()
            );
        }
        Ok(path)
    }

    /// The same, but without following a final symlink.
    pub fn name(&self, path: &TreePath) -> Result<PathBuf> {
        match path.file_name() {
            Some(name) if path.tree() != Tree::OWN => Ok(self.resolve(&path.parent())?.join(name).outside()),
            _ => self.end(path),
        }
    }

    pub fn copy(&mut self, from: &Path, to: &Path, skip: &[PathBuf]) -> Copied {
        let found: Vec<(PathBuf, Node)> = self
            .nodes
            .iter()
            .filter_map(|(path, node)| Some((path.strip_prefix(from).ok()?, node)))
            .filter(|(path, _)| !skip.iter().any(|skip| path.starts_with(skip) && *path != skip))
            .map(|(path, node)| (to.join(path), node.clone()))
            .collect();
        let copied = Copied { entries: found.len() as u64, bytes: 0 };
        for (path, node) in found {
            self.put(&path, node);
        }
        copied
    }

    pub fn rename(&mut self, from: &Path, to: &Path) {
        self.copy(from, to, &[]);
        self.nodes.retain(|path, _| !path.starts_with(from));
    }

    /// Simulates a mount. It supports only what the steps use: the image's tree, its overlay, binds.
    pub fn mount(&mut self, mount: &Mount, target: &Path) -> Result<()> {
        match mount {
            Mount::New { fstype, .. } if fstype == "squashfs" || fstype == "erofs" => {
                for (path, node) in image_tree() {
                    let is_below = self.etc_in_usr && Path::new(path).starts_with("etc");
                    self.put(&target.join(if is_below { "usr" } else { "" }).join(path), node);
                }
            }
            Mount::New { fstype, source, .. } => {
                self.put(target, Node::Dir);
                if fstype == "cgroup2" {
                    let controllers = b"cpuset cpu io memory hugetlb pids rdma misc\n".to_vec();
                    self.put(&target.join("cgroup.controllers"), Node::File(controllers));
                }
                if let Some(text) = self.settings.get(Path::new(source)).cloned() {
                    self.put(&target.join("dayfly.toml"), Node::File(text));
                }
            }
            Mount::Overlay { lower, .. } => {
                for layer in lower {
                    self.copy(&self.end(layer)?, target, &[]);
                }
            }
            Mount::Bind { source, .. } => {
                let source = self.end(source)?;
                // The mount hides the files below it.
                self.nodes.retain(|path, _| path == target || !path.starts_with(target));
                self.copy(&source, target, &[]);
            }
            Mount::Unmount { .. } => {
                self.nodes.retain(|path, _| path == target || !path.starts_with(target));
            }
            Mount::Move { .. } | Mount::Shared { .. } | Mount::ReadOnly { .. } => {}
        }
        Ok(())
    }

    /// Makes the root that of an installed OS, as its own initramfs leaves it.
    pub fn install(&mut self) {
        for (path, node) in image_tree() {
            self.put(&Path::new("/").join(path), node);
        }
        let fstab = "UUID=a / ext4 errors=remount-ro 0 1\nUUID=b /boot vfat defaults 0 2\nUUID=c /home ext4 defaults 0 2\n";
        for (path, text) in [
            ("/etc/fstab", fstab),
            ("/etc/hostname", "installed\n"),
            ("/etc/hosts", "10.0.0.9 of-the-administrator\n"),
            ("/etc/machine-id", "5b1d6c3a8f2e4c7d9a0b1c2d3e4f5a6b\n"),
            ("/proc/self/mountinfo", MOUNTINFO),
        ] {
            self.put(Path::new(path), Node::File(text.as_bytes().to_vec()));
        }
    }

    pub fn leave_root(&mut self, old: &Path) {
        let stays = |path: &Path| ["/dev", "/proc", "/run", "/sys"].iter().any(|top| path.starts_with(top));
        let left: Vec<PathBuf> =
            self.nodes.keys().filter(|path| *path != Path::new("/") && !stays(path)).cloned().collect();
        for path in left {
            if let (Some(node), Ok(below)) = (self.nodes.remove(&path), path.strip_prefix("/")) {
                self.put(&old.join(below), node);
            }
        }
    }
}

/// An OS with the files that a boot uses.
fn image_tree() -> Vec<(&'static str, Node)> {
    let file = |text: &str| Node::File(text.as_bytes().to_vec());
    vec![
        ("etc", Node::Dir),
        (
            "etc/passwd",
            file(
                "root:x:0:0::/root:/bin/sh\nadmin:x:1000:1001::/home/admin:/bin/sh\nnew:x:1002:1002::/home/new:\n",
            ),
        ),
        ("etc/group", file("root:x:0:\nadmin:x:1001:\nssl-cert:x:104:admin\n")),
        ("etc/shadow", file("root:*:19000:0:99999:7:::\nadmin:!:19000:0:99999:7:::\n")),
        ("etc/alternatives", Node::Symlink(PathBuf::from("/usr/share/alternatives"))),
        ("etc/ssh/sshd_config", file("")),
        ("etc/ssh/ssh_host_rsa_key", file("-----BEGIN BAKED PRIVATE KEY-----\n")),
        ("etc/ssh/ssh_host_rsa_key.pub", file("ssh-rsa baked\n")),
        ("etc/systemd/system/masked.service", Node::Symlink(PathBuf::from("/dev/null"))),
        (
            "etc/systemd/system/multi-user.target.wants/on.service",
            Node::Symlink(PathBuf::from("/usr/lib/systemd/system/on.service")),
        ),
        ("home", Node::Dir),
        ("home/admin", Node::Dir),
        ("lib", Node::Symlink(PathBuf::from("usr/lib"))),
        (
            "usr/lib/modules/6.1.0-fake/modules.dep",
            file(
                "kernel/br_netfilter.ko: kernel/bridge.ko\nkernel/bridge.ko:\nkernel/nf_conntrack.ko:\nkernel/crc32c_fake.ko:\n",
            ),
        ),
        (
            "usr/lib/modules/6.1.0-fake/modules.alias",
            file("alias virtio:d00000001v* bridge\nalias crc32c crc32c_fake\n"),
        ),
        ("usr/lib/modules/6.1.0-fake/modules.softdep", file("softdep nf_conntrack pre: crc32c\n")),
        ("usr/lib/systemd/system/on.service", file("[Service]\n[Install]\nWantedBy=multi-user.target\n")),
        (
            "usr/lib/systemd/system/masked.service",
            file("[Service]\n[Install]\nWantedBy=multi-user.target\nAlso=with.socket gone.socket\n"),
        ),
        (
            "usr/lib/systemd/system/with.socket",
            file("[Install]\nWantedBy=sockets.target\nAlias=other.socket\n"),
        ),
        ("usr/lib/systemd/system/at@.service", file("[Install]\nRequiredBy=%i.target\n")),
        (
            "usr/lib/systemd/system/systemd-networkd.service",
            file("[Install]\nWantedBy=multi-user.target\nAlso=systemd-network-generator.service\n"),
        ),
        (
            "usr/lib/systemd/system/systemd-networkd-wait-online.service",
            file("[Install]\nWantedBy=network-online.target\n"),
        ),
        (
            "usr/lib/systemd/system/systemd-network-generator.service",
            file("[Install]\nWantedBy=sysinit.target\n"),
        ),
        ("usr/lib/systemd/network/80-ve.network", file("[Match]\nName=ve-*\n")),
        ("usr/lib/systemd/system/static.service", file("[Service]\n")),
        ("usr/sbin/sshd", file("a fake sshd")),
        ("usr/bin/ssh-keygen", file("a fake ssh-keygen")),
        ("opt", Node::Dir),
        ("usr", Node::Dir),
        ("usr/local", Node::Dir),
        ("usr/bin", Node::Dir),
        ("usr/bin/kubelet", file("a fake kubelet")),
        ("usr/lib/systemd/systemd", file("a fake systemd")),
        ("sbin", Node::Dir),
        ("sbin/init", Node::Symlink(PathBuf::from("/usr/lib/systemd/systemd"))),
        ("var", Node::Dir),
        ("var/lib", Node::Dir),
        ("var/lib/thing", file("from the image")),
        ("var/lib/dpkg", Node::Dir),
        ("var/lib/dpkg/status", file("what the image has installed")),
    ]
}
