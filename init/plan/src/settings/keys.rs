//! The table of settings. The documentation (docs/reference/settings.md) is generated from it.

use std::fmt::Display;

use super::value::{parse_bool, parse_path, parse_seconds, parse_size};
use super::{Emergency, ImageSource, Settings, Shown, k0s, k3s, kubelet};
use crate::{Source, Sourced, Stage, in_reference};

/// One setting.
pub struct Key {
    /// The dotted name: `image.url` in the file's `[image]`, `dayfly.image.url=` on the command line.
    pub name: &'static str,
    /// What its value is, for people: `URL`, `seconds`, `yes or no` …
    pub kind: &'static str,
    /// What it does, one sentence or two.
    pub doc: &'static str,
    /// When it is used: a source that is known only later cannot set it.
    pub stage: Stage,
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

pub(super) fn put<T>(slot: &mut Option<Sourced<T>>, value: T, source: &Source) {
    match slot {
        Some(there) => there.set(value, source.clone()),
        None => *slot = Some(Sourced { value, source: source.clone() }),
    }
}

/// Values of a higher source replace the list, those of the same source add to it.
pub(super) fn add<T>(list: &mut Vec<Sourced<T>>, value: T, source: &Source) {
    match list.first().map(|first| first.source.rank()) {
        Some(rank) if rank > source.rank() => return,
        Some(rank) if rank < source.rank() => list.clear(),
        _ => {}
    }
    list.push(Sourced { value, source: source.clone() });
}

fn one<T: Display>(value: &Sourced<T>, name: &str) -> Vec<Shown> {
    vec![Shown { name: name.to_owned(), value: value.value.to_string(), source: value.source.clone() }]
}

fn maybe<T: Display>(value: Option<&Sourced<T>>, name: &str) -> Vec<Shown> {
    match value {
        Some(value) => one(value, name),
        None => vec![Shown { name: name.to_owned(), value: "-".to_owned(), source: Source::Default }],
    }
}

fn many<T: Display>(values: &[Sourced<T>], name: &str) -> Vec<Shown> {
    if values.is_empty() {
        maybe::<T>(None, name)
    } else {
        values.iter().flat_map(|value| one(value, name)).collect()
    }
}

fn seconds(value: &Sourced<std::time::Duration>, name: &str) -> Vec<Shown> {
    one(&Sourced { value: value.value.as_secs(), source: value.source.clone() }, name)
}

fn role<T: Display>(value: &Sourced<Option<T>>, name: &str) -> Vec<Shown> {
    let text = value.value.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string);
    one(&Sourced { value: text, source: value.source.clone() }, name)
}

fn yes_no(value: &Sourced<bool>, name: &str) -> Vec<Shown> {
    let text = if value.value { "yes" } else { "no" };
    one(&Sourced { value: text, source: value.source.clone() }, name)
}

/// The image is one setting with two names.
fn image(settings: &Settings, name: &str, on_disk: bool) -> Vec<Shown> {
    let is_here = |image: &&Sourced<ImageSource>| matches!(image.value, ImageSource::Url(_)) != on_disk;
    maybe(settings.image.as_ref().filter(is_here), name)
}

/// Name, stage, `secret` where it is one or `many[LIST]` where it gathers values, kind, documentation, how to set, how to show.
macro_rules! keys {
    (@is_secret secret) => { true };
    (@is_secret $($other:ident)?) => { false };
    (@clear) => { None };
    (@clear $mark:ident [$($list:ident).+]) => { Some(|settings| settings.$($list).+.clear()) };
    (@clear $mark:ident) => { None };
    ($($name:literal $stage:ident $($mark:ident $([$($list:ident).+])?)? $kind:literal $doc:literal
        |$s:ident, $t:ident, $src:ident| $set:expr,
        |$v:ident, $n:ident| $show:expr;)*) => {
        /// Every setting, in the order of the documentation.
        pub static KEYS: &[Key] = &[$(Key {
            name: $name, kind: $kind, doc: in_reference($doc),
            stage: Stage::$stage,
            secret: keys!(@is_secret $($mark)?),
            clear: keys!(@clear $($mark $([$($list).+])?)?),
            set: |$s, $t, $src| { $set; Ok(()) },
            show: |$v, $n| $show,
        },)*];
    };
}

