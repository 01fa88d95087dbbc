//! What dracut and the kernel document on the command line, mapped onto the settings. docs/reference/parameters.md is
//! generated from the table. A parameter that is not here is somebody else's and never an error.

use std::net::IpAddr;

use dayfly_formats::ip::IpArg;
use dayfly_formats::mac::Mac;

use super::slot::{List, Slot, put};
use crate::settings::value::{
    BelowDisk, Bytes, DeviceRef, Emergency, FileName, HostName, ImageSource, ModuleName, Path, Repository,
    Seconds, Size, Url, Value, WholeSeconds, YesNo,
};
use crate::settings::wanted::Settings;
use crate::{Phase, Source, Way, in_reference};

/// What a bad value of a parameter means for the boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// The boot cannot be what was asked for: refused.
    Essential,
    /// Said, and ignored.
    Helpful,
}

/// `Ok(Some(note))` says what was not taken over.
type Apply = fn(&mut Settings, Option<&str>, &Source) -> Result<Option<String>, String>;

/// One documented parameter.
pub struct Parameter {
    /// Its key.
    pub name: &'static str,
    /// Its value, for people.
    pub kind: &'static str,
    /// What we make of it.
    pub doc: &'static str,
    /// How much a bad value matters.
    pub weight: Weight,
    /// Where it is somebody else's to read: on this way Dayfly was started, it says how the boot got here.
    pub except: Option<Way>,
    /// Applies it.
    pub(in crate::settings) set: Apply,
}

/// dracut's booleans: the bare word is a yes.
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
    "root" but Root "[live:]URL, [live:]device, live:/path" Essential "The OS image: live:http://…, http://…, live:LABEL=…, LABEL=, UUID=, PARTLABEL=, PARTUUID= or /dev/NAME; live:/path is a file in the initramfs. With live:, a disk holds the image as a file (rd.live.dir, rd.live.squashimg) unless it is an image itself."
        |s, v, src| { put(&mut s.image, ImageSource::of_root(needed(v)?)?, src); Ok(None) };
    "coreos.live.rootfs_url" but Root "URL" Essential "Taken as the image, which must be a squashfs or erofs file; Fedora CoreOS's own is an archive with one in it."
        |s, v, src| { put(&mut s.image, ImageSource::Url(Url::read(needed(v)?)?), src); Ok(None) };
    "rd.live.dir" "path" Helpful "The folder of the image file on a disk; LiveOS."
        |s, v, src| take::<BelowDisk>(&mut s.live_dir, v, src);
    "rd.live.squashimg" "file name" Helpful "The image's file name on a disk; squashfs.img."
        |s, v, src| take::<FileName>(&mut s.live_file, v, src);
    "rd.live.image" "-" Helpful "Accepted: every boot here is one of an image."
        |_s, _v, _src| Ok(None);
    "rd.live.ram" "yes or no" Helpful "Accepted: a fetched image is in memory anyhow, once; an image on a disk is used where it is."
        |_s, v, _src| { flag(v)?; Ok(None) };
    "rd.live.overlay.overlayfs" "yes or no" Helpful "Accepted: the root always is an OverlayFS."
        |_s, v, _src| { Ok((!flag(v)?).then(|| "the root is an OverlayFS all the same".to_owned())) };
    "rd.overlay" "yes, tmpfs[:size=SIZE], device" Helpful "tmpfs:size= limits the root's tmpfs; a device becomes state.device: the persistent paths of the layout live there, not the whole root."
        |s, v, src| overlay(s, v, src);
    "rd.live.overlay" "device[:path]" Helpful "As rd.overlay."
        |s, v, src| overlay(s, v, src);
    "rd.live.overlay.size" "MiB, size or percentage" Helpful "The limit of the root's tmpfs: a plain number is MiB, as in dracut; 2G and 1.5GiB are what they say, 50% is of the memory."
        |s, v, src| { put(&mut s.root_size, mebibytes(needed(v)?)?, src); Ok(None) };
    "rd.live.overlay.readonly" "yes or no" Helpful "Not taken over: the layout says which paths are read-only."
        |_s, v, _src| { Ok(flag(v)?.then(|| "use layout settings to make paths read-only".to_owned())) };
    "rd.live.overlay.reset" "yes or no" Helpful "Not taken over: what is ephemeral is new at every boot, what is persistent is never wiped from the command line."
        |_s, v, _src| { Ok(flag(v)?.then(|| "persistent paths are kept".to_owned())) };
    "rootflags" "options" Helpful "Not taken over: the image is mounted with the kernel's defaults."
        |_s, _v, _src| Ok(Some("the image is mounted with the kernel's defaults".to_owned()));
    "ro" "-" Helpful "Accepted: the image is read-only, the overlay above it is not."
        |_s, _v, _src| Ok(None);
    "rw" "-" Helpful "Accepted, as ro."
        |_s, _v, _src| Ok(None);
    "ip" "see ip= below" Essential "How an interface gets its address; repeatable."
        |s, v, src| gather::<IpArg>(&mut s.ip, v, src);
    "BOOTIF" "[01-]MAC" Helpful "The interface that the firmware booted from: preferred."
        |s, v, src| {
            let mac = Mac::from_bootif(needed(v)?).map_err(|e| format!("{e}"))?;
            put(&mut s.bootif, mac, src);
            Ok(None)
        };
    "nameserver" "IP address" Helpful "A name server; repeatable."
        |s, v, src| gather::<IpAddr>(&mut s.dns, v, src);
    "rd.neednet" "yes or no" Helpful "Bring the network up even if the image is on a disk."
        |s, v, src| { s.network_wanted.set(flag(v)?, src.clone()); Ok(None) };
    "rd.retry" "seconds" Helpful "How long network and image are tried again before the boot has failed."
        |s, v, src| take::<Seconds>(&mut s.retry, v, src);
    "rd.timeout" "seconds" Helpful "How long a disk is waited for; 0, dracut's for ever, is a day here: no wait is endless."
        |s, v, src| {
            let text = needed(v)?;
            let wait = if text == "0" { "86400" } else { text };
            take::<Seconds>(&mut s.device_wait, Some(wait), src)
        };
    "rd.shell" "yes or no" Helpful "A shell on the console when the boot fails, if the initramfs has one."
        |s, v, src| { s.shell.set(flag(v)?, src.clone()); Ok(None) };
    "rd.emergency" "reboot, poweroff or halt" Helpful "What follows a failed boot."
        |s, v, src| take::<Emergency>(&mut s.emergency, v, src);
    "panic" "seconds" Helpful "The pause before that; 0 waits for ever, a negative number does not wait."
        |s, v, src| take::<WholeSeconds>(&mut s.panic, v, src);
    "rd.break" but Dracut "stage" Helpful "A shell before a stage: cmdline, pre-udev, pre-trigger, initqueue, pre-mount, mount, pre-pivot, cleanup, or a phase of the plan. dracut opens its own."
        |s, v, src| { put(&mut s.break_before, break_before(v.unwrap_or("pre-pivot"))?, src); Ok(None) };
    "rd.dayfly" "yes or no" Helpful "Read by dracut's module: whether the boot is Dayfly's where others could boot it as well."
        |_s, v, _src| { flag(v)?; Ok(None) };
    "quiet" "-" Helpful "The kernel's: only errors reach the console; the whole log is in /run/dayfly/boot.log all the same."
        |_s, _v, _src| Ok(None);
    "rd.debug" "yes or no" Helpful "Log every detail to the console."
        |s, v, src| { s.debug.set(flag(v)?, src.clone()); Ok(None) };
    "init" but Root "path" Essential "The OS's init; where it is Dayfly itself, dayfly.init= names the OS's."
        |s, v, src| take::<Path>(&mut s.init, v, src);
    "my.git" "URL" Helpful "As dayfly.git=."
        |s, v, src| {
            let url = Repository::read(needed(v)?)?;
            put(&mut s.scripts.entry("node".to_owned()).or_default().git, url, src);
            Ok(None)
        };
    "my.hostname" "host name" Helpful "As dayfly.hostname=."
        |s, v, src| take::<HostName>(&mut s.hostname, v, src);
    "hostname" "host name" Helpful "The kernel's own: as dayfly.hostname=."
        |s, v, src| take::<HostName>(&mut s.hostname, v, src);
    "systemd.hostname" "host name" Helpful "As dayfly.hostname=, and wins over it: the OS's systemd takes its name from this word, whatever is in /etc."
        |_s, v, _src| check_name(needed(v)?);
    "rd.driver.blacklist" "module,…" Helpful "Modules never to load for a device."
        |s, v, src| gather::<ModuleName>(&mut s.modules_blacklist, v, src);
    "modprobe.blacklist" "module,…" Helpful "As rd.driver.blacklist."
        |s, v, src| gather::<ModuleName>(&mut s.modules_blacklist, v, src);
    "rd.driver.pre" "module,…" Helpful "Modules to load whatever the buses show."
        |s, v, src| gather::<ModuleName>(&mut s.modules_load, v, src);
    "rd.driver.post" "module,…" Helpful "As rd.driver.pre."
        |s, v, src| gather::<ModuleName>(&mut s.modules_load, v, src);
    "modules_load" "module,…" Helpful "systemd's for the OS: as dayfly.os.modules=."
        |s, v, src| gather::<ModuleName>(&mut s.os_modules, v, src);
    "rd.modules_load" "module,…" Helpful "As rd.driver.pre."
        |s, v, src| gather::<ModuleName>(&mut s.modules_load, v, src);
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

