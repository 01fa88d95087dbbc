//! Reads the settings disk and unmounts it before any other step runs.

use dayfly_plan::settings::value::DeviceRef;
use dayfly_plan::{Code, ConfigSearch, Document, Fact, SettingsFile, Source};
use dayfly_sys::{FileKind, Mount, MountFlags, SysError};

use crate::context::{Context, Done};
use crate::devices::{self, Device};
use crate::events::Level;
use crate::steps::image::untouched;
use crate::trees::{CONFIG, config_folder};
use crate::{Failure, Learned};

/// The file systems that may hold a settings file.
const SUITABLE: [&str; 6] = ["vfat", "iso9660", "ext4", "ext3", "squashfs", "erofs"];
/// Nothing on it can be executed or used as a device while it is mounted.
const FLAGS: MountFlags =
    MountFlags { read_only: true, nodev: true, nosuid: true, noexec: true, noatime: false };

/// Finds the disk and reads its settings file.
pub fn read(cx: &Context, search: &ConfigSearch) -> Result<Done, Failure> {
    let ConfigSearch { device, wait } = search;
    let found = match wait {
        Some(wait) => Some(devices::wait_for(cx, device, *wait)?),
        None => devices::find(cx, device)?,
    };
    let Some(found) = found else { return Ok(Done::with(format!("no {device}"))) };
    let bytes = match open(cx, device, &found) {
        Ok(file) => file,
        // A disk that was found only by its default label may belong to something else.
        Err(failure) if wait.is_none() && failure.code == Code::ConfigDisk => {
            cx.note(Level::Warning, format!("{}: {}; it is not used", failure.tried, failure.wrong));
            return Ok(Done::with(format!("{device} is not used")));
        }
        Err(failure) => return Err(failure),
    };
    let path = found.path.display();
    let document = Document::from_bytes(bytes).map_err(|wrong| {
        Failure::new(Code::ConfigFile, format!("read dayfly.toml of {device} ({path})"), wrong)
    })?;
    let detail = format!("{} bytes from {path}, now unmounted", document.0.len());
    let file = SettingsFile { source: Source::Config, document };
    Ok(Done::with(detail).and(Learned::Fact(Fact::Settings(file))))
}

/// Mounts the disk, reads the file and unmounts the disk, even if reading fails.
fn open(cx: &Context, device: &DeviceRef, found: &Device) -> Result<Vec<u8>, Failure> {
    let path = found.path.display().to_string();
    let tried = format!("mount the settings disk {device} ({path})");
    let fstype = found.superblock.as_ref().map_or("no recognised file system", |found| found.kind.as_str());
    let Some(superblock) = found.superblock.as_ref().filter(|_| SUITABLE.contains(&fstype)) else {
        let wrong = format!("it has {fstype}; the settings file can be on {}", SUITABLE.join(", "));
        return Err(Failure::new(Code::ConfigDisk, tried, wrong));
    };
    devices::load_modules(cx, superblock.kind)?;
    let mount = Mount::New {
        fstype: fstype.to_owned(),
        source: path.clone(),
        target: CONFIG.place(),
        options: untouched(fstype),
        flags: FLAGS,
    };
    // vfat files are readable for everyone, so the parent directory is not.
    let mounted = cx
        .sys
        .make_dir(&config_folder(), 0o700)
        .and_then(|()| cx.sys.make_dir(&CONFIG.place(), 0o700))
        .and_then(|()| cx.sys.mount(&mount));
    let file = match &mounted {
        Ok(()) => read_file(cx, &format!("read dayfly.toml of {device} ({path})")),
        Err(error) => Err(devices::refused(Code::ConfigDisk, tried, superblock.kind, error)),
    };
    put_away(cx, mounted.is_ok()).map_err(|error| {
        Failure::from_sys(Code::ConfigFile, format!("unmount the settings disk {device} ({path})"), &error)
    })?;
    file
}

fn read_file(cx: &Context, tried: &str) -> Result<Vec<u8>, Failure> {
    let path = &CONFIG.at("dayfly.toml");
    match cx.sys.inspect(path) {
        Ok(Some(FileKind::File(bytes))) => Document::check_length(bytes)
            .map_err(|wrong| Failure::new(Code::ConfigFile, tried, wrong))
            .and_then(|()| {
                cx.sys.read(path).map_err(|error| Failure::from_sys(Code::ConfigFile, tried, &error))
            }),
        Ok(Some(_)) => Err(Failure::new(Code::ConfigDisk, tried, "it is not a regular file")),
        Ok(None) => Err(Failure::new(Code::ConfigDisk, tried, "it has no such file")),
        Err(error) => Err(Failure::from_sys(Code::ConfigFile, tried, &error)),
    }
}

fn put_away(cx: &Context, is_mounted: bool) -> Result<(), SysError> {
    let unmount = |lazy| cx.sys.mount(&Mount::Unmount { target: CONFIG.place(), lazy });
    if is_mounted && let Err(error) = unmount(false) {
        cx.note(Level::Warning, error.to_string());
        // If it is busy, detach it at least from the tree.
        unmount(true)?;
    }
    cx.sys.remove_tree(&config_folder())
}