keys! {
    "image.url" Image "URL" "The OS image on an HTTP or HTTPS server: a squashfs or erofs file."
        |s, t, src| put(&mut s.image, ImageSource::Url(t.parse()?), src),
        |s, n| image(s, n, false);
    "image.device" Image "device" "The OS image on a disk: /dev/NAME, LABEL=, UUID=, PARTLABEL= or PARTUUID=. Replaces image.url, and the reverse: the later one wins."
        |s, t, src| put(&mut s.image, ImageSource::Device { device: t.parse()?, live: true }, src),
        |s, n| image(s, n, true);
    "image.sha256" Image "64 hexadecimal digits" "The SHA-256 of the image file. With it, an image that differs is never mounted; without it, whatever the server sends is booted, and the plan says so."
        |s, t, src| put(&mut s.image_sha256, t.parse()?, src),
        |s, n| maybe(s.image_sha256.as_ref(), n);
    "image.connect" Image "seconds" "How long resolving a server's name, connecting to it and the TLS handshake may take, in sum. The head of the answer has to be there by this and `image.stall`, all redirects included."
        |s, t, src| s.image_connect.set(parse_seconds(t)?, src.clone()),
        |s, n| seconds(&s.image_connect, n);
    "image.stall" Image "seconds" "The longest silence of a server."
        |s, t, src| s.image_stall.set(parse_seconds(t)?, src.clone()),
        |s, n| seconds(&s.image_stall, n);
    "image.min_rate" Image "size" "The least rate of a transfer, in bytes a second: a server that sends less over twice `image.stall` counts as stalled, and the transfer is tried again. 16 KiB is a quarter of a slow link of 64 kB/s; where many nodes share one, or it is slower, make it less. It holds for settings from a server as well."
        |s, t, src| s.image_min_rate.set(parse_size(t)?, src.clone()),
        |s, n| one(&s.image_min_rate, n);
    "image.dir" Image "path on the disk" "The folder of the image file on a disk (rd.live.dir)."
        |s, t, src| s.live_dir.set(relative(t)?, src.clone()),
        |s, n| one(&s.live_dir, n);
    "image.file" Image "file name" "The image's file name on a disk (rd.live.squashimg)."
        |s, t, src| s.live_file.set(relative(t)?, src.clone()),
        |s, n| one(&s.live_file, n);
    "retry" Network "seconds" "How long network and image are tried again, with growing pauses, before the boot has failed."
        |s, t, src| s.retry.set(parse_seconds(t)?, src.clone()),
        |s, n| seconds(&s.retry, n);
    "device_wait" Network "seconds" "How long a disk that was asked for is waited for."
        |s, t, src| s.device_wait.set(parse_seconds(t)?, src.clone()),
        |s, n| seconds(&s.device_wait, n);
    "config.device" Devices "device or none" "The disk with the settings file `dayfly.toml`. It is looked at when the drivers have settled, and is out of reach again before anything else goes on. Named here, it is waited for and must have the file; the default is used if it is there; `none` looks for none."
        |s, t, src| s.config_device.set(if t == "none" { None } else { Some(t.parse()?) }, src.clone()),
        |s, n| one(&Sourced { value: s.config_device.value.as_ref().map_or_else(|| "none".to_owned(), ToString::to_string), source: s.config_device.source.clone() }, n);
    "config.wait" Devices "seconds" "How long a settings disk that was asked for is waited for."
        |s, t, src| s.config_wait.set(parse_seconds(t)?, src.clone()),
        |s, n| seconds(&s.config_wait, n);
    "config.trust" Devices "any or limited" "What the settings disk may set: with `limited`, nothing that runs as root or decides trust."
        |s, t, src| s.config_trust.set(t.parse()?, src.clone()),
        |s, n| one(&s.config_trust, n);
    "settings.url" Network "URL with variables" "A settings file on an HTTP or HTTPS server, fetched when the network is up; the variables are listed below. It brings the network up."
        |s, t, src| put(&mut s.settings_url, t.parse()?, src),
        |s, n| maybe(s.settings_url.as_ref(), n);
    "settings.wait" Network "seconds" "How long that is tried, in all."
        |s, t, src| s.settings_wait.set(parse_seconds(t)?, src.clone()),
        |s, n| seconds(&s.settings_wait, n);
    "settings.required" Network "yes or no" "Whether the boot fails without it; with no, it is tried once, and the boot goes on without."
        |s, t, src| s.settings_required.set(parse_bool(t)?, src.clone()),
        |s, n| yes_no(&s.settings_required, n);
    "settings.trust" Devices "any or limited" "What a settings URL with plain http may set: nothing that runs as root or decides trust, but with `any`. Only the initramfs's own settings file can say so. One with https may set anything."
        |s, t, src| s.settings_trust.set(t.parse()?, src.clone()),
        |s, n| one(&s.settings_trust, n);
    "network.ip" Network many[ip] "ip= value" "How an interface gets its address, in the words of ip=; several are allowed. None is DHCP on every interface."
        |s, t, src| add(&mut s.ip, t.parse().map_err(|e: dayfly_wire::ip::IpArgError| e.to_string())?, src),
        |s, n| many(&s.ip, n);
    "network.dns" Network many[dns] "IP address" "A name server, asked before those from DHCP; several are allowed."
        |s, t, src| add(&mut s.dns, t.parse().map_err(|_| format!("\"{t}\" is not an IP address"))?, src),
        |s, n| many(&s.dns, n);
    "network.bootif" Network "MAC address" "The interface to prefer: the one the firmware booted from (BOOTIF=)."
        |s, t, src| put(&mut s.bootif, t.parse().map_err(|e| format!("{e}"))?, src),
        |s, n| maybe(s.bootif.as_ref(), n);
    "network.wanted" Network "yes or no" "Bring the network up even if the image is on a disk (rd.neednet)."
        |s, t, src| s.network_wanted.set(parse_bool(t)?, src.clone()),
        |s, n| yes_no(&s.network_wanted, n);
    "network.handover" Root "auto, none, networkd or ifupdown" "Who keeps the address when the OS runs, so that it neither ends with its lease nor is asked for a second time: the network service that the image starts, else one that it has; or the named one; or nobody, where the image sees to its address itself."
        |s, t, src| s.network_handover.set(t.parse()?, src.clone()),
        |s, n| one(&s.network_handover, n);
    "modules.load" Devices many[modules_load] "module name" "A module to load whatever the buses show; several are allowed."
        |s, t, src| for name in t.split(',') { add(&mut s.modules_load, module(name)?, src) },
        |s, n| many(&s.modules_load, n);
    "modules.blacklist" Devices many[modules_blacklist] "module name" "A module never to load for a device; several are allowed."
        |s, t, src| for name in t.split(',') { add(&mut s.modules_blacklist, module(name)?, src) },
        |s, n| many(&s.modules_blacklist, n);
    "state.device" Image "device" "The disk that keeps the persistent paths. Named here, it is waited for; the default is used if it is there."
        |s, t, src| s.state_device.set(t.parse()?, src.clone()),
        |s, n| one(&s.state_device, n);
    "state.create" Image "blank or no" "With `blank`, and if state.device (by LABEL= or as /dev/…) does not appear within device_wait, a whole disk that is blank becomes it: without partitions, without any known file system, and zero wherever it is looked at. A disk with anything on it is never touched."
        |s, t, src| s.state_create.set(create(t)?, src.clone()),
        |s, n| one(&Sourced { value: if s.state_create.value { "blank" } else { "no" }, source: s.state_create.source.clone() }, n);
    "state.disk" Image "device" "Which blank disk that is, as /dev/NAME; else there must be only one."
        |s, t, src| put(&mut s.state_disk, t.parse()?, src),
        |s, n| maybe(s.state_disk.as_ref(), n);
    "state.fstype" Image "ext4, xfs, btrfs or f2fs" "The file system that is made, by the image's own mkfs."
        |s, t, src| s.state_fstype.set(fstype(t)?, src.clone()),
        |s, n| one(&s.state_fstype, n);
    "root.size" Root "size or percentage" "The limit of the tmpfs that takes what the OS writes outside the persistent paths; half of the memory where it is not set. 50% is of the memory."
        |s, t, src| put(&mut s.root_size, t.parse()?, src),
        |s, n| maybe(s.root_size.as_ref(), n);
    "hostname" Network "host name" "The node's name, which is in /etc/hostname, in the running kernel, in rules and URLs, and that of the Node; else the one in its ip=, else DHCP's, else node-MAC. Of DHCP and ip=, localhost and its kin are no names, _ becomes -, and a name over 63 bytes ends at its first dot."
        |s, t, src| put(&mut s.hostname, t.parse()?, src),
        |s, n| maybe(s.hostname.as_ref(), n);
    "ssh.host_keys" Root "persistent, ephemeral or image" "The node's ssh host keys, if the image has sshd: made once and kept on the state disk, made new at each boot, or the image's own."
        |s, t, src| s.host_keys.set(t.parse()?, src.clone()),
        |s, n| one(&s.host_keys, n);
    "os.modules" Root many[os_modules] "module name" "A module of the image that is loaded before the OS starts; several are allowed."
        |s, t, src| for name in t.split(',') { add(&mut s.os_modules, module(name)?, src) },
        |s, n| many(&s.os_modules, n);
    "kubelet.enabled" Root "yes or no" "Write the kubelet's service and enable it, so that the service manager starts it at once."
        |s, t, src| s.kubelet.enabled.set(parse_bool(t)?, src.clone()),
        |s, n| yes_no(&s.kubelet.enabled, n);
    "kubelet.program" Root "path" "The kubelet in the image."
        |s, t, src| s.kubelet.program.set(parse_path(t)?, src.clone()),
        |s, n| one(&s.kubelet.program, n);
    "kubelet.args" Root many[kubelet.args] "text" "An argument of the kubelet, after Dayfly's own; several are allowed."
        |s, t, src| add(&mut s.kubelet.args, argument(t)?, src),
        |s, n| many(&s.kubelet.args, n);
    "kubelet.server" Root "https:// URL" "The API server, with https. Together with kubelet.ca and kubelet.token the node joins by itself."
        |s, t, src| put(&mut s.kubelet.server, t.parse()?, src),
        |s, n| maybe(s.kubelet.server.as_ref(), n);
    "kubelet.ca" Root "PEM" "The certificates of the cluster's CA."
        |s, t, src| put(&mut s.kubelet.ca, t.parse()?, src),
        |s, n| maybe(s.kubelet.ca.as_ref(), n);
    "kubelet.token" Root secret "text" "The bootstrap token, ID.SECRET, that the kubelet asks for its certificate with."
        |s, t, src| put(&mut s.kubelet.token, kubelet::token(t)?, src),
        |s, n| maybe(s.kubelet.token.as_ref(), n);
    "kubelet.kubeconfig" Root secret "kubeconfig" "A whole bootstrap kubeconfig, in place of server, CA and token."
        |s, t, src| put(&mut s.kubelet.kubeconfig, kubelet::whole_kubeconfig(t)?, src),
        |s, n| maybe(s.kubelet.kubeconfig.as_ref(), n);
    "kubelet.config" Root "KubeletConfiguration" "The kubelet's configuration in YAML or JSON, in place of Dayfly's own."
        |s, t, src| put(&mut s.kubelet.config, kubelet::document(t)?, src),
        |s, n| maybe(s.kubelet.config.as_ref(), n);
    "kubelet.labels" Root many[kubelet.labels] "key=value" "A label of the node when it registers; several are allowed. A node that the cluster knows keeps its labels."
        |s, t, src| add(&mut s.kubelet.labels, t.parse()?, src),
        |s, n| many(&s.kubelet.labels, n);
    "kubelet.taints" Root many[kubelet.taints] "key=value:effect" "A taint of the node when it registers; several are allowed."
        |s, t, src| add(&mut s.kubelet.taints, t.parse()?, src),
        |s, n| many(&s.kubelet.taints, n);
    "kubelet.cri" Root "unix:// URL" "The container runtime's socket; containerd's or CRI-O's, whichever the image has, where nothing is said."
        |s, t, src| put(&mut s.kubelet.cri, kubelet::cri_socket(t)?, src),
        |s, n| maybe(s.kubelet.cri.as_ref(), n);
    "kubelet.cluster_dns" Root many[kubelet.cluster_dns] "IP address" "The cluster's name server; several are allowed."
        |s, t, src| add(&mut s.kubelet.cluster_dns, t.parse().map_err(|_| format!("\"{t}\" is not an IP address"))?, src),
        |s, n| many(&s.kubelet.cluster_dns, n);
    "kubelet.cluster_domain" Root "domain" "The cluster's domain."
        |s, t, src| s.kubelet.cluster_domain.set(argument(t)?, src.clone()),
        |s, n| one(&s.kubelet.cluster_domain, n);
    "k0s.role" Root "controller, controller+worker, single, worker or none" "Have k0s started, as this; the files are those of `k0s install`."
        |s, t, src| s.k0s.role.set(k0s::role(t)?, src.clone()),
        |s, n| role(&s.k0s.role, n);
    "k0s.program" Root "path" "k0s in the image; /usr/local/bin/k0s or /usr/bin/k0s where nothing is said."
        |s, t, src| put(&mut s.k0s.program, parse_path(t)?, src),
        |s, n| maybe(s.k0s.program.as_ref(), n);
    "k0s.args" Root many[k0s.args] "text" "An argument of k0s, after Dayfly's own; several are allowed."
        |s, t, src| add(&mut s.k0s.args, argument(t)?, src),
        |s, n| many(&s.k0s.args, n);
    "k0s.config" Root "k0s.yaml" "The cluster's configuration, for controllers; written to /etc/k0s/k0s.yaml, 0600."
        |s, t, src| put(&mut s.k0s.config, kubelet::document(t)?, src),
        |s, n| maybe(s.k0s.config.as_ref(), n);
    "k0s.token" Root secret "text" "The join token, as `k0s token create` prints it; one of the node's role."
        |s, t, src| put(&mut s.k0s.token, k0s::token(t)?, src),
        |s, n| maybe(s.k0s.token.as_ref(), n);
    "k0s.data_dir" Root "path" "Where k0s keeps its state."
        |s, t, src| s.k0s.data_dir.set(parse_path(t)?, src.clone()),
        |s, n| one(&s.k0s.data_dir, n);
    "k0s.images" Root "path" "A folder of the image with bundles of container images, which k0s imports from there."
        |s, t, src| put(&mut s.k0s.images, parse_path(t)?, src),
        |s, n| maybe(s.k0s.images.as_ref(), n);
    "k3s.role" Root "server, agent or none" "Have k3s started, as this; the files are those of its install script."
        |s, t, src| s.k3s.role.set(k3s::role(t)?, src.clone()),
        |s, n| role(&s.k3s.role, n);
    "k3s.program" Root "path" "k3s in the image; /usr/local/bin/k3s or /usr/bin/k3s where nothing is said."
        |s, t, src| put(&mut s.k3s.program, parse_path(t)?, src),
        |s, n| maybe(s.k3s.program.as_ref(), n);
    "k3s.args" Root many[k3s.args] "text" "An argument of k3s, after Dayfly's own; several are allowed."
        |s, t, src| add(&mut s.k3s.args, argument(t)?, src),
        |s, n| many(&s.k3s.args, n);
    "k3s.config" Root "config.yaml" "More of its configuration, which wins over Dayfly's own; written to /etc/rancher/k3s/config.yaml.d, 0600."
        |s, t, src| put(&mut s.k3s.config, kubelet::document(t)?, src),
        |s, n| maybe(s.k3s.config.as_ref(), n);
    "k3s.server" Root "https:// URL" "The server to join."
        |s, t, src| put(&mut s.k3s.server, t.parse()?, src),
        |s, n| maybe(s.k3s.server.as_ref(), n);
    "k3s.token" Root secret "text" "The cluster's token. With it, the node has the same node password at each boot, whatever becomes of its disks."
        |s, t, src| put(&mut s.k3s.token, kubelet::token(t)?, src),
        |s, n| maybe(s.k3s.token.as_ref(), n);
    "k3s.images" Root "path" "A folder of the image with bundles of container images, which k3s imports from there."
        |s, t, src| put(&mut s.k3s.images, parse_path(t)?, src),
        |s, n| maybe(s.k3s.images.as_ref(), n);
    "init" Root "path" "The OS's init (init=); else the first that the image has of the usual ones."
        |s, t, src| put(&mut s.init, parse_path(t)?, src),
        |s, n| maybe(s.init.as_ref(), n);
    "failure.shell" Root "yes or no" "A shell on the console when the boot fails (rd.shell), if the initramfs has one."
        |s, t, src| s.shell.set(parse_bool(t)?, src.clone()),
        |s, n| yes_no(&s.shell, n);
    "failure.action" Root "reboot, poweroff or halt" "What follows a failed boot (rd.emergency); reboot where nothing is said."
        |s, t, src| put(&mut s.emergency, emergency(t)?, src),
        |s, n| maybe(s.emergency.as_ref(), n);
    "failure.pause" Root "whole number of seconds" "The pause before that, in which the console can be read (panic=); 0 waits for ever, a negative number does not wait. 10 where nothing is said."
        |s, t, src| put(&mut s.panic, t.parse().map_err(|_| format!("\"{t}\" is not a whole number of seconds"))?, src),
        |s, n| maybe(s.panic.as_ref(), n);
    "report" Root "URL" "Where boot.json is sent by POST, of a boot that succeeds before the handover and of one that fails before the restart. Named in the initramfs, on /config or on the command line, it brings the network up for that."
        |s, t, src| put(&mut s.report, t.parse()?, src),
        |s, n| maybe(s.report.as_ref(), n);
    "report_wait" Root "seconds" "How long that may take in all; then the boot goes on without."
        |s, t, src| s.report_wait.set(parse_seconds(t)?, src.clone()),
        |s, n| seconds(&s.report_wait, n);
    "git" Root "https:// or ssh:// URL, or user@host:path" "As script.node.git: the repository of this node."
        |s, t, src| put(&mut s.scripts.entry("node".to_owned()).or_default().git, super::script::repository(t)?, src),
        |_s, _n| Vec::new();
    "debug" Root "yes or no" "Log every detail to the console (rd.debug)."
        |s, t, src| s.debug.set(parse_bool(t)?, src.clone()),
        |s, n| yes_no(&s.debug, n);
}

