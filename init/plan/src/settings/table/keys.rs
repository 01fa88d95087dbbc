//! The table of settings. The documentation (docs/reference/settings.md) is generated from it.

use std::net::IpAddr;

use dayfly_formats::ip::IpArg;
use dayfly_formats::mac::Mac;

use super::class::{CLUSTER_CA, Class, IMAGE_HASH};
use super::slot::{List, Shown, Slot, maybe, put};
use crate::settings::value::{
    ApiServer, Argument, BelowDisk, Bytes, CaBundle, ClusterDomain, ConfigYaml, Creation, CriSocket,
    DeviceOrNone, DeviceRef, Emergency, FileName, FileSystem, Form, HostName, ImageSource, K0sToken, K0sYaml,
    Kubeconfig, KubeletConfiguration, Label, ModuleName, Path, Repository, Seconds, Sha256, Size, Taint,
    Token, Trust, Url, UrlTemplate, Value, WholeSeconds, YesNo,
};
use crate::settings::wanted::Settings;
use crate::{HostKeys, NetworkKeeper, Source, Sourced, Stage, in_reference, k0s, k3s};

/// The only version of a settings file that there is.
pub const VERSION: i64 = 1;

/// One setting.
pub struct Key {
    /// The dotted name: `image.url` in the file's `[image]`, `dayfly.image.url=` on the command line.
    pub name: &'static str,
    /// What its value is, for people: `URL`, `seconds`, `yes or no` …
    pub kind: &'static str,
    /// How its value is written in a settings file.
    pub form: Form,
    /// What it does, one sentence or two.
    pub doc: &'static str,
    /// When it is used: a source that is known only later cannot set it.
    pub stage: Stage,
    /// What somebody gains who may choose its value.
    pub class: Class,
    /// It is taken from private sources only and shown by nobody; its type is [`crate::Secret`].
    pub secret: bool,
    /// It gathers several values; this drops them all.
    pub clear: Option<fn(&mut Settings)>,
    /// Sets it from its text.
    pub set: fn(&mut Settings, &str, &Source) -> Result<(), String>,
    /// The value as it stands; several rows where it gathers several values.
    pub show: fn(&Settings, &str) -> Vec<Shown>,
}

impl Key {
    /// Whether it gathers several values.
    pub const fn many(&self) -> bool {
        self.clear.is_some()
    }
}

/// The setting of this name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// All names.
pub fn names() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|key| key.name)
}

