//! Kernel parameters of other boot programs that matter to a boot and that Dayfly does not support. Each is reported
//! once, with an alternative. docs/reference/parameters.md is generated from the table. Other unknown parameters are
//! ignored. Parameters that the OS reads itself are not in the table.

use dayfly_formats::cmdline::same_key;

/// Where a parameter is reported. On a mounted root (`init=`) none is reported: the previous initramfs has handled it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// Only in Dayfly's own initramfs: in a dracut initramfs, dracut handles it.
    Own,
    /// Also in a dracut initramfs, because there Dayfly handles the network and the image.
    Both,
}

/// One row: parameters that request the same.
pub struct Foreign {
    /// The parameters. A `*` at the end matches any rest.
    pub names: &'static [&'static str],
    /// The program that defines them.
    pub whose: &'static str,
    /// What they request.
    pub what: &'static str,
    /// The alternative with Dayfly.
    pub instead: &'static str,
    /// Where they are reported.
    pub named: Where,
}

/// The row of a parameter.
pub fn find(key: &str) -> Option<&'static Foreign> {
    FOREIGN.iter().find(|row| row.names.iter().any(|name| fits(name, key)))
}

fn fits(name: &str, key: &str) -> bool {
    match name.strip_suffix('*') {
        Some(start) => key.get(..start.len()).is_some_and(|head| same_key(head, start)),
        None => same_key(name, key),
    }
}

const NO_DISKS: &str =
    "boot an image with root=live:http://SERVER/IMAGE or from a plain disk, and leave such disks to the OS";
const AN_IMAGE: &str = "use root=live:http://SERVER/IMAGE with a squashfs or erofs image";
const A_STATE_DISK: &str =
    "make paths persistent on a state disk: dayfly.state.device=LABEL=NAME and dayfly.layout.PATH=persistent";
const SETTINGS: &str =
    "use dayfly.settings.url=https://SERVER/FILE, or put dayfly.toml on a disk with the label config";

macro_rules! foreign {
    ($($where:ident [$($name:literal)*] $whose:literal $what:literal $instead:expr;)*) => {
        /// Every row, in the order of the documentation.
        pub static FOREIGN: &[Foreign] = &[$(Foreign {
            names: &[$($name),*], whose: $whose, what: $what, instead: $instead, named: Where::$where,
        },)*];
    };
}

