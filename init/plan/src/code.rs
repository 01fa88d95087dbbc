//! The stable error codes, with their meaning and advice. `docs/reference/errors.md` is generated from this table.

use std::fmt;

use crate::Class;

macro_rules! codes {
    ($($variant:ident $text:literal $class:ident $meaning:literal fix $fix:literal;)*) => {
        /// A stable error code; docs/reference/errors.md lists them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code { $(#[doc = $meaning] $variant,)* }

        impl Code {
            /// All codes, in the order of the documentation.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)*];

            /// The code in its printed form, `area.what`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $text,)* }
            }

            /// Whether a retry can help. Each code has exactly one class.
            pub const fn class(self) -> Class {
                match self { $(Code::$variant => Class::$class,)* }
            }

            /// What it means, one sentence.
            pub const fn meaning(self) -> &'static str {
                match self { $(Code::$variant => $meaning,)* }
            }

            /// What usually helps.
            pub const fn advice(self) -> &'static str {
                match self { $(Code::$variant => $fix,)* }
            }
        }
    };
}

codes! {
    ConfigValue "config.value" Permanent "A setting has a value that cannot be used."
        fix "Correct the value where it was set; `dayfly explain --cmdline '…'` checks a command line on any machine.";
    ConfigUnknown "config.unknown" Permanent "The name of a Dayfly setting does not exist."
        fix "Use the name that the message suggests, or look it up in docs/reference/settings.md.";
    ConfigFile "config.file" Permanent "The settings file cannot be read as TOML, or not with this version of Dayfly."
        fix "Check the file with `dayfly explain --settings FILE` and build the initramfs again.";
    ConfigDisk "config.disk" Transient "The settings file on a disk cannot be read."
        fix "Put dayfly.toml at the top of a vfat, iso9660, ext4, squashfs or erofs file system whose label is config, or name the disk with dayfly.config.device=; dayfly.config.device=none turns the search off.";
    ConfigCredentials "config.credentials" Transient "Credentials of the machine's firmware cannot be read."
        fix "Check the host's -fw_cfg or -smbios options, and that the initramfs has the module qemu_fw_cfg.";
    ConfigFetch "config.fetch" Source "The server of settings.url was not reached."
        fix "Check the URL in the message with curl from the same network; with dayfly.settings.required=no the boot continues without these settings.";
    ConfigUrl "config.url" Permanent "The URL of the settings cannot be used."
        fix "Check settings.url: it must start with http:// or https://, and use ${…} only for values that this machine has.";
    ConfigAnswer "config.answer" Source "The server did not deliver the settings, or delivered only a part."
        fix "Check the path of the URL on the server, and the server's own log; with dayfly.settings.required=no the boot continues without these settings.";
    ConfigNoImage "config.no-image" Permanent "No OS image is named."
        fix "Add root=live:http://SERVER/IMAGE (or LABEL=, UUID=, a device) to the kernel command line, or image.url to the settings.";
    ConfigSecret "config.secret" Permanent "A secret comes from a source that others can read."
        fix "Remove it there and treat it as compromised. Put a new one on the settings disk, on an https server, or in a credential of the machine's firmware.";
    ConfigTrust "config.trust" Permanent "A source set something that it is not trusted to set: something that runs as root, or that decides trust."
        fix "Set it in the source that the message names; docs/explanation/trust.md says which source may set what, and how to allow more.";
    ConfigTooLate "config.too-late" Permanent "A setting comes from a source that is read only after the setting is needed."
        fix "Set it earlier: on the kernel command line, in the initramfs, or in one of the sources that docs/reference/settings.md names for it.";
    ConfigUnsupported "config.unsupported" Permanent "Dayfly understands the request, but this version does not support it."
        fix "Use one of the forms in docs/reference/parameters.md.";
    DevicesIndex "devices.index" Permanent "The list of kernel modules in the initramfs cannot be read."
        fix "Build the initramfs again with `dayfly initramfs` for the kernel that is booted.";
    DevicesModule "devices.module" Transient "A kernel module could not be loaded."
        fix "Check that the initramfs was built for this kernel (uname -r) and holds the module: `dayfly initramfs --add-module NAME`.";
    DevicesNotFound "devices.not-found" Transient "A disk or partition did not appear in time."
        fix "Check the label or UUID (blkid), that the disk is attached, and that its driver is in the initramfs; rd.timeout=SECONDS waits longer.";
    DevicesAmbiguous "devices.ambiguous" Permanent "Two disks have the requested name."
        fix "Give each file system its own name (e2label, xfs_admin -L, sgdisk --change-name), or select one by UUID= or PARTUUID=.";
    DevicesMember "devices.member" Permanent "The requested disk is a member of a RAID, a volume group or another device."
        fix "Name the assembled device instead (a dracut initramfs can assemble it). If the disk is no longer a member, remove the old signature: `wipefs DISK` lists the signatures, wipefs --backup --offset removes one.";
    NetNoLink "net.no-link" Transient "No network interface was found, or not the one that the server is reached by."
        fix "Check the names of interfaces in the parameters, and that the NIC's driver is in the initramfs: the log names devices without one; `dayfly initramfs --profile generic` has the common ones.";
    NetNoCarrier "net.no-carrier" Transient "No interface that waits for an address has a carrier: the link to the other end of the cable is down."
        fix "Check the cable, the switch port and its speed; a switch with spanning tree needs portfast or a longer rd.retry=.";
    NetNoLease "net.no-lease" Transient "No interface got an address in time, neither from a DHCP server nor from a router."
        fix "Check that a DHCP server answers on this network segment and knows this MAC address, for IPv6 also that a router advertises a prefix; or give a static address with ip=.";
    NetNoServer "net.no-server" Transient "No interface leads to the server that the boot needs."
        fix "Check that the server runs and listens on that port, and the routes and firewalls between it and this node; the message says what each interface got.";
    NetConfigure "net.configure" Transient "The kernel refused an address, a route or a link setting."
        fix "Check the parameter that the message names: an address or MTU of ip=, an option of bond=, a route of rd.route=; the kernel's words say why it refused it.";
    NetTime "net.time" Transient "No time server gave a time that can be used."
        fix "Check that the servers in the message run NTP, are synchronised, and that UDP port 123 is open; network.ntp names other servers.";
    ImageUrl "image.url" Permanent "The image URL cannot be used."
        fix "Use http:// or https:// with a host that resolves; the server's name needs a name server from DHCP or nameserver=.";
    ImageResolve "image.resolve" Source "The image server's name did not resolve."
        fix "Check the host name, the name servers (DHCP option 6 or nameserver=) and that they answer.";
    ImageConnect "image.connect" Source "No connection to the image server."
        fix "Check that the server runs and listens on that port, and that no firewall is in between; Dayfly keeps trying for rd.retry= seconds.";
    ImageTls "image.tls" Source "The image server's certificate was not accepted."
        fix "Check the certificate's dates against the clock shown, its name, and that its CA is in the initramfs: `dayfly initramfs --ca-bundle FILE`.";
    ImageHttpStatus "image.http-status" Source "The image server answered with an HTTP error."
        fix "Check the path of the URL on the server, and the server's own log.";
    ImageStalled "image.stalled" Source "The transfer of the image stalled."
        fix "Check the network between node and server; dayfly.image.stall=SECONDS allows longer silences, dayfly.image.min_rate=BYTES a slower link.";
    ImageCut "image.cut" Source "The connection ended before the whole image had arrived."
        fix "Check the server's log and its timeouts; Dayfly retries automatically.";
    ImageTooLarge "image.too-large" Permanent "The image does not fit into the memory of this node."
        fix "Give the node more memory, make the image smaller, or boot it from a disk (root=live:LABEL=…).";
    ImageHashMismatch "image.hash-mismatch" Source "The image does not have the given SHA-256."
        fix "Compare `sha256sum IMAGE` on the server with dayfly.image.sha256=, or check the files of a manifest with `dayfly image verify`; if they are right, something between server and node changes the data.";
    ImageManifest "image.manifest" Source "The manifest of the image cannot be used."
        fix "Check the URL with curl from the same network, and the manifest with `dayfly image verify`; `dayfly image build` makes one.";
    ImageSignature "image.signature" Source "The image does not have the signatures that the settings ask for."
        fix "Sign the manifest with `dayfly image sign`, copy its .minisig files beside it, and check them with `dayfly image verify --key`; docs/how-to/sign.md shows all of it.";
    ImageUnfit "image.unfit" Permanent "The image is not for this machine, or not the one that its URL names."
        fix "Boot an image that was built for this CPU and this much memory; `dayfly image inspect` shows what an image is for.";
    ImageFormat "image.format" Source "The image is not a file system that can be mounted, or it is damaged or truncated."
        fix "Make it with mksquashfs or mkfs.erofs and copy it again; `file IMAGE` shows its type. docs/reference/images.md lists the supported types.";
    ImageAttach "image.attach" Transient "The image could not be attached to a loop device."
        fix "Check that the loop module is in the initramfs.";
    ImageMount "image.mount" Permanent "The kernel refused to mount the image."
        fix "The kernel's message gives the reason. If the decompressor is missing, use a kernel that has it, or another -comp for mksquashfs.";
    ImageRoot "image.root" Permanent "The mounted root could not be used as the image (init= on an installed disk)."
        fix "Boot without init=: the installed system is unchanged. The kernel's message says what it refused.";
    StateMount "state.mount" Transient "The state disk could not be mounted."
        fix "Check it with fsck on another system; without dayfly.state.device= the boot continues without the disk.";
    StateCreate "state.create" Permanent "The state disk could not be created."
        fix "Name the disk with state.disk, wipe it yourself if nothing on it is needed (wipefs -a, blkdiscard), and check that the image has the mkfs program.";
    StateKeep "state.keep" Permanent "A path could not be made persistent on the state disk."
        fix "Free space on the disk, enlarge it, or check it with fsck on another system; without dayfly.state.device= such a path is in memory.";
    StateRecord "state.record" Transient "What the node remembers of its last boot could not be read from the state disk, or not be stored on it."
        fix "The next boot writes the file again; if the error stays, remove .dayfly/last-boot from the disk, free space, or check the disk with fsck on another system.";
    RootOverlay "root.overlay" Permanent "The overlay for the root could not be mounted."
        fix "Check that the overlay module is in the initramfs and fits the kernel.";
    RootLayout "root.layout" Permanent "A path of the layout could not be set up."
        fix "Check the layout settings; a path that is bound or mounted must exist in the image as a directory.";
    NodeWrite "node.write" Transient "A file of this node could not be written."
        fix "The kernel's message gives the reason; a full tmpfs means that the node has too little memory.";
    NodeService "node.service" Permanent "A service of this node could not be set up."
        fix "Boot an image with systemd or OpenRC; Dayfly writes services for these two.";
    NodeUser "node.user" Permanent "A user or group of the settings is not in the image."
        fix "Use a name that the image's /etc/passwd and /etc/group have, or a number; users that a service creates at boot do not exist yet.";
    NodeModule "node.module" Transient "A module of os.modules is not in the image, or could not be loaded."
        fix "Check that the image has the module for the kernel that is booted (uname -r), and its name.";
    NodeSysctl "node.sysctl" Transient "A kernel parameter could not be set."
        fix "Check its name and value; a parameter of a module needs that module loaded first: os.modules.";
    NodeUnit "node.unit" Permanent "A unit could not be written or enabled."
        fix "Check the unit's name and its [Install] section; an image with OpenRC needs a script, as a file, and enable = true.";
    NodeHostKeys "node.host-keys" Transient "The node has no ssh host keys of its own."
        fix "Check that the image has ssh-keygen and that the state disk can be written; ssh.host_keys=image leaves the keys to the image.";
    NodeNetwork "node.network" Transient "The address could not be passed to a network service of the OS."
        fix "Install systemd-networkd, NetworkManager, dhcpcd, or ifupdown and a DHCP client, in the image; network.handover=none leaves the address to the image.";
    KubernetesCgroup "kubernetes.cgroup" Permanent "This kernel lacks the control groups that a kubelet needs, or a kernel parameter turns them off."
        fix "Boot a kernel with cgroup v2 and its controllers, without systemd.unified_cgroup_hierarchy=0 and cgroup_disable=.";
    KubernetesStorage "kubernetes.storage" Permanent "The file system of /var on this node cannot hold container layers."
        fix "Make /var persistent or a tmpfs in the layout: a container's overlay does not work on another overlay or on a network file system.";
    KubernetesCredentials "kubernetes.credentials" Permanent "The node has no credentials to join its cluster."
        fix "Give kubelet.server, kubelet.ca and kubelet.token, or kubelet.kubeconfig, or the token of k0s or k3s. They must come from a private source.";
    KubernetesProgram "kubernetes.program" Permanent "The requested program is not in the image."
        fix "Install the program in the image, make it executable, or set its path with k0s.program or k3s.program.";
    HandoverNoInit "handover.no-init" Permanent "The image has no init program."
        fix "Install systemd or OpenRC in the image, or name the program with init=/path (dayfly.init=/path where init= names Dayfly).";
    HandoverSwitch "handover.switch" Permanent "The boot could not switch to the new root."
        fix "This is a defect or a very unusual kernel: please report it with the log.";
    HandoverExec "handover.exec" Permanent "The OS's init could not be started."
        fix "Check that it is a program for this CPU and that its interpreter is in the image.";
    ReportRefused "report.refused" Transient "The boot record could not be sent."
        fix "Check that the URL accepts a POST of JSON and answers within report_wait seconds; the record itself is in /run/dayfly/boot.json.";
    StepDeadline "step.deadline" Transient "A step exceeded its time limit and was aborted."
        fix "The log shows its last activity; if the machine is only slow, please report the times.";
    InitPanic "init.panic" Transient "A defect in Dayfly itself."
        fix "Please report it with this text and the log; rebooting may help.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