/// Name, stage, class, type of the value, field of [`Settings`], documentation. A field in brackets gathers values; in braces
/// stands how to set and how to show what is no field.
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
        "The OS image on an HTTP or HTTPS server: a squashfs or erofs file.";
    "image.device", Image, Image, DeviceRef => {
        |s, text, source| {
            put(&mut s.image, ImageSource::Device { device: DeviceRef::read(text)?, live: true }, source);
            Ok(())
        },
        |s, name| image(s, name, true)
    },
        "The OS image on a disk: /dev/NAME, LABEL=, UUID=, PARTLABEL= or PARTUUID=. Replaces image.url, and the reverse: the later one wins.";
    "image.sha256", Image, Anchor(IMAGE_HASH), Sha256 => (image_sha256),
        "The SHA-256 of the image file. With it, an image that differs is never mounted; without it, whatever the server sends is booted, and the plan says so.";
    "image.connect", Image, Plain, Seconds => (image_connect),
        "How long resolving a server's name, connecting to it and the TLS handshake may take, in sum. The head of the answer has to be there by this and `image.stall`, all redirects included.";
    "image.stall", Image, Plain, Seconds => (image_stall),
        "The longest silence of a server.";
    "image.min_rate", Image, Plain, Bytes => (image_min_rate),
        "The least rate of a transfer, in bytes a second: a server that sends less over twice `image.stall` counts as stalled, and the transfer is tried again. 16 KiB is a quarter of a slow link of 64 kB/s; where many nodes share one, or it is slower, make it less. It holds for settings from a server as well.";
    "image.dir", Image, Image, BelowDisk => (live_dir),
        "The folder of the image file on a disk (rd.live.dir).";
    "image.file", Image, Image, FileName => (live_file),
        "The image's file name on a disk (rd.live.squashimg).";
    "retry", Network, Plain, Seconds => (retry),
        "How long network and image are tried again, with growing pauses, before the boot has failed.";
    "device_wait", Network, Plain, Seconds => (device_wait),
        "How long a disk that was asked for is waited for.";
    // Whose settings count.
    "config.device", Devices, Privileged, DeviceOrNone => (config_device),
        "The disk with the settings file `dayfly.toml`. It is looked at when the drivers have settled, and is out of reach again before anything else goes on. Named here, it is waited for and must have the file; the default is used if it is there; `none` looks for none.";
    "config.wait", Devices, Plain, Seconds => (config_wait),
        "How long a settings disk that was asked for is waited for.";
    "config.trust", Devices, Privileged, Trust => (config_trust),
        "What the settings disk may set: with `limited`, nothing that runs as root or decides trust.";
    "settings.url", Network, Privileged, UrlTemplate => (settings_url),
        "A settings file on an HTTP or HTTPS server, fetched when the network is up; the variables are listed below. It brings the network up.";
    "settings.wait", Network, Plain, Seconds => (settings_wait),
        "How long that is tried, in all.";
    "settings.required", Network, Privileged, YesNo => (settings_required),
        "Whether the boot fails without it; with no, it is tried once, and the boot goes on without.";
    "settings.trust", Devices, Builder, Trust => (settings_trust),
        "What a settings URL with plain http may set: nothing that runs as root or decides trust, but with `any`. Only the initramfs's own settings file can say so. One with https may set anything.";
    // DHCP may say the same, and is not trusted either.
    "network.ip", Network, Plain, IpArg => [ip],
        "How an interface gets its address, in the words of ip=; several are allowed. None is DHCP on every interface.";
    "network.dns", Network, Plain, IpAddr => [dns],
        "A name server, asked before those from DHCP; several are allowed.";
    "network.bootif", Network, Plain, Mac => (bootif),
        "The interface to prefer: the one the firmware booted from (BOOTIF=).";
    "network.wanted", Network, Plain, YesNo => (network_wanted),
        "Bring the network up even if the image is on a disk (rd.neednet).";
    "network.handover", Root, Plain, NetworkKeeper => (network_handover),
        "Who keeps the address when the OS runs, so that it neither ends with its lease nor is asked for a second time: the network service that the image starts, else one that it has; or the named one; or none, where the image configures its address itself.";
    "modules.load", Devices, Privileged, ModuleName => [modules_load],
        "A module to load whatever the buses show; several are allowed.";
    "modules.blacklist", Devices, Privileged, ModuleName => [modules_blacklist],
        "A module never to load for a device; several are allowed.";
    // What is run from persistent paths is what lies on that disk.
    "state.device", Image, Privileged, DeviceRef => (state_device),
        "The disk that keeps the persistent paths. Named here, it is waited for; the default is used if it is there.";
    "state.create", Image, Privileged, Creation => (state_create),
        "With `blank`, and if state.device (by LABEL= or as /dev/…) does not appear within device_wait, a whole disk that is blank becomes it: without partitions, without any known file system, and zero wherever it is looked at. A disk with anything on it is never touched.";
    "state.disk", Image, Privileged, DeviceRef => (state_disk),
        "Which blank disk that is, as /dev/NAME; else there must be only one.";
    "state.fstype", Image, Privileged, FileSystem => (state_fstype),
        "The file system that is made, by the image's own mkfs.";
    "root.size", Root, Plain, Size => (root_size),
        "The limit of the tmpfs that takes what the OS writes outside the persistent paths; half of the memory where it is not set. 50% is of the memory.";
    "hostname", Network, Plain, HostName => (hostname),
        "The node's name, which is in /etc/hostname, in the running kernel, in rules and URLs, and that of the Node; else the one in its ip=, else DHCP's, else node-MAC. Of DHCP and ip=, localhost and its kin are no names, _ becomes -, and a name over 63 bytes ends at its first dot.";
    // Keys that come with the image are known to all who have it.
    "ssh.host_keys", Root, Privileged, HostKeys => (host_keys),
        "The node's ssh host keys, if the image has sshd: made once and kept on the state disk, made new at each boot, or the image's own.";
    "os.modules", Root, Privileged, ModuleName => [os_modules],
        "A module of the image that is loaded before the OS starts; several are allowed.";
    "kubelet.enabled", Root, Privileged, YesNo => (kubelet.enabled),
        "Write the kubelet's service and enable it, so that the service manager starts it at once.";
    "kubelet.program", Root, Privileged, Path => (kubelet.program),
        "The kubelet in the image.";
    "kubelet.args", Root, Privileged, Argument => [kubelet.args],
        "An argument of the kubelet, after Dayfly's own; several are allowed.";
    "kubelet.server", Root, Privileged, ApiServer => (kubelet.server),
        "The API server, with https. Together with kubelet.ca and kubelet.token the node joins by itself.";
    "kubelet.ca", Root, Anchor(CLUSTER_CA), CaBundle => (kubelet.ca),
        "The certificates of the cluster's CA.";
    "kubelet.token", Root, Privileged, Token => (kubelet.token),
        "The bootstrap token, ID.SECRET, that the kubelet asks for its certificate with.";
    // It has a CA in it.
    "kubelet.kubeconfig", Root, Anchor(CLUSTER_CA), Kubeconfig => (kubelet.kubeconfig),
        "A whole bootstrap kubeconfig, in place of server, CA and token.";
    "kubelet.config", Root, Privileged, KubeletConfiguration => (kubelet.config),
        "The kubelet's configuration in YAML or JSON, in place of Dayfly's own.";
    "kubelet.labels", Root, Plain, Label => [kubelet.labels],
        "A label of the node when it registers; several are allowed. A node that the cluster knows keeps its labels.";
    "kubelet.taints", Root, Plain, Taint => [kubelet.taints],
        "A taint of the node when it registers; several are allowed.";
    "kubelet.cri", Root, Privileged, CriSocket => (kubelet.cri),
        "The container runtime's socket; containerd's or CRI-O's, whichever the image has, where nothing is said.";
    "kubelet.cluster_dns", Root, Privileged, IpAddr => [kubelet.cluster_dns],
        "The cluster's name server; several are allowed.";
    "kubelet.cluster_domain", Root, Privileged, ClusterDomain => (kubelet.cluster_domain),
        "The cluster's domain.";
    "k0s.role", Root, Privileged, k0s::RoleOrNone => (k0s.role),
        "Have k0s started, as this; the files are those of `k0s install`.";
    "k0s.program", Root, Privileged, Path => (k0s.program),
        "k0s in the image; /usr/local/bin/k0s or /usr/bin/k0s where nothing is said.";
    "k0s.args", Root, Privileged, Argument => [k0s.args],
        "An argument of k0s, after Dayfly's own; several are allowed.";
    "k0s.config", Root, Privileged, K0sYaml => (k0s.config),
        "The cluster's configuration, for controllers; written to /etc/k0s/k0s.yaml, 0600.";
    "k0s.token", Root, Privileged, K0sToken => (k0s.token),
        "The join token, as `k0s token create` prints it; one of the node's role.";
    "k0s.data_dir", Root, Privileged, Path => (k0s.data_dir),
        "Where k0s keeps its state.";
    "k0s.images", Root, Privileged, Path => (k0s.images),
        "A folder of the image with bundles of container images, which k0s imports from there.";
    "k3s.role", Root, Privileged, k3s::RoleOrNone => (k3s.role),
        "Have k3s started, as this; the files are those of its install script.";
    "k3s.program", Root, Privileged, Path => (k3s.program),
        "k3s in the image; /usr/local/bin/k3s or /usr/bin/k3s where nothing is said.";
    "k3s.args", Root, Privileged, Argument => [k3s.args],
        "An argument of k3s, after Dayfly's own; several are allowed.";
    "k3s.config", Root, Privileged, ConfigYaml => (k3s.config),
        "More of its configuration, which wins over Dayfly's own; written to /etc/rancher/k3s/config.yaml.d, 0600.";
    "k3s.server", Root, Privileged, ApiServer => (k3s.server),
        "The server to join.";
    "k3s.token", Root, Privileged, Token => (k3s.token),
        "The cluster's token. With it, the node has the same node password at each boot, whatever becomes of its disks.";
    "k3s.images", Root, Privileged, Path => (k3s.images),
        "A folder of the image with bundles of container images, which k3s imports from there.";
    "init", Root, Privileged, Path => (init),
        "The OS's init (init=); else the first that the image has of the usual ones.";
    "failure.shell", Root, Privileged, YesNo => (shell),
        "A shell on the console when the boot fails (rd.shell), if the initramfs has one.";
    "failure.action", Root, Privileged, Emergency => (emergency),
        "What follows a failed boot (rd.emergency); reboot where nothing is said.";
    "failure.pause", Root, Plain, WholeSeconds => (panic),
        "The pause before that, in which the console can be read (panic=); 0 waits for ever, a negative number does not wait. 10 where nothing is said.";
    // A node must not be made to send its record to a server of somebody's choice.
    "report", Root, Privileged, Url => (report),
        "Where boot.json is sent by POST, of a boot that succeeds before the handover and of one that fails before the restart. Named in the initramfs, on /config or on the command line, it brings the network up for that.";
    "report_wait", Root, Plain, Seconds => (report_wait),
        "How long that may take in all; then the boot goes on without.";
    "git", Root, Privileged, Repository => {
        |s, text, source| Slot::<Repository>::take(&mut s.scripts.entry("node".to_owned()).or_default().git, text, source),
        |_, _| Vec::new()
    },
        "As script.node.git: the repository of this node.";
    "debug", Root, Plain, YesNo => (debug),
        "Log every detail to the console (rd.debug).";
}

/// The image is one setting with two names.
fn image(settings: &Settings, name: &str, on_disk: bool) -> Vec<Shown> {
    let is_here = |image: &&Sourced<ImageSource>| matches!(image.value, ImageSource::Url(_)) != on_disk;
    maybe(settings.image.as_ref().filter(is_here), name, ToString::to_string)
}
