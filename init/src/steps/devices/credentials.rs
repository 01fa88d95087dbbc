//! Reads credentials that the host of a virtual machine passes through QEMU's fw_cfg (docs/specs/fw_cfg in QEMU).

use dayfly_formats::credential::{self, FW_CFG_FOLDER};
use dayfly_plan::{Code, Credential, Fact, Store};
use dayfly_sys::{TreePath, own};

use crate::context::{Context, Done};
use crate::events::Level;
use crate::{Failure, Learned};

/// The device's name in the ACPI tables. Without the device, the driver is not loaded.
const ACPI_NAME: &str = "QEMU0002";
const BY_NAME: &str = "/sys/firmware/qemu_fw_cfg/by_name";

/// Reads the credentials that are Dayfly settings. The others are for the OS.
pub fn read(cx: &Context) -> Result<Done, Failure> {
    // Without ACPI there is no such device.
    let devices = cx.sys.list(&own("/sys/bus/acpi/devices")).unwrap_or_default();
    if !devices.iter().any(|device| device.name.starts_with(ACPI_NAME)) {
        return Ok(Done::with("no fw_cfg"));
    }
    if !cx.modules.load("qemu_fw_cfg")? {
        cx.note(Level::Warning, "the machine has fw_cfg, but the module qemu_fw_cfg to read it is missing");
        return Ok(Done::with("not read"));
    }
    let folder = own(BY_NAME).join(FW_CFG_FOLDER);
    let entries = match cx.sys.list(&folder) {
        Ok(entries) => entries,
        Err(error) if error.is_not_found() => return Ok(Done::with("none")),
        Err(error) => {
            return Err(Failure::from_sys(Code::ConfigCredentials, "list the credentials of fw_cfg", &error));
        }
    };
    let mut done = Done::default();
    for entry in &entries {
        if let Some(learned) = read_one(cx, &folder.join(&entry.name), &entry.name)? {
            done = done.and(learned);
        }
    }
    done.detail = format!("{} for Dayfly, {} in all", done.learned.len(), entries.len());
    Ok(done)
}

fn read_one(cx: &Context, folder: &TreePath, name: &str) -> Result<Option<Learned>, Failure> {
    let tried = format!("read the credential {name:?} of fw_cfg");
    let value = cx
        .sys
        .read(&folder.join("raw"))
        .map_err(|error| Failure::from_sys(Code::ConfigCredentials, tried, &error))?;
    let ours = credential::Credential::new(name, value)
        .map_err(|error| error.to_string())
        .and_then(Credential::of_firmware);
    match ours {
        Ok(ours) => Ok(ours.map(|ours| Learned::Fact(Fact::Credential(Store::FwCfg, ours)))),
        Err(wrong) => {
            cx.note(Level::Warning, format!("fw_cfg: {wrong}"));
            Ok(None)
        }
    }
}