/// Sets a setting from the value of a word.
fn take<V: Value>(
    slot: &mut impl Slot<V>,
    value: Option<&str>,
    source: &Source,
) -> Result<Option<String>, String> {
    slot.take(needed(value)?, source).map(|()| None)
}

/// Adds the value of a word to a setting that gathers them.
fn gather<V: Value>(
    list: &mut impl List<V>,
    value: Option<&str>,
    source: &Source,
) -> Result<Option<String>, String> {
    list.take(needed(value)?, source).map(|()| None)
}

/// What is wrong with the value of `systemd.hostname=`, or what it leaves different from the node's name.
fn check_name(text: &str) -> Result<Option<String>, String> {
    HostName::read(text)?;
    Ok(text.contains(|c: char| c.is_ascii_uppercase()).then(|| {
        "a Node's name is in lower case, and the OS's systemd takes the word as it is: write it in lower case"
            .to_owned()
    }))
}

fn overlay(settings: &mut Settings, value: Option<&str>, source: &Source) -> Result<Option<String>, String> {
    let text = value.unwrap_or("1");
    if let Ok(on) = YesNo::read(text) {
        return Ok((!on).then(|| "the root is an overlay all the same".to_owned()));
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
    // LABEL=x:/path names a folder on the disk; ours are fixed by the layout.
    let (device, folder) = match text.split_once(':') {
        Some((device, folder)) => (device, Some(folder)),
        None => (text, None),
    };
    settings.state_device.set(DeviceRef::read(device)?, source.clone());
    Ok(folder.map(|folder| {
        format!("the folder \"{folder}\" is not used: the persistent paths have folders of their own")
    }))
}

/// dracut's stages and ours.
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
