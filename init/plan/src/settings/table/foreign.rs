//! Words of other boot programs that matter to a boot and that Dayfly does not act on: each is named once, with what to
//! write instead. docs/reference/parameters.md is generated from the table. Words that it does not have are nobody's
//! business here, and those that the OS reads by itself are not in it.

use dayfly_formats::cmdline::same_key;

/// Where a word is named. On a mounted root (`init=`) none is: the initramfs before has acted on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// In Dayfly's own initramfs alone: in dracut's, dracut does it.
    Own,
    /// In dracut's initramfs too, where the network and the image are Dayfly's.
    Both,
}

/// One row: words that ask for the same.
pub struct Foreign {
    /// The words; a `*` at the end stands for any more.
    pub names: &'static [&'static str],
    /// Whose they are.
    pub whose: &'static str,
    /// What they ask for.
    pub what: &'static str,
    /// What to write instead.
    pub instead: &'static str,
    /// Where they are named.
    pub named: Where,
}

/// The row of a word.
pub fn find(key: &str) -> Option<&'static Foreign> {
    FOREIGN.iter().find(|row| row.names.iter().any(|name| fits(name, key)))
}

fn fits(name: &str, key: &str) -> bool {
    match name.strip_suffix('*') {
        Some(start) => key.get(..start.len()).is_some_and(|head| same_key(head, start)),
        None => same_key(name, key),
    }
}

/// Words whose plain form asks for nothing: only `=0` does.
pub(in crate::settings) const ON_BY_ITSELF: [&str; 2] = ["rd.peerdns", "rd.bootif"];

const IN_THE_OS: &str =
    "let the OS's network service set it up, and give the boot one plain card with ip=CARD:dhcp";
const NO_DISKS: &str =
    "boot an image by root=live:http://SERVER/IMAGE or from a plain disk, and leave such disks to the OS";
const AN_IMAGE: &str = "write root=live:http://SERVER/IMAGE, with a squashfs or erofs image";
const A_STATE_DISK: &str =
    "keep paths on a state disk: dayfly.state.device=LABEL=NAME and dayfly.layout.PATH=persistent";
const SETTINGS: &str =
    "write dayfly.settings.url=https://SERVER/FILE, or put dayfly.toml on a disk labelled config";

macro_rules! foreign {
    ($($where:ident [$($name:literal)*] $whose:literal $what:literal $instead:expr;)*) => {
        /// Every row, in the order of the documentation.
        pub static FOREIGN: &[Foreign] = &[$(Foreign {
            names: &[$($name),*], whose: $whose, what: $what, instead: $instead, named: Where::$where,
        },)*];
    };
}

