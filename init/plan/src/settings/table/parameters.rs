//! Kernel parameters that dracut and the kernel document, mapped to settings. docs/reference/parameters.md is generated
//! from the table. Any other parameter belongs to another program and is never an error.

use dayfly_formats::bond::BondArg;
use dayfly_formats::bridge::BridgeArg;
use dayfly_formats::ifname::IfnameArg;
use dayfly_formats::ip::IpArg;
use dayfly_formats::mac::Mac;
use dayfly_formats::route::RouteArg;
use dayfly_formats::scoped::ScopedAddr;
use dayfly_formats::team::TeamArg;
use dayfly_formats::vlan::VlanArg;

use super::slot::{List, Slot, put};
use crate::settings::value::{
    BelowDisk, Bytes, DeviceRef, Emergency, FileName, HostName, ImageSource, Interface, ModuleName, Path,
    Repository, Seconds, Size, Tries, Url, Value, VendorClass, WholeSeconds, YesNo,
};
use crate::settings::wanted::Settings;
use crate::{Phase, Source, Way, in_reference};

/// The effect of an invalid value of a parameter on the boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// The boot would not match the request, so it is refused.
    Essential,
    /// The value is reported and ignored.
    Helpful,
}

/// `Ok(Some(note))` reports a part that was not applied.
type Apply = fn(&mut Settings, Option<&str>, &Source) -> Result<Option<String>, String>;

/// One documented parameter.
pub struct Parameter {
    /// Its key.
    pub name: &'static str,
    /// What its value is, for the documentation.
    pub kind: &'static str,
    /// What Dayfly does with it.
    pub doc: &'static str,
    /// The effect of an invalid value.
    pub weight: Weight,
    /// If Dayfly was started this way, the parameter is ignored: another program has used it, and it only says how the
    /// boot got here.
    pub except: Option<Way>,
    /// Applies it.
    pub(in crate::settings) set: Apply,
}

/// dracut's booleans: a parameter without a value means yes.
fn flag(value: Option<&str>) -> Result<bool, String> {
    value.map_or(Ok(true), |text| YesNo::read(&text.to_ascii_lowercase()).or_else(|_| YesNo::read(text)))
}

fn needed(value: Option<&str>) -> Result<&str, String> {
    value.filter(|value| !value.is_empty()).ok_or_else(|| "it has no value".to_owned())
}

macro_rules! parameters {
    (@except $way:ident) => { Some(Way::$way) };
    (@except) => { None };
    ($($name:literal $(but $way:ident)? $kind:literal $weight:ident $doc:literal |$s:ident, $v:ident, $src:ident| $set:expr;)*) => {
        /// Every parameter, in the order of the documentation.
        pub static PARAMETERS: &[Parameter] = &[$(Parameter {
            name: $name, kind: $kind, weight: Weight::$weight, doc: in_reference($doc), except: parameters!(@except $($way)?), set: |$s, $v, $src| $set,
        },)*];
    };
}

