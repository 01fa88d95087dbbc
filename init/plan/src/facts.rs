//! What the machine was told, before anything is understood of it.

/// The texts that a boot starts from. The same facts give the same plan, on the machine as under `dayfly explain`:
/// what is found later (a lease, a disk, what the kernel can do) is the steps' to look at and never changes the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// The kernel command line, `/proc/cmdline`.
    pub cmdline: String,
    /// The settings file of the initramfs, TOML.
    pub settings_file: Option<String>,
}

impl Facts {
    /// A command line alone.
    pub fn from_cmdline(cmdline: impl Into<String>) -> Self {
        Self { cmdline: cmdline.into(), settings_file: None }
    }

    /// With a settings file.
    pub fn with_file(mut self, text: impl Into<String>) -> Self {
        self.settings_file = Some(text.into());
        self
    }
}