foreign! {
    Both ["bond"] "dracut, systemd" "a bond of several cards" IN_THE_OS;
    Both ["vlan"] "dracut, systemd" "a VLAN" IN_THE_OS;
    Both ["bridge"] "dracut, systemd" "a bridge" IN_THE_OS;
    Both ["team" "teaming"] "dracut" "a team of several cards" IN_THE_OS;
    Both ["rd.route"] "dracut, systemd" "a static route" "have the DHCP server send it (option 121), or give the gateway in ip=";
    Both ["rd.peerdns"] "dracut" "no name servers from DHCP" "nameserver=ADDRESS names one that is asked before those";
    Both ["rd.bootif"] "dracut" "BOOTIF= to be ignored" "leave BOOTIF= out";
    Both ["bootdev"] "dracut" "one card for the boot" "write ip=CARD:dhcp or BOOTIF=MAC";
    Own ["ifname"] "dracut, systemd" "a name for a card" "name the card as the kernel does, or by BOOTIF=MAC";
    Both ["rd.net.*"] "dracut" "other times for the network" "rd.retry=SECONDS says how long it is tried";
    Both ["proxy"] "dracut" "a proxy" "serve the image where the node reaches it by itself";
    Both ["rd.noverifyssl"] "dracut" "https without a check" "put the server's CA into the initramfs: dayfly initramfs --ca-bundle FILE";
    Own ["rd.znet*" "rd.dasd*" "rd.zfcp*"] "dracut" "devices of s390" "boot that machine with dracut";
    Own ["rd.luks" "rd.luks.*" "rd_LUKS*" "cryptdevice" "crypt_root"] "dracut, systemd, Arch" "an encrypted disk" NO_DISKS;
    Own ["rd.lvm" "rd.lvm.*" "rd_LVM*" "dolvm"] "dracut, Gentoo" "LVM volumes" NO_DISKS;
    Own ["rd.md" "rd.md.*" "rd_MD*" "domdadm"] "dracut, Gentoo" "software RAID" NO_DISKS;
    Own ["rd.dm" "rd.dm.*"] "dracut" "fake RAID by device mapper" NO_DISKS;
    Own ["rd.multipath" "rd.multipath.*"] "dracut" "multipath disks" NO_DISKS;
    Own ["rd.auto"] "dracut" "LUKS, LVM and RAID by themselves" NO_DISKS;
    Own ["rd.iscsi.*" "iscsi_*" "ISCSI_*" "fcoe" "rd.fcoe*" "rd.nvmf*" "rd.nonvmf"] "dracut, Debian" "a disk over the network" NO_DISKS;
    Own ["netroot" "nfsroot" "nbdroot" "rd.nfs.*"] "dracut, the kernel" "a root over the network" AN_IMAGE;
    Own ["rootfallback"] "dracut" "a second root" "a later place may name the image, in image.url of the settings";
    Own ["roothash" "usrhash" "systemd.verity*" "rd.systemd.verity*"] "systemd" "a root that dm-verity checks" "dayfly.image.sha256= checks the whole image";
    Own ["mount.usr" "mount.usrfstype" "mount.usrflags"] "systemd" "a /usr of its own" "put /usr into the image";
    Own ["ostree" "composefs"] "ostree, bootc" "a root out of a repository" AN_IMAGE;
    Own ["systemd.volatile"] "systemd" "a root without state" "all is without state here but what the layout makes persistent: dayfly.layout.PATH=";
    Own ["rd.systemd.pull" "rd.systemd.unit" "rd.systemd.mount-extra" "rd.systemd.wants"] "systemd" "units of an initramfs with systemd" AN_IMAGE;
    Own ["systemd.pull"] "systemd" "a download by systemd-import, which the OS's systemd may do once it runs" AN_IMAGE;
    Own ["rd.writable.fsimg" "rd.minmem" "rd.live.*"] "dracut" "another way to use a live image" "the image is one squashfs or erofs file, used where it is, with an overlay in memory above it";
    Both ["rd.overlay.*"] "dracut" "another overlay" A_STATE_DISK;
    Own ["iso-scan/filename" "findiso" "fromiso" "img_dev" "img_loop" "cos-img/filename"] "dracut, live-boot, Arch, Kairos" "an ISO file on some disk" "name disk and file: root=live:LABEL=NAME rd.live.dir=FOLDER rd.live.squashimg=FILE";
    Both ["boot"] "live-boot, casper, initramfs-tools" "another program's way to boot" AN_IMAGE;
    Both ["fetch" "httpfs" "ftpfs"] "live-boot" "an image from a server" AN_IMAGE;
    Both ["live-media" "live-media-path" "live-media-timeout" "live-media-encryption" "bootfrom"] "live-boot, casper" "an image on a disk" "write root=live:LABEL=NAME, with rd.live.dir=FOLDER and rd.live.squashimg=FILE";
    Both ["toram" "todisk" "copytoram"] "live-boot, casper, Arch" "a copy of the image" "a fetched image is in memory anyhow, one on a disk is used where it is";
    Both ["persistent" "persistence" "persistent-path" "persistence-*"] "casper, live-boot" "an overlay that is kept" A_STATE_DISK;
    Both ["overlayroot"] "cloud-initramfs-tools" "an overlay above the root" "the root always is one; its limit is dayfly.root.size=, and what is kept lies on a state disk";
    Both ["archiso*" "alpine_dev" "alpine_repo" "apkovl" "modloop" "imgurl" "ltsp.*" "cow_*"] "Arch, Alpine, xCAT, LTSP" "an image in their own form" AN_IMAGE;
    Both ["inst.*"] "Anaconda" "an installation" AN_IMAGE;
    Both ["coreos.inst.*" "coreos.live.*"] "Fedora CoreOS" "an installation or a live root of its own form" AN_IMAGE;
    Both ["ignition.*" "flatcar.*" "coreos.config.url"] "Ignition, Flatcar" "settings by Ignition in the initramfs" SETTINGS;
    Both ["wwinit.*" "wwid"] "Warewulf" "an image and overlays from its server" "write root=live:http://SERVER/IMAGE and dayfly.settings.url=http://SERVER/FILE";
    Both ["k3os.*"] "k3OS" "its settings" "write dayfly.k3s.role= and dayfly.k3s.server=, and give the token by a credential or on /config";
    Both ["kairos.*" "cos.*" "rd.cos.*" "rd.immucore.*" "elemental.*" "harvester.*"] "Kairos, Elemental, Harvester" "their settings" SETTINGS;
    Both ["talos.*"] "Talos" "its settings" SETTINGS;
    Both ["ds" "ci.ds" "ci.datasource.*" "cloud-config-url" "network-config"] "cloud-init" "settings that only a cloud-init in the OS reads" SETTINGS;
}
