//! The names of all steps that a plan can have.

use std::fmt;

macro_rules! steps {
    ($($variant:ident $name:literal $what:literal;)*) => {
        /// A step's name, unique in a plan: `drivers`, `fetch`, `verify` …
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum StepId { $(#[doc = $what] $variant,)* }

        impl StepId {
            /// All of them, in the order of a plan.
            pub const ALL: &'static [StepId] = &[$(StepId::$variant,)*];

            /// The name in tables, logs and boot.json.
            pub const fn name(self) -> &'static str {
                match self { $(StepId::$variant => $name,)* }
            }
        }
    };
}

steps! {
    Modules "modules" "Loads the modules that every boot needs.";
    Drivers "drivers" "Loads the drivers of the machine's devices.";
    Credentials "credentials" "Reads the credentials of the hypervisor or firmware.";
    Config "config" "Reads the settings disk.";
    Links "links" "Reads the MAC addresses, for rules with a `mac` condition.";
    LastBoot "last-boot" "Reads on the state disk what the node remembers of its last boot.";
    Network "network" "Configures the network.";
    Time "time" "Sets the clock by time servers.";
    Name "name" "Reads the host name, for rules with a `hostname` condition.";
    Settings "settings" "Fetches the settings behind a URL.";
    Manifest "manifest" "Fetches the image's manifest and checks its signatures.";
    Find "find" "Finds the image on a disk, or uses the image that later settings name.";
    Fetch "fetch" "Fetches the image.";
    Verify "verify" "Compares the image's hash.";
    Image "image" "Mounts the image.";
    Settle "settle" "Removes the network configurations of the other interfaces.";
    Defaults "defaults" "Reads the image's own settings.";
    Init "init" "Finds the OS's init in the image.";
    State "state" "Mounts the state disk.";
    Root "root" "Mounts the root of the OS.";
    Layout "layout" "Mounts or fills the paths of the layout.";
    Identity "identity" "Writes the node's name and machine-id.";
    OsModules "os-modules" "Loads modules of the image.";
    Sysctls "sysctls" "Sets kernel parameters.";
    Files "files" "Writes the files of the settings.";
    Users "users" "Sets up users.";
    Units "units" "Writes and enables units.";
    Address "address" "Passes the address to the OS's network service.";
    HostKeys "host-keys" "Restores or generates the ssh host keys.";
    Scripts "scripts" "Prepares scripts from Git.";
    Kernel "kernel" "Prepares the kernel for a kubelet.";
    Kubelet "kubelet" "Prepares the kubelet.";
    K0s "k0s" "Prepares k0s.";
    K3s "k3s" "Prepares k3s.";
    NextBoot "next-boot" "Stores on the state disk what the node remembers for its next boot.";
    History "history" "Stores the boot record.";
    Report "report" "Sends the boot record.";
    Leave "leave" "Leaves the rest to dracut.";
    Switch "switch" "Switches to the new root.";
    Exec "exec" "Starts the OS's init.";
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
