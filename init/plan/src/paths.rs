//! Where things are while the boot is under way. Overlay paths stay short on purpose: the kernel refuses option
//! strings over 255 bytes (fs/fsopen.c).

/// Our own folder; it is a part of /run and so survives the switch.
pub const RUN: &str = "/run/dayfly";
/// The image, mounted read-only.
pub const LOWER: &str = "/run/dayfly/l";
/// The tmpfs that takes what the OS writes.
pub const WRITABLE: &str = "/run/dayfly/rw";
/// The root's overlay a second time, while the layout covers parts of the first.
pub const OVERLAY: &str = "/run/dayfly/o";
/// The OS's root, before the switch. Not below /run, which moves into it.
pub const ROOT: &str = "/sysroot";
/// The state disk.
pub const STATE: &str = "/run/dayfly/state";
/// The place of the settings disk, in a folder that only root can enter. Both are gone again before the handover.
pub const CONFIG: &str = "/run/dayfly/config";
/// The settings disk, mounted while it is read.
pub const CONFIG_DISK: &str = "/run/dayfly/config/disk";
/// The settings file on it.
pub const CONFIG_FILE: &str = "/run/dayfly/config/disk/dayfly.toml";
/// What Dayfly itself keeps on the state disk. No persistent path has a folder of this name there.
pub const KEPT: &str = "/run/dayfly/state/.dayfly";
/// A disk that holds an image file.
pub const MEDIA: &str = "/run/dayfly/media";
/// What holds the image's file system as a file, one in another: an ISO, a squashfs. A number follows.
pub const OUTER: &str = "/run/dayfly/outer";
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