parameters! {
    "root" but Root "[live:]URL, [live:]device, live:/path" Essential "The OS image: live:http://…, http://…, live:LABEL=…, LABEL=, UUID=, PARTLABEL=, PARTUUID= or /dev/NAME; live:/path is a file in the initramfs. With live:, the image is a file on the disk (rd.live.dir, rd.live.squashimg), unless the disk itself is an image."
        |s, v, src| { put(&mut s.image, ImageSource::of_root(needed(v)?)?, src); Ok(None) };
    "coreos.live.rootfs_url" but Root "URL" Essential "Used as the image, which must be a squashfs or erofs file. The original file of Fedora CoreOS is an archive that contains one."
        |s, v, src| { put(&mut s.image, ImageSource::Url(Url::read(needed(v)?)?), src); Ok(None) };
    "rd.live.dir" "path" Helpful "The directory of the image file on a disk; default LiveOS."
        |s, v, src| take::<BelowDisk>(&mut s.live_dir, v, src);
    "rd.live.squashimg" "file name" Helpful "The image's file name on a disk; default squashfs.img."
        |s, v, src| take::<FileName>(&mut s.live_file, v, src);
    "rd.live.image" "-" Helpful "Accepted: Dayfly always boots an image."
        |_s, _v, _src| Ok(None);
    "rd.live.ram" "yes or no" Helpful "Accepted: a fetched image is always in memory, without a second copy. An image on a disk is used in place."
        |_s, v, _src| { flag(v)?; Ok(None) };
    "rd.live.overlay.overlayfs" "yes or no" Helpful "Accepted: the root is always an OverlayFS."
        |_s, v, _src| { Ok((!flag(v)?).then(|| "the root is always an OverlayFS".to_owned())) };
    "rd.overlay" "yes, tmpfs[:size=SIZE], device" Helpful "tmpfs:size= limits the root's tmpfs. A device becomes state.device, for the persistent paths of the layout and not for the whole root."
        |s, v, src| overlay(s, v, src);
    "rd.live.overlay" "device[:path]" Helpful "As rd.overlay."
        |s, v, src| overlay(s, v, src);
    "rd.live.overlay.size" "MiB, size or percentage" Helpful "The limit of the root's tmpfs: a plain number is in MiB, as in dracut. A size may have a unit: 2G, 1.5GiB. A percentage is relative to the memory: 50%."
        |s, v, src| { put(&mut s.root_size, mebibytes(needed(v)?)?, src); Ok(None) };
    "rd.live.overlay.readonly" "yes or no" Helpful "Not supported: the layout sets which paths are read-only."
        |_s, v, _src| { Ok(flag(v)?.then(|| "use layout settings to make paths read-only".to_owned())) };
    "rd.live.overlay.reset" "yes or no" Helpful "Not supported: ephemeral paths are new at every boot, and the command line never deletes persistent data."
        |_s, v, _src| { Ok(flag(v)?.then(|| "persistent paths are not reset".to_owned())) };
    "rootflags" "options" Helpful "Not supported: the image is mounted with the kernel's defaults."
        |_s, _v, _src| Ok(Some("the image is mounted with the kernel's defaults".to_owned()));
    "ro" "-" Helpful "Accepted: the image is read-only, the overlay on top is writable."
        |_s, _v, _src| Ok(None);
    "rw" "-" Helpful "Accepted, as ro."
        |_s, _v, _src| Ok(None);
    "ip" "see ip= below" Essential "How an interface gets its address; repeatable."
        |s, v, src| gather::<IpArg>(&mut s.network.ip, v, src);
    "vlan" "NAME:PARENT" Essential "A VLAN of another link. Its number is in its name: vlan0005, vlan5, eth0.0005 or eth0.5. Repeatable."
        |s, v, src| gather::<VlanArg>(&mut s.network.vlan, v, src);
    "bond" "NAME[:PORT,…[:OPTION=VALUE,…[:MTU[:MAC]]]]" Essential "A bond of other links, with options of the kernel's bonding driver; a semicolon separates several values of one option. Without a value, it is bond0:eth0,eth1:mode=balance-rr. Repeatable."
        |s, v, src| with_default::<BondArg>(&mut s.network.bond, v, src);
    "bridge" "NAME:PORT,…" Essential "A bridge of other links. Without a value, it is br0:eth0. Repeatable."
        |s, v, src| with_default::<BridgeArg>(&mut s.network.bridge, v, src);
    "team" "NAME:PORT,…[:RUNNER]" Essential "Refused. The error shows the equivalent bond=."
        |_s, v, _src| refuse_team(needed(v)?);
    "ifname" "NAME:MAC" Essential "A name for the interface with this MAC address. Repeatable."
        |s, v, src| gather::<IfnameArg>(&mut s.network.ifname, v, src);
    "rd.route" "NETWORK/PREFIX:GATEWAY[:INTERFACE]" Essential "A static route, with IPv6 addresses in brackets. Repeatable."
        |s, v, src| gather::<RouteArg>(&mut s.network.route, v, src);
    "bootdev" "interface" Helpful "The preferred interface, by its name; it takes precedence over BOOTIF=. It is tried first."
        |s, v, src| take::<Interface>(&mut s.network.bootdev, v, src);
    "rd.bootif" "yes or no" Helpful "With no, BOOTIF= is ignored."
        |s, v, src| { s.network.uses_bootif.set(flag(v)?, src.clone()); Ok(None) };
    "rd.peerdns" "yes or no" Helpful "With no, name servers and search domains from DHCP and router advertisements are not used."
        |s, v, src| { s.network.peerdns.set(flag(v)?, src.clone()); Ok(None) };
    "BOOTIF" "[01-]MAC" Helpful "The interface that the firmware booted from. It is preferred."
        |s, v, src| {
            let mac = Mac::from_bootif(needed(v)?).map_err(|e| format!("{e}"))?;
            if mac.is_group() || mac.is_zero() {
                return Err(format!("{mac} is not the address of an interface; expected one like 01-52-54-00-12-34-56"));
            }
            put(&mut s.network.bootif, mac, src);
            Ok(None)
        };
    "nameserver" "IP address" Helpful "A name server; repeatable. Brackets around an IPv6 address are optional, as in NetworkManager. A link-local one needs its interface, as in fe80::1%eth0."
        |s, v, src| gather::<ScopedAddr>(&mut s.network.dns, v.map(without_brackets), src);
    "rd.neednet" "yes or no" Helpful "Bring the network up even if the image is on a disk."
        |s, v, src| { s.network.wanted.set(flag(v)?, src.clone()); Ok(None) };
    "rd.net.timeout.iflink" "seconds" Helpful "How long an interface may take to appear. Without it, the step waits 60 s, and at most rd.retry=."
        |s, v, src| take::<Seconds>(&mut s.network.link_timeout, v, src);
    "rd.net.timeout.carrier" "seconds" Helpful "How long an interface may take to get a carrier. Without it, as long as the step waits; dracut's default is 10 s."
        |s, v, src| take::<Seconds>(&mut s.network.carrier_timeout, v, src);
    "rd.net.timeout.dhcp" "seconds or infinity" Helpful "How long a DHCP server may take on an interface. Without it, as long as the step waits."
        |s, v, src| {
            if needed(v)? == "infinity" {
                return Ok(Some("no wait is endless; rd.retry= limits how long the boot tries".to_owned()));
            }
            take::<Seconds>(&mut s.network.dhcp_timeout, v, src)
        };
    "rd.net.dhcp.retry" "number" Helpful "How often rd.net.timeout.dhcp= counts. Without that, a server is asked as long as the step waits."
        |s, v, src| take::<Tries>(&mut s.network.dhcp_tries, v, src);
    "rd.net.dhcp.vendor-class" "text" Helpful "From NetworkManager's initrd: the vendor class (option 60) for DHCPv4 servers, instead of dayfly."
        |s, v, src| take::<VendorClass>(&mut s.network.dhcp_vendor_class, v, src);
    "rd.net.timeout.ipv6dad" "seconds" Helpful "How long IPv6 duplicate address detection may take for an address that the boot sets. Without it, 3 s; dracut's default is 50 s."
        |s, v, src| take::<Seconds>(&mut s.network.dad_timeout, v, src);
    "rd.net.timeout.ipv6auto" "seconds" Helpful "How long an interface may take to get an IPv6 address from routers. With ip=either6, the time until a DHCPv6 server is asked, by default 3 s. Otherwise, without it, as long as the step waits; dracut's default is 40 s."
        |s, v, src| take::<Seconds>(&mut s.network.autoconf_timeout, v, src);
    "rd.net.timeout.ifup" "seconds" Helpful "Not used: the kernel sets an interface up at once, and the wait for its carrier is rd.net.timeout.carrier=."
        |_s, v, _src| unused(v, "an interface is up at once; rd.net.timeout.carrier= limits the wait for its carrier");
    "rd.net.timeout.route" "seconds" Helpful "Not used: the boot adds routes itself, and a router's route comes with its address."
        |_s, v, _src| unused(v, "the boot adds routes itself and waits for none");
    "rd.retry" "seconds" Helpful "How long network and image are retried before the boot fails."
        |s, v, src| take::<Seconds>(&mut s.retry, v, src);
    "rd.timeout" "seconds" Helpful "How long to wait for a disk. 0 means forever in dracut, but one day here: no wait is endless."
        |s, v, src| {
            let text = needed(v)?;
            let wait = if text == "0" { "86400" } else { text };
            take::<Seconds>(&mut s.device_wait, Some(wait), src)
        };
    "rd.shell" "yes or no" Helpful "A shell on the console when the boot fails, if the initramfs has one."
        |s, v, src| { s.shell.set(flag(v)?, src.clone()); Ok(None) };
    "rd.emergency" "reboot, poweroff or halt" Helpful "The action after a failed boot."
        |s, v, src| take::<Emergency>(&mut s.emergency, v, src);
    "panic" "seconds" Helpful "The pause before that action. 0 waits forever, a negative number does not wait."
        |s, v, src| take::<WholeSeconds>(&mut s.panic, v, src);
    "rd.break" but Dracut "stage" Helpful "A shell before a stage: cmdline, pre-udev, pre-trigger, initqueue, pre-mount, mount, pre-pivot, cleanup, or a phase of the plan. In a dracut initramfs, dracut opens the shell."
        |s, v, src| { put(&mut s.break_before, break_before(v.unwrap_or("pre-pivot"))?, src); Ok(None) };
    "rd.dayfly" "yes or no" Helpful "Read by the dracut module: whether Dayfly handles a boot that dracut could also handle itself."
        |_s, v, _src| { flag(v)?; Ok(None) };
    "quiet" "-" Helpful "From the kernel: only errors reach the console. The complete log is still in /run/dayfly/boot.log."
        |_s, _v, _src| Ok(None);
    "rd.debug" "yes or no" Helpful "Log all details to the console."
        |s, v, src| { s.debug.set(flag(v)?, src.clone()); Ok(None) };
    "init" but Root "path" Essential "The OS's init. If it names Dayfly itself, dayfly.init= names the OS's init."
        |s, v, src| take::<Path>(&mut s.init, v, src);
    "my.git" "URL" Helpful "As dayfly.git=."
        |s, v, src| {
            let url = Repository::read(needed(v)?)?;
            put(&mut s.scripts.entry("node".to_owned()).or_default().git, url, src);
            Ok(None)
        };
    "my.hostname" "host name" Helpful "As dayfly.hostname=."
        |s, v, src| take::<HostName>(&mut s.hostname, v, src);
    "hostname" "host name" Helpful "From the kernel: as dayfly.hostname=."
        |s, v, src| take::<HostName>(&mut s.hostname, v, src);
    "systemd.hostname" "host name" Helpful "As dayfly.hostname=, with precedence over it: the OS's systemd takes its host name from this parameter, regardless of /etc."
        |_s, v, _src| check_name(needed(v)?);
    "rd.driver.blacklist" "module,…" Helpful "Modules that are never loaded for a device."
        |s, v, src| gather::<ModuleName>(&mut s.modules_blacklist, v, src);
    "modprobe.blacklist" "module,…" Helpful "As rd.driver.blacklist."
        |s, v, src| gather::<ModuleName>(&mut s.modules_blacklist, v, src);
    "rd.driver.pre" "module,…" Helpful "Modules that are always loaded."
        |s, v, src| gather::<ModuleName>(&mut s.modules_load, v, src);
    "rd.driver.post" "module,…" Helpful "As rd.driver.pre."
        |s, v, src| gather::<ModuleName>(&mut s.modules_load, v, src);
    "modules_load" "module,…" Helpful "From systemd, for the OS: as dayfly.os.modules=."
        |s, v, src| gather::<ModuleName>(&mut s.os_modules, v, src);
    "rd.modules_load" "module,…" Helpful "As rd.driver.pre."
        |s, v, src| gather::<ModuleName>(&mut s.modules_load, v, src);
}