/// A path below the disk's top folder.
pub(super) fn relative(text: &str) -> Result<String, String> {
    let text = text.trim_matches('/');
    let normal =
        !text.is_empty() && text.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    if normal {
        Ok(text.to_owned())
    } else {
        Err(format!("\"{text}\" is not a path below the disk's top folder"))
    }
}

pub(super) fn module(text: &str) -> Result<String, String> {
    let fits = !text.is_empty()
        && text.len() <= 55
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if fits { Ok(text.replace('-', "_")) } else { Err(format!("\"{text}\" is not the name of a module")) }
}

fn create(text: &str) -> Result<bool, String> {
    match text {
        "blank" => Ok(true),
        "no" => Ok(false),
        _ => Err(format!("\"{text}\" is not one of blank, no")),
    }
}

fn fstype(text: &str) -> Result<String, String> {
    if ["ext4", "xfs", "btrfs", "f2fs"].contains(&text) {
        Ok(text.to_owned())
    } else {
        Err(format!("\"{text}\" is not one of ext4, xfs, btrfs, f2fs"))
    }
}

fn argument(text: &str) -> Result<String, String> {
    if text.chars().any(char::is_control) || text.is_empty() {
        return Err(format!("{text:?} is empty or has a control character"));
    }
    Ok(text.to_owned())
}

pub(super) fn emergency(text: &str) -> Result<Emergency, String> {
    match text {
        "reboot" => Ok(Emergency::Reboot),
        "poweroff" => Ok(Emergency::PowerOff),
        "halt" => Ok(Emergency::Halt),
        _ => Err(format!("\"{text}\" is not one of reboot, poweroff, halt")),
    }
}

impl Display for Emergency {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Emergency::Reboot => "reboot",
            Emergency::PowerOff => "poweroff",
            Emergency::Halt => "halt",
        })
    }
}

impl Display for ImageSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ImageSource::Url(url) => url.fmt(f),
            ImageSource::Device { device, .. } => device.fmt(f),
            ImageSource::File(path) => path.fmt(f),
        }
    }
}
