//! The table of settings. The documentation (docs/reference/settings.md) is generated from it.

use std::net::IpAddr;

use dayfly_formats::bond::BondArg;
use dayfly_formats::bridge::BridgeArg;
use dayfly_formats::ifname::IfnameArg;
use dayfly_formats::ip::IpArg;
use dayfly_formats::mac::Mac;
use dayfly_formats::route::RouteArg;
use dayfly_formats::scoped::ScopedAddr;
use dayfly_formats::vlan::VlanArg;

use super::class::{CLUSTER_CA, Class, IMAGE_HASH, IMAGE_KEYS, IMAGE_THRESHOLD};
use super::slot::{List, Shown, Slot, maybe, put};
use crate::settings::value::{
    ApiServer, Argument, BelowDisk, Bytes, CaBundle, ClusterDomain, ConfigYaml, Creation, CriSocket,
    DeviceOrNone, DeviceRef, Emergency, FileName, FileSystem, Form, HostName, ImageKey, ImageSource,
    Interface, K0sToken, K0sYaml, Kubeconfig, KubeletConfiguration, Label, ModuleName, Path, Repository,
    Seconds, Sha256, Signatures, Size, Taint, TimeServer, Token, Tries, Trust, Url, UrlTemplate, Value,
    VendorClass, WholeSeconds, YesNo,
};
use crate::settings::wanted::Settings;
use crate::{HostKeys, NetworkKeeper, Source, Sourced, Stage, in_reference, k0s, k3s};

/// The only version of the settings file format.
pub const VERSION: i64 = 1;

/// One setting.
pub struct Key {
    /// The dotted name: `image.url` in the file's `[image]`, `dayfly.image.url=` on the command line.
    pub name: &'static str,
    /// What its value is, for the documentation: `URL`, `seconds`, `yes or no` …
    pub kind: &'static str,
    /// How its value is written in a settings file.
    pub form: Form,
    /// What it does, in one or two sentences.
    pub doc: &'static str,
    /// When it is used. A source that is read later cannot set it.
    pub stage: Stage,
    /// What control over its value gives.
    pub class: Class,
    /// It is only accepted from private sources and is never shown. Its type is [`crate::Secret`].
    pub secret: bool,
    /// If it takes several values: removes all of them.
    pub clear: Option<fn(&mut Settings)>,
    /// Sets it from its text.
    pub set: fn(&mut Settings, &str, &Source) -> Result<(), String>,
    /// The value, in one row for each if it takes several.
    pub show: fn(&Settings, &str) -> Vec<Shown>,
}

impl Key {
    /// Whether it takes several values.
    pub const fn many(&self) -> bool {
        self.clear.is_some()
    }
}

/// The setting with this name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// All names.
pub fn names() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|key| key.name)
}

/// Arguments: name, stage, class, type of the value, field of [`Settings`], documentation. A field in brackets takes
/// several values. If there is no field, braces contain the code that sets and shows the value.
macro_rules! keys {
    (@clear [$($list:ident).+]) => { Some(|settings| settings.$($list).+.clear()) };
    (@clear $other:tt) => { None };
    (@set $value:ty, ($($field:ident).+)) => {
        |settings, text, source| Slot::<$value>::take(&mut settings.$($field).+, text, source)
    };
    (@set $value:ty, [$($list:ident).+]) => {
        |settings, text, source| List::<$value>::take(&mut settings.$($list).+, text, source)
    };
    (@set $value:ty, { $set:expr, $show:expr }) => { $set };
    (@show $value:ty, ($($field:ident).+)) => { |settings, name| Slot::<$value>::rows(&settings.$($field).+, name) };
    (@show $value:ty, [$($list:ident).+]) => { |settings, name| List::<$value>::rows(&settings.$($list).+, name) };
    (@show $value:ty, { $set:expr, $show:expr }) => { $show };
    ($($name:literal, $stage:ident, $class:ident $(($anchor:expr))?, $value:ty => $slot:tt, $doc:literal;)*) => {
        /// Every setting, in the order of the documentation.
        pub static KEYS: &[Key] = &[$(Key {
            name: $name,
            kind: <$value as Value>::KIND,
            form: <$value as Value>::FORM,
            doc: in_reference($doc),
            stage: Stage::$stage,
            class: Class::$class $(($anchor))?,
            secret: <$value as Value>::SECRET,
            clear: keys!(@clear $slot),
            set: keys!(@set $value, $slot),
            show: keys!(@show $value, $slot),
        },)*];
    };
}

