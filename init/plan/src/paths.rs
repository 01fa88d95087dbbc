//! Paths during the boot. `init/src/trees.rs` names the trees that the boot mounts, and everything in them.

/// Dayfly's own directory. It is below /run, so it survives the switch to the new root.
pub const RUN: &str = "/run/dayfly";
/// The report, see docs/reference/boot-json.md.
pub const BOOT_JSON: &str = "/run/dayfly/boot.json";
/// The complete log, regardless of the console's log level.
pub const BOOT_LOG: &str = "/run/dayfly/boot.log";
/// Secrets that the OS needs, in memory, readable only by root.
pub const SECRETS: &str = "/run/dayfly/secrets";
/// The directory in the OS with the records of earlier boots.
pub const HISTORY: &str = "/var/log/dayfly";
/// The command line as dracut sees it: the kernel's, plus additions of its initramfs. The hook of the dracut module
/// writes this file.
pub const DRACUT_CMDLINE: &str = "/run/dayfly/cmdline";
/// The control socket of udevd, if it runs (systemd's src/udev/udev-ctrl.c).
pub const UDEV_CONTROL: &str = "/run/udev/control";
/// The directory of udev's database, with one file for each device that udev has processed (systemd's sd-device.c).
pub const UDEV_DATA: &str = "/run/udev/data";
/// The settings file in the initramfs.
pub const SETTINGS: &str = "/etc/dayfly.toml";
/// The settings file of the OS image.
pub const IMAGE_SETTINGS: &str = "/usr/lib/dayfly/settings.toml";
/// The module index that `dayfly initramfs` writes.
pub const MODULE_INDEX: &str = "/lib/dayfly/modules.index";
/// CA certificates for image servers, in PEM format.
pub const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
/// The build time of the initramfs. It is the lower bound for a clock that starts in 1970.
pub const BUILD: &str = "/etc/dayfly-build";
