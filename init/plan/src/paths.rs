//! Where things are while the boot is under way. The trees that it mounts, and all that is in them, are named in
//! `init/src/trees.rs`.

/// Our own folder; it is a part of /run and so survives the switch.
pub const RUN: &str = "/run/dayfly";
/// The report, see docs/reference/boot-json.md.
pub const BOOT_JSON: &str = "/run/dayfly/boot.json";
/// The whole log, whatever the console showed.
pub const BOOT_LOG: &str = "/run/dayfly/boot.log";
/// Secrets that the OS needs; in memory, for root alone.
pub const SECRETS: &str = "/run/dayfly/secrets";
/// Where the OS finds the records of earlier boots.
pub const HISTORY: &str = "/var/log/dayfly";
/// The command line as dracut sees it: the kernel's, and what its initramfs adds. The module's hook writes it.
pub const DRACUT_CMDLINE: &str = "/run/dayfly/cmdline";
/// Where udevd listens, if one runs (systemd's src/udev/udev-ctrl.c).
pub const UDEV_CONTROL: &str = "/run/udev/control";
/// The folder of udev's records, one per device that it is done with (systemd's sd-device.c).
pub const UDEV_DATA: &str = "/run/udev/data";
/// The settings file in the initramfs.
pub const SETTINGS: &str = "/etc/dayfly.toml";
/// The settings file of the OS image.
pub const IMAGE_SETTINGS: &str = "/usr/lib/dayfly/settings.toml";
/// The module index that `dayfly initramfs` writes.
pub const MODULE_INDEX: &str = "/lib/dayfly/modules.index";
/// Certificates that sign image servers, PEM.
pub const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";
/// When the initramfs was built: the lower bound for a clock that starts in 1970.
pub const BUILD: &str = "/etc/dayfly-build";