/// An IPv6 address without the brackets that it has in the other parameters.
fn without_brackets(text: &str) -> &str {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    inner.filter(|inner| inner.contains(':')).unwrap_or(text)
}

/// dracut's `team=`. A team needs a daemon in user space.
fn refuse_team(text: &str) -> Result<Option<String>, String> {
    let team: TeamArg = text.parse().map_err(|error| format!("{error}"))?;
    Err(format!("Dayfly does not create teams; use bond={}, which does the same", team.as_bond()))
}

/// A plain number of MiB, or a size with its unit.
fn mebibytes(text: &str) -> Result<Size, String> {
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
        && let Ok(bytes) = Bytes::read(&format!("{text}M"))
    {
        return Ok(Size::Bytes(bytes));
    }
    text.parse()
}

/// A number of seconds for a wait that Dayfly does not have, and the reason.
fn unused(value: Option<&str>, why: &str) -> Result<Option<String>, String> {
    Seconds::read(needed(value)?)?;
    Ok(Some(format!("it is not used: {why}")))
}

/// Sets a setting from the value of a parameter.
fn take<V: Value>(
    slot: &mut impl Slot<V>,
    value: Option<&str>,
    source: &Source,
) -> Result<Option<String>, String> {
    slot.take(needed(value)?, source).map(|()| None)
}

