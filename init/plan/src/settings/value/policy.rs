//! Values that choose a policy by a word.

use super::choice;

/// The action after a failure (`rd.emergency=`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emergency {
    /// Restart the machine.
    Reboot,
    /// Power the machine off.
    PowerOff,
    /// Halt the machine.
    Halt,
}

choice! { Emergency =
    "reboot" => Emergency::Reboot,
    "poweroff" => Emergency::PowerOff,
    or "halt" => Emergency::Halt
}

/// What a source may set if others may have written it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Anything.
    Any,
    /// Nothing that runs as root or decides trust.
    Limited,
}

choice! { Trust = "any" => Trust::Any, or "limited" => Trust::Limited }

/// Whether a blank disk becomes the state disk.
pub struct Creation;

choice! { Creation, kept as bool = "blank" => true, or "no" => false }

/// A file system for the state disk.
pub struct FileSystem;

choice! { FileSystem, kept as String =
    "ext4" => "ext4".to_owned(),
    "xfs" => "xfs".to_owned(),
    "btrfs" => "btrfs".to_owned(),
    or "f2fs" => "f2fs".to_owned()
}
