//! What the node remembers from one boot to the next: the addresses that DHCPv4 servers gave it. They are in a file on the state
//! disk, in Dayfly's own directory. The disk is not trusted: a wrong file can only make the boot request an address that the DHCP
//! server then refuses.

use dayfly_formats::last_boot::{LastBoot, MOST_BYTES, RememberedLease};
use dayfly_formats::superblock::Kind;
use dayfly_plan::Code;
use dayfly_plan::settings::value::DeviceRef;
use dayfly_sys::{Backing, FileKind, Mount, MountFlags, SysError, Tree, TreePath, own};

use super::SUITABLE;
use crate::context::{Context, Done};
use crate::devices;
use crate::events::Level;
use crate::trees::{LAST_BOOT, STATE, kept_in};
use crate::{Failure, Learned, NetworkUp};

/// Nothing on the disk can be executed or used as a device while it is mounted.
const FLAGS: MountFlags =
    MountFlags { read_only: true, nodev: true, nosuid: true, noexec: true, noatime: false };

fn file(disk: Tree) -> TreePath {
    kept_in(disk).join("last-boot")
}

/// Reads the file, if the disk is present. Whatever is wrong with the disk itself, the step `state` reports it.
pub fn read(cx: &Context, device: &DeviceRef) -> Result<Done, Failure> {
    let Some(found) = devices::find(cx, device)? else { return Ok(Done::with(format!("no {device}"))) };
    let path = found.path.display();
    let kind = found.superblock.as_ref().map(|found| found.kind);
    let Some(kind) = kind.filter(|kind| SUITABLE.contains(&kind.as_str())) else {
        return Ok(Done::with(format!("{path} has no file system for state")));
    };
    let tried = format!("read what {device} ({path}) has of the last boot");
    let refused = |error: &SysError| devices::refused(Code::StateRecord, &tried, kind, error);
    // The step does not wait for the step `modules`.
    cx.modules.load("loop")?;
    devices::load_modules(cx, kind)?;
    let mounted = mount(cx, &Backing::Path(own(&found.path)), kind);
    let record = match &mounted {
        Ok(()) => read_file(cx).map_err(|wrong| Failure::new(Code::StateRecord, &tried, wrong)),
        Err(error) => Err(refused(error)),
    };
    put_away(cx, mounted.is_ok()).map_err(|error| refused(&error))?;
    let Some(record) = record? else { return Ok(Done::with(format!("nothing of the last boot on {path}"))) };
    Ok(Done::with(describe(&record)).and(Learned::LastBoot(record)))
}

/// Mounts the disk by a read-only loop device. Even with options that leave the journal alone, ext4 writes to a disk that is
/// mounted read-only: it removes orphaned inodes and stores an error count (fs/ext4). The later mount of the disk replays a journal
/// that does not fit these writes.
fn mount(cx: &Context, disk: &Backing, kind: Kind) -> Result<(), SysError> {
    let fstype = kind.as_str();
    let source = cx.sys.attach_loop(disk)?.display().to_string();
    cx.sys.make_dir(&LAST_BOOT.place(), 0o700)?;
    cx.sys.mount(&Mount::New {
        fstype: fstype.to_owned(),
        source,
        target: LAST_BOOT.place(),
        options: options(fstype),
        flags: FLAGS,
    })
}

/// Options for a disk that was perhaps not unmounted cleanly and that cannot be written to.
fn options(fstype: &str) -> Vec<(String, Option<String>)> {
    let options: &[(&str, Option<&str>)] = match fstype {
        // A superblock can ask for a panic on errors (ext4(5)), and without its journal a file system may have some.
        "ext3" | "ext4" => &[("noload", None), ("errors", Some("continue"))],
        // The same file system may be mounted by the disk itself before this mount is removed.
        "xfs" => &[("norecovery", None), ("nouuid", None)],
        "btrfs" => &[("rescue", Some("nologreplay"))],
        "f2fs" => &[("norecovery", None)],
        _ => &[],
    };
    options.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))).collect()
}

fn read_file(cx: &Context) -> Result<Option<LastBoot>, String> {
    let file = file(LAST_BOOT);
    match cx.sys.inspect(&file) {
        Ok(None) => return Ok(None),
        Ok(Some(FileKind::File(bytes))) if bytes > MOST_BYTES as u64 => {
            return Err(format!(
                "{} has {bytes} bytes; expected at most {MOST_BYTES}",
                file.inside().display()
            ));
        }
        Ok(Some(FileKind::File(_))) => {}
        Ok(Some(_)) => return Err(format!("{} is not a regular file", file.inside().display())),
        Err(error) => return Err(error.to_string()),
    }
    let bytes = cx.sys.read(&file).map_err(|error| error.to_string())?;
    let record = LastBoot::parse(&bytes).map_err(|error| format!("{}: {error}", file.inside().display()))?;
    Ok(Some(record))
}

fn put_away(cx: &Context, is_mounted: bool) -> Result<(), SysError> {
    let unmount = |lazy| cx.sys.mount(&Mount::Unmount { target: LAST_BOOT.place(), lazy });
    if is_mounted && let Err(error) = unmount(false) {
        cx.note(Level::Warning, error.to_string());
        // If it is busy, detach it at least from the tree.
        unmount(true)?;
    }
    cx.sys.remove_tree(&LAST_BOOT.place())
}

fn describe(record: &LastBoot) -> String {
    let leases: Vec<String> = record.leases.iter().map(ToString::to_string).collect();
    if leases.is_empty() { "no leases".to_owned() } else { leases.join(", ") }
}

/// Stores the leases of this boot. Without any, for example because the network is not needed this time, those of the last boot
/// stay.
pub fn keep(cx: &Context) -> Result<Done, Failure> {
    let Some(disk) = &cx.known.state else { return Ok(Done::with("there is no state disk")) };
    let record = cx.known.network.as_ref().map(of_boot).unwrap_or_default();
    if record.leases.is_empty() {
        return Ok(Done::with("no leases in this boot"));
    }
    let (file, text) = (file(STATE), record.encode());
    let tried = || format!("store the leases on the state disk {}", disk.device);
    let failed = |error: SysError| Failure::from_sys(Code::StateRecord, tried(), &error);
    let is_same = || cx.sys.read(&file).is_ok_and(|old| old == text.as_bytes());
    match cx.sys.inspect(&file).map_err(failed)? {
        // Most nodes get the same address at every boot, so that nothing has to be written.
        Some(FileKind::File(bytes)) if bytes == text.len() as u64 && is_same() => {
            return Ok(Done::with(format!("as before: {}", describe(&record))));
        }
        None | Some(FileKind::File(_)) => {}
        // A directory or a link in its place is removed: only Dayfly writes here.
        Some(_) => cx.sys.remove_tree(&file).map_err(failed)?,
    }
    cx.sys.make_dir(&kept_in(STATE), 0o700).map_err(failed)?;
    cx.sys.write(&file, text.as_bytes(), 0o600).map_err(failed)?;
    Ok(Done::with(describe(&record)))
}

/// The leases of the configured addresses, one for each interface that can be told apart.
fn of_boot(network: &NetworkUp) -> LastBoot {
    let leases = network.addresses().filter_map(|up| {
        let created = network.made.iter().any(|made| made.name == up.iface).then(|| up.iface.clone());
        Some(RememberedLease { mac: up.mac?, created, address: up.lease()?.address })
    });
    let mut record = LastBoot::default();
    for lease in leases {
        // Some machines give the same MAC address to several interfaces.
        if record.address(lease.mac, lease.created.as_deref()).is_none() {
            record.leases.push(lease);
        }
    }
    record
}