/// Adds the value of a parameter to a setting that takes several.
fn gather<V: Value>(
    list: &mut impl List<V>,
    value: Option<&str>,
    source: &Source,
) -> Result<Option<String>, String> {
    list.take(needed(value)?, source).map(|()| None)
}

/// The same for a parameter that has a default value when it is written without one.
fn with_default<V: Value>(
    list: &mut impl List<V>,
    value: Option<&str>,
    source: &Source,
) -> Result<Option<String>, String> {
    list.take(value.unwrap_or_default(), source).map(|()| None)
}

/// Checks the value of `systemd.hostname=`. Reports an error, or a difference from the node's name.
fn check_name(text: &str) -> Result<Option<String>, String> {
    HostName::read(text)?;
    Ok(text.contains(|c: char| c.is_ascii_uppercase()).then(|| {
        "a Node's name is in lower case, but the OS's systemd uses the value unchanged: write it in lower case"
            .to_owned()
    }))
}

fn overlay(settings: &mut Settings, value: Option<&str>, source: &Source) -> Result<Option<String>, String> {
    let text = value.unwrap_or("1");
    if let Ok(on) = YesNo::read(text) {
        return Ok((!on).then(|| "the root is always an overlay".to_owned()));
    }
    if let Some(options) = text.strip_prefix("tmpfs") {
        for option in options.trim_start_matches(':').split(',').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("size", size)) => {
                    put(&mut settings.root_size, Size::read(size)?, source);
                }
                _ => return Ok(Some(format!("the option \"{option}\" is not supported"))),
            }
        }
        return Ok(None);
    }
    // LABEL=x:/path names a directory on the disk. Dayfly's directories are fixed by the layout.
    let (device, folder) = match text.split_once(':') {
        Some((device, folder)) => (device, Some(folder)),
        None => (text, None),
    };
    settings.state_device.set(DeviceRef::read(device)?, source.clone());
    Ok(folder.map(|folder| {
        format!("the directory \"{folder}\" is not used: the persistent paths have their own directories")
    }))
}

/// Maps dracut's stages to Dayfly's phases.
fn break_before(stage: &str) -> Result<Phase, String> {
    match stage {
        "cmdline" | "pre-udev" | "pre-trigger" => Ok(Phase::Devices),
        "initqueue" => Ok(Phase::Network),
        "pre-mount" | "mount" => Ok(Phase::Root),
        "pre-pivot" | "cleanup" => Ok(Phase::Handover),
        other => Phase::ALL.into_iter().find(|phase| phase.name() == other).ok_or_else(|| {
            format!(
                "\"{other}\" is not one of cmdline, pre-udev, pre-trigger, initqueue, pre-mount, mount, pre-pivot, cleanup, \
                 devices, network, image, state, root, node, kubernetes, handover"
            )
        }),
    }
}