foreign! {
    Both ["rd.net.dhcp.client-id"] "NetworkManager" "another DHCP client identifier" "the identifier is the MAC address, so that the OS gets the same lease; give the node its address by its MAC address";
    Both ["rd.net.dhcp.dscp"] "NetworkManager" "a DSCP value for DHCP" "prioritize UDP ports 67 and 68 on the switch";
    Both ["rd.net.dns" "rd.net.dns-*"] "NetworkManager" "name servers and how they are asked" "use nameserver=ADDRESS";
    Both ["rd.net.timeout.ip-required"] "NetworkManager" "a longer wait for both IP versions" "the boot continues with the first address by which the server answers, and keeps one of the other IP version if it is there by then";
    Both ["rd.net.*"] "dracut, NetworkManager" "another option of the network" "docs/reference/parameters.md lists those that Dayfly uses";
    Both ["rd.ethtool"] "NetworkManager" "the speed of an interface" "set it on the switch, or let the OS set it";
    Both ["ib.pkey"] "NetworkManager" "an InfiniBand partition" "boot over an Ethernet interface, and let the OS create the partition";
    Both ["dhcpclass"] "the kernel" "a vendor class for DHCP" "use rd.net.dhcp.vendor-class=TEXT";
    Both ["carrier_timeout"] "the kernel" "a limit for the wait for a carrier" "use rd.net.timeout.carrier=SECONDS";
    Both ["nfsaddrs"] "the kernel" "a network address, by the old name of ip=" "use ip=";
    Both ["proxy"] "dracut" "a proxy" "serve the image from a server that the node can reach directly";
    Both ["rd.noverifyssl"] "dracut" "https without a certificate check" "put the server's CA into the initramfs: dayfly initramfs --ca-bundle FILE";
    Own ["rd.znet*" "rd.ccw" "rd_ZNET*" "rd_CCW*" "rd.dasd*" "rd.zfcp*"] "dracut" "s390 devices" "boot this machine with dracut";
    Own ["rd.luks" "rd.luks.*" "rd_LUKS*" "cryptdevice" "crypt_root"] "dracut, systemd, Arch" "an encrypted disk" NO_DISKS;
    Own ["rd.lvm" "rd.lvm.*" "rd_LVM*" "dolvm"] "dracut, Gentoo" "LVM volumes" NO_DISKS;
    Own ["rd.md" "rd.md.*" "rd_MD*" "domdadm"] "dracut, Gentoo" "software RAID" NO_DISKS;
    Own ["rd.dm" "rd.dm.*"] "dracut" "fake RAID (device mapper)" NO_DISKS;
    Own ["rd.multipath" "rd.multipath.*"] "dracut" "multipath disks" NO_DISKS;
    Own ["rd.auto"] "dracut" "automatic LUKS, LVM and RAID" NO_DISKS;
    Own ["rd.iscsi.*" "iscsi_*" "ISCSI_*" "fcoe" "rd.fcoe*" "rd.nvmf*" "rd.nonvmf"] "dracut, Debian" "a disk over the network" NO_DISKS;
    Own ["netroot" "nfsroot" "nbdroot" "rd.nfs.*" "cifsuser" "cifspass"] "dracut, the kernel" "a root over the network" AN_IMAGE;
    Own ["rootfallback"] "dracut" "a second root" "a later source may name the image with image.url";
    Own ["roothash" "usrhash" "systemd.verity*" "rd.systemd.verity*"] "systemd" "a root that dm-verity checks" "use dayfly.image.sha256=, which checks the whole image";
    Own ["mount.usr" "mount.usrfstype" "mount.usrflags"] "systemd" "a separate /usr" "put /usr into the image";
    Own ["ostree" "composefs"] "ostree, bootc" "a root from a repository" AN_IMAGE;
    Own ["systemd.volatile"] "systemd" "a root without state" "only paths that the layout makes persistent have state: dayfly.layout.PATH=";
    Own ["rd.systemd.pull" "rd.systemd.unit" "rd.systemd.mount-extra" "rd.systemd.wants"] "systemd" "units of an initramfs with systemd" AN_IMAGE;
    Own ["systemd.pull"] "systemd" "a download by systemd-import, which the OS's systemd may do once it runs" AN_IMAGE;
    Own ["rd.writable.fsimg" "rd.minmem" "rd.live.*"] "dracut" "another way to use a live image" "the image is one squashfs or erofs file, used in place, with an overlay in memory on top";
    Both ["rd.overlay.*"] "dracut" "another overlay" A_STATE_DISK;
    Own ["iso-scan/filename" "findiso" "fromiso" "img_dev" "img_loop" "cos-img/filename"] "dracut, live-boot, Arch, Kairos" "an ISO file on some disk" "name disk and file: root=live:LABEL=NAME rd.live.dir=DIRECTORY rd.live.squashimg=FILE";
    Both ["boot"] "live-boot, casper, initramfs-tools" "the boot method of another program" AN_IMAGE;
    Both ["fetch" "httpfs" "ftpfs"] "live-boot" "an image from a server" AN_IMAGE;
    Both ["live-media" "live-media-path" "live-media-timeout" "live-media-encryption" "bootfrom"] "live-boot, casper" "an image on a disk" "use root=live:LABEL=NAME with rd.live.dir=DIRECTORY and rd.live.squashimg=FILE";
    Both ["toram" "todisk" "copytoram"] "live-boot, casper, Arch" "a copy of the image" "a fetched image is always in memory, and an image on a disk is used in place";
    Both ["persistent" "persistence" "persistent-path" "persistence-*"] "casper, live-boot" "a persistent overlay" A_STATE_DISK;
    Both ["overlayroot"] "cloud-initramfs-tools" "an overlay on the root" "the root is always an overlay; dayfly.root.size= sets its limit, and persistent paths are on a state disk";
    Both ["archiso*" "alpine_dev" "alpine_repo" "apkovl" "modloop" "imgurl" "ltsp.*" "cow_*"] "Arch, Alpine, xCAT, LTSP" "an image in their own format" AN_IMAGE;
    Both ["inst.*"] "Anaconda" "an installation" AN_IMAGE;
    Both ["coreos.inst.*" "coreos.live.*"] "Fedora CoreOS" "an installation or a live root in its own format" AN_IMAGE;
    Both ["ignition.*" "flatcar.*" "coreos.config.url"] "Ignition, Flatcar" "settings by Ignition in the initramfs" SETTINGS;
    Both ["wwinit.*" "wwid"] "Warewulf" "an image and overlays from its server" "use root=live:http://SERVER/IMAGE and dayfly.settings.url=http://SERVER/FILE";
    Both ["k3os.*"] "k3OS" "its settings" "use dayfly.k3s.role= and dayfly.k3s.server=, and give the token in a credential or on /config";
    Both ["kairos.*" "cos.*" "rd.cos.*" "rd.immucore.*" "elemental.*" "harvester.*"] "Kairos, Elemental, Harvester" "their settings" SETTINGS;
    Both ["talos.*"] "Talos" "its settings" SETTINGS;
    Both ["ds" "ci.ds" "ci.datasource.*" "cloud-config-url" "network-config"] "cloud-init" "settings that only a cloud-init in the OS reads" SETTINGS;
}
