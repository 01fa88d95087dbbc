//! Reads the SMBIOS tables of the firmware, which are available before any driver is loaded.

use dayfly_plan::Facts;
use dayfly_sys::{Files, own};

use crate::events::{Events, Level};

/// The SMBIOS tables as the kernel keeps them (Documentation/ABI/testing/sysfs-firmware-dmi-tables).
const TABLE: &str = "/sys/firmware/dmi/tables/DMI";
const ENTRY_POINT: &str = "/sys/firmware/dmi/tables/smbios_entry_point";

/// Adds the SMBIOS data to the facts.
pub fn read(sys: &dyn Files, events: &Events, facts: &mut Facts) {
    let table = match sys.read(&own(TABLE)) {
        Ok(table) => table,
        // Most machines that are not PCs have no SMBIOS.
        Err(error) if error.is_not_found() => return,
        Err(error) => {
            events.note(Level::Warning, None, error.to_string());
            return;
        }
    };
    // Without an entry point, assume a current SMBIOS version, which nearly all machines have.
    let entry_point = sys.read(&own(ENTRY_POINT)).ok();
    for wrong in facts.learn_smbios(&table, entry_point.as_deref()) {
        events.note(Level::Warning, None, wrong);
    }
}