keys! {
    "image.url", Image, Image, Url => {
        |s, text, source| {
            put(&mut s.image, ImageSource::Url(Url::read(text)?), source);
            Ok(())
        },
        |s, name| image(s, name, false)
    },
        "The OS image on an HTTP or HTTPS server: a squashfs or erofs file, or the manifest of an image, whose name ends with `.json`.";
    "image.device", Image, Image, DeviceRef => {
        |s, text, source| {
            put(&mut s.image, ImageSource::Device { device: DeviceRef::read(text)?, live: true }, source);
            Ok(())
        },
        |s, name| image(s, name, true)
    },
        "The OS image on a disk: /dev/NAME, LABEL=, UUID=, PARTLABEL= or PARTUUID=. It replaces image.url and vice versa: the later one wins.";
    "image.sha256", Image, Anchor(IMAGE_HASH), Sha256 => (image_sha256),
        "The SHA-256 of the image file, or of the manifest. If it is set, an image with another hash is never mounted. If neither it nor image.keys is set, the image is booted unchecked, and the plan says so.";
    "image.keys", Image, Anchor(IMAGE_KEYS), ImageKey => [image_keys],
        "A public key of minisign; several are allowed. If one is set, only an image is booted whose manifest is signed with it: image.url must name a manifest. No other setting turns that off.";
    "image.threshold", Image, Anchor(IMAGE_THRESHOLD), Signatures => (image_threshold),
        "How many of the keys in image.keys must have signed the manifest.";
    "image.connect", Image, Plain, Seconds => (image_connect),
        "The limit for name resolution, connection and TLS handshake together. The response header, including all redirects, must arrive within this time plus `image.stall`.";
    "image.stall", Image, Plain, Seconds => (image_stall),
        "The longest time without data from a server.";
    "image.min_rate", Image, Plain, Bytes => (image_min_rate),
        "The minimum rate of a transfer, in bytes per second: a server that sends less over twice `image.stall` counts as stalled, and the transfer is retried. 16 KiB is a quarter of a slow link of 64 kB/s. Use a lower value for a slower link or one that many nodes share. It also applies to settings from a server.";
    "image.dir", Image, Image, BelowDisk => (live_dir),
        "The directory of the image file on a disk (rd.live.dir).";
    "image.file", Image, Image, FileName => (live_file),
        "The image's file name on a disk (rd.live.squashimg).";
    "retry", Network, Plain, Seconds => (retry),
        "How long network and image are retried, with increasing pauses, before the boot fails.";
    "device_wait", Network, Plain, Seconds => (device_wait),
        "How long to wait for a requested disk.";
    // These decide which other settings count.
    "config.device", Devices, Privileged, DeviceOrNone => (config_device),
        "The disk with the settings file `dayfly.toml`. It is read after the drivers are loaded, and unmounted before the boot continues. If set, the boot waits for the disk, and the file is required. The default disk is optional. `none` turns the search off.";
    "config.wait", Devices, Plain, Seconds => (config_wait),
        "How long to wait for a requested settings disk.";
    "config.trust", Devices, Privileged, Trust => (config_trust),
        "What the settings disk may set: with `limited`, nothing that runs as root or decides trust.";
    "settings.url", Network, Privileged, UrlTemplate => (settings_url),
        "A settings file on an HTTP or HTTPS server, fetched when the network is up; the variables are listed below. Setting it brings the network up.";
    "settings.wait", Network, Plain, Seconds => (settings_wait),
        "The limit for all attempts to fetch it.";
    "settings.required", Network, Privileged, YesNo => (settings_required),
        "Whether the boot fails without it. With no, there is one attempt, and the boot continues without it.";
    "settings.trust", Devices, Builder, Trust => (settings_trust),
        "What a settings URL with plain http may set: with `limited`, nothing that runs as root or decides trust. Only the settings file of the initramfs can set this. A URL with https may set anything.";
    // DHCP can set the same values and is not trusted either.
    "network.ip", Network, Plain, IpArg => [network.ip],
        "How an interface gets its address, in the syntax of ip=; several are allowed. Without any, every interface is tried with DHCPv4 and IPv6 router advertisements.";
    // A VLAN or a bridge connects the node, or two networks, with a network that no trusted source has chosen.
    "network.vlan", Network, Privileged, VlanArg => [network.vlan],
        "A VLAN, NAME:PARENT as in vlan=; several are allowed.";
    "network.bond", Network, Privileged, BondArg => [network.bond],
        "A bond, NAME:PORT,PORT:OPTION=VALUE,… as in bond=; several are allowed.";
    "network.bridge", Network, Privileged, BridgeArg => [network.bridge],
        "A bridge, NAME:PORT,PORT as in bridge=; several are allowed.";
    "network.ifname", Network, Plain, IfnameArg => [network.ifname],
        "A name for the interface with a MAC address, NAME:MAC as in ifname=; several are allowed.";
    "network.route", Network, Plain, RouteArg => [network.route],
        "A static route, NETWORK/PREFIX:GATEWAY[:INTERFACE] as in rd.route=; several are allowed.";
    "network.dns", Network, Plain, ScopedAddr => [network.dns],
        "A name server, asked before those from DHCP; several are allowed.";
    "network.peerdns", Network, Plain, YesNo => (network.peerdns),
        "Use the name servers and search domains that the network gives (rd.peerdns).";
    "network.ntp", Network, Plain, TimeServer => [network.ntp],
        "A time server, by its address or name; several are allowed. Without any, those of ip= are asked, else those that DHCP names (option 42; 56 and 31 of DHCPv6). An answer moves the clock forward only.";
    "network.bootif", Network, Plain, Mac => (network.bootif),
        "The interface to prefer: the one the firmware booted from (BOOTIF=).";
    "network.uses_bootif", Network, Plain, YesNo => (network.uses_bootif),
        "Whether network.bootif counts (rd.bootif).";
    "network.bootdev", Network, Plain, Interface => (network.bootdev),
        "The interface to prefer, by its name (bootdev=). It takes precedence over network.bootif.";
    "network.wanted", Network, Plain, YesNo => (network.wanted),
        "Bring the network up even if the image is on a disk (rd.neednet).";
    "network.dhcp_vendor_class", Network, Plain, VendorClass => (network.dhcp_vendor_class),
        "The vendor class (option 60) for DHCPv4 servers, at most 255 characters, instead of `dayfly` (rd.net.dhcp.vendor-class).";
    "network.dhcp_timeout", Network, Plain, Seconds => (network.dhcp_timeout),
        "How long a DHCP server may take on an interface (rd.net.timeout.dhcp). Without it, a server is asked as long as the step `network` lasts.";
    "network.dhcp_tries", Network, Plain, Tries => (network.dhcp_tries),
        "How often network.dhcp_timeout counts (rd.net.dhcp.retry).";
    "network.link_timeout", Network, Plain, Seconds => (network.link_timeout),
        "How long an interface may take to appear (rd.net.timeout.iflink).";
    "network.carrier_timeout", Network, Plain, Seconds => (network.carrier_timeout),
        "How long an interface may take to get a carrier (rd.net.timeout.carrier).";
    "network.dad_timeout", Network, Plain, Seconds => (network.dad_timeout),
        "How long IPv6 duplicate address detection may take for an address that the boot sets (rd.net.timeout.ipv6dad).";
    "network.autoconf_timeout", Network, Plain, Seconds => (network.autoconf_timeout),
        "How long an interface may take to get an IPv6 address from routers (rd.net.timeout.ipv6auto). With either6, a DHCPv6 server is asked after this time.";
    "network.handover", Root, Plain, NetworkKeeper => (network.handover),
        "The network service that takes over the address in the OS, so that the lease is renewed and not requested a second time: `auto` is the service that the image starts, else an installed one. Use `none` if the image configures its address itself.";
    "modules.load", Devices, Privileged, ModuleName => [modules_load],
        "A module that is always loaded; several are allowed.";
    "modules.blacklist", Devices, Privileged, ModuleName => [modules_blacklist],
        "A module that is never loaded for a device; several are allowed.";
    // Programs on persistent paths run from this disk.
    "state.device", Image, Privileged, DeviceRef => (state_device),
        "The disk for the persistent paths. If set, the boot waits for the disk. The default disk is optional.";
    "state.create", Image, Privileged, Creation => (state_create),
        "With `blank`, and if state.device (by LABEL= or as /dev/…) does not appear within device_wait, a blank whole disk becomes the state disk: it has no partitions, no known file system, and only zeros in the checked areas. A disk with any data is never changed.";
    "state.disk", Image, Privileged, DeviceRef => (state_disk),
        "The blank disk for state.create, as /dev/NAME. If not set, there must be exactly one.";
    "state.fstype", Image, Privileged, FileSystem => (state_fstype),
        "The file system for state.create, made by the image's own mkfs.";
    "root.size", Root, Plain, Size => (root_size),
        "The size limit of the tmpfs for everything that the OS writes outside the persistent paths. A percentage is relative to the memory. The default is half of the memory.";
    "hostname", Network, Plain, HostName => (hostname),
        "The node's name, for /etc/hostname, the running kernel, rules, URLs and the Kubernetes Node. If not set, the name is from ip=, else from DHCP, else node-MAC. A name from DHCP or ip= is adapted: localhost and similar names are ignored, _ becomes -, and a name over 63 bytes is cut at its first dot.";
    // Host keys in the image are known to everyone who has the image.
    "ssh.host_keys", Root, Privileged, HostKeys => (host_keys),
        "The node's ssh host keys, if the image has sshd: generated once and stored on the state disk, generated at each boot, or the image's own.";
    "os.modules", Root, Privileged, ModuleName => [os_modules],
        "A module of the image that is loaded before the OS starts; several are allowed.";
    "kubelet.enabled", Root, Privileged, YesNo => (kubelet.enabled),
        "Write the kubelet's service and enable it, so that the service manager starts it at once.";
    "kubelet.program", Root, Privileged, Path => (kubelet.program),
        "The kubelet in the image.";
    "kubelet.args", Root, Privileged, Argument => [kubelet.args],
        "An argument of the kubelet, after Dayfly's own; several are allowed.";
    "kubelet.server", Root, Privileged, ApiServer => (kubelet.server),
        "The API server, with https. Together with kubelet.ca and kubelet.token, the node joins the cluster automatically.";
    "kubelet.ca", Root, Anchor(CLUSTER_CA), CaBundle => (kubelet.ca),
        "The certificates of the cluster's CA.";
    "kubelet.token", Root, Privileged, Token => (kubelet.token),
        "The bootstrap token, ID.SECRET. The kubelet requests its certificate with it.";
    // A kubeconfig contains a CA.
    "kubelet.kubeconfig", Root, Anchor(CLUSTER_CA), Kubeconfig => (kubelet.kubeconfig),
        "A complete bootstrap kubeconfig. It replaces server, CA and token.";
    "kubelet.config", Root, Privileged, KubeletConfiguration => (kubelet.config),
        "The kubelet's configuration in YAML or JSON. It replaces Dayfly's own.";
    "kubelet.labels", Root, Plain, Label => [kubelet.labels],
        "A label of the node when it registers; several are allowed. A node that is already registered keeps its labels.";
    "kubelet.taints", Root, Plain, Taint => [kubelet.taints],
        "A taint of the node when it registers; several are allowed.";
    "kubelet.cri", Root, Privileged, CriSocket => (kubelet.cri),
        "The container runtime's socket. The default is that of containerd or CRI-O, depending on the image.";
    "kubelet.cluster_dns", Root, Privileged, IpAddr => [kubelet.cluster_dns],
        "The cluster's name server; several are allowed.";
    "kubelet.cluster_domain", Root, Privileged, ClusterDomain => (kubelet.cluster_domain),
        "The cluster's domain.";
    "k0s.role", Root, Privileged, k0s::RoleOrNone => (k0s.role),
        "Start k0s in this role, with the same service files as `k0s install`.";
    "k0s.program", Root, Privileged, Path => (k0s.program),
        "k0s in the image. The default is /usr/local/bin/k0s or /usr/bin/k0s.";
    "k0s.args", Root, Privileged, Argument => [k0s.args],
        "An argument of k0s, after Dayfly's own; several are allowed.";
    "k0s.config", Root, Privileged, K0sYaml => (k0s.config),
        "The cluster's configuration, for controllers; written to /etc/k0s/k0s.yaml, 0600.";
    "k0s.token", Root, Privileged, K0sToken => (k0s.token),
        "The join token, as `k0s token create` prints it. It must be for the node's role.";
    "k0s.data_dir", Root, Privileged, Path => (k0s.data_dir),
        "The directory for the state of k0s.";
    "k0s.images", Root, Privileged, Path => (k0s.images),
        "A directory of the image with bundles of container images, which k0s imports.";
    "k3s.role", Root, Privileged, k3s::RoleOrNone => (k3s.role),
        "Start k3s in this role, with the same service files as its install script.";
    "k3s.program", Root, Privileged, Path => (k3s.program),
        "k3s in the image. The default is /usr/local/bin/k3s or /usr/bin/k3s.";
    "k3s.args", Root, Privileged, Argument => [k3s.args],
        "An argument of k3s, after Dayfly's own; several are allowed.";
    "k3s.config", Root, Privileged, ConfigYaml => (k3s.config),
        "Additional configuration, which takes precedence over Dayfly's own; written to /etc/rancher/k3s/config.yaml.d, 0600.";
    "k3s.server", Root, Privileged, ApiServer => (k3s.server),
        "The server to join.";
    "k3s.token", Root, Privileged, Token => (k3s.token),
        "The cluster's token. With it, the node has the same node password at each boot, independent of its disks.";
    "k3s.images", Root, Privileged, Path => (k3s.images),
        "A directory of the image with bundles of container images, which k3s imports.";
    "init", Root, Privileged, Path => (init),
        "The OS's init (init=). The default is the first of the usual paths that exists in the image.";
    "failure.shell", Root, Privileged, YesNo => (shell),
        "A shell on the console when the boot fails (rd.shell), if the initramfs has one.";
    "failure.action", Root, Privileged, Emergency => (emergency),
        "The action after a failed boot (rd.emergency). The default is reboot.";
    "failure.pause", Root, Plain, WholeSeconds => (panic),
        "The pause before that action, so that the console can be read (panic=). 0 waits forever, a negative number does not wait. The default is 10.";
    // An attacker must not be able to choose the server that gets the boot record.
    "report", Root, Privileged, Url => (report),
        "The URL that gets boot.json by POST: before the handover of a successful boot, and before the restart after a failed one. If it is set in the initramfs, on /config or on the command line, it brings the network up.";
    "report_wait", Root, Plain, Seconds => (report_wait),
        "The time limit for sending it. After that, the boot continues.";
    "git", Root, Privileged, Repository => {
        |s, text, source| Slot::<Repository>::take(&mut s.scripts.entry("node".to_owned()).or_default().git, text, source),
        |_, _| Vec::new()
    },
        "As script.node.git: the repository of this node.";
    "debug", Root, Plain, YesNo => (debug),
        "Log all details to the console (rd.debug).";
}

/// The image is one setting with two names, by URL and by device.
fn image(settings: &Settings, name: &str, on_disk: bool) -> Vec<Shown> {
    let is_here = |image: &&Sourced<ImageSource>| matches!(image.value, ImageSource::Url(_)) != on_disk;
    maybe(settings.image.as_ref().filter(is_here), name, ToString::to_string)
}
