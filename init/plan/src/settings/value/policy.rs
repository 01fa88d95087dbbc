//! Values that say what is done, in a word.

use super::choice;

/// What `rd.emergency=` asks for after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Emergency {
    /// Start again.
    Reboot,
    /// Switch off.
    PowerOff,
    /// Stop.
    Halt,
}

choice! { Emergency =
    "reboot" => Emergency::Reboot,
    "poweroff" => Emergency::PowerOff,
    or "halt" => Emergency::Halt
}

/// What a place may set that others may have written.
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
