//! Which failures end the boot: of every step behind the image, what may fail in it without an end, and what ends the boot and why. The question is
//! always the same: is the node better off restarting for ever?

use crate::{OnFailure, Phase, Step, StepId, in_reference};

/// When the failure of a step ends the boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// In every plan.
    Always,
    /// Where the settings ask for what the step is about.
    WhereAskedFor,
    /// In none.
    Never,
}

/// What is decided for one step.
#[derive(Debug)]
pub struct Ending {
    /// The step.
    pub step: StepId,
    /// When its failure ends the boot.
    pub ends: Ends,
    /// What may fail in it and is told, with code and advice, while the step goes on.
    pub told: &'static str,
    /// What fails the step.
    pub fails: &'static str,
    /// Why that ends the boot, or does not.
    pub why: &'static str,
}

impl Ending {
    /// Whether a step of a plan is as this says.
    pub fn fits(&self, step: &Step) -> bool {
        let goes_on = matches!(step.on_failure, OnFailure::Continue(_));
        self.step == step.id
            && match self.ends {
                Ends::Always => !goes_on,
                Ends::Never => goes_on,
                Ends::WhereAskedFor => true,
            }
    }
}

/// The phases whose steps write into the OS or read what its users left.
pub const DECIDED: [Phase; 4] = [Phase::State, Phase::Root, Phase::Node, Phase::Kubernetes];

const fn row(step: StepId, ends: Ends, told: &'static str, fails: &'static str, why: &'static str) -> Ending {
    Ending { step, ends, told: in_reference(told), fails: in_reference(fails), why: in_reference(why) }
}

/// One for each step of those phases, in the order of a plan.
pub const ENDINGS: [Ending; 16] = [
    row(
        StepId::State,
        Ends::WhereAskedFor,
        "a write-protected disk, which is mounted read-only",
        "no such disk, two of that name, a file system that cannot be mounted or made",
        "who names a disk with `state.device` gets no node that forgets in silence; without it, what should persist lies in memory",
    ),
    row(
        StepId::Root,
        Ends::Always,
        "-",
        "the tmpfs or the overlay cannot be mounted",
        "there is no OS to go on with",
    ),
    row(
        StepId::Layout,
        Ends::Always,
        "a path below a kept one, on a disk that is full, read-only or broken; `/etc/fstab`; what a container's tools left; on a disk that was only found, every path that cannot be kept, which lies in memory then. Of a path that was kept before, nothing is written",
        "a path cannot be kept on a disk that `state.device` names: its first copy does not fit, or what was kept cannot be read; a mount of the kernel's fails",
        "a node that forgets in silence, or one whose `/usr` can be written, is not the node that was asked for",
    ),
    row(
        StepId::Identity,
        Ends::Always,
        "each of `/etc/hosts`, `/etc/hostname`, `/etc/machine-id`, `/etc/resolv.conf`",
        "the kernel does not take the host name; nothing gives one that a node can have",
        "a node without its name joins a cluster as another one",
    ),
    row(
        StepId::OsModules,
        Ends::Never,
        "each module, and the file for `modules-load.d`",
        "the first of them",
        "the OS tries again, and what needs the module says so",
    ),
    row(
        StepId::Sysctls,
        Ends::Never,
        "each parameter, and the file for `sysctl.d`",
        "the first of them",
        "the OS tries again",
    ),
    row(
        StepId::Files,
        Ends::Always,
        "each file that cannot be written: a folder in its place, a full disk, a link of a user's",
        "an owner that the image does not have; a path that is the boot's own; `/etc/passwd` or `/etc/group` cannot be read",
        "the settings and the image do not fit: it is so at every boot of every node, and shows at the first try",
    ),
    row(
        StepId::Users,
        Ends::Always,
        "each user's keys and each password: what is in a home is its user's",
        "a user that the image does not have; `/etc/passwd` or `/etc/group` cannot be read",
        "the settings and the image do not fit: it is so at every boot of every node, and shows at the first try",
    ),
    row(
        StepId::Units,
        Ends::Always,
        "each unit that cannot be written or linked, or whose file on the state disk cannot be enabled",
        "a unit that the image does not have, or cannot be enabled as the image or the settings have it; an image without a service manager",
        "the settings and the image do not fit: it is so at every boot of every node, and shows at the first try",
    ),
    row(
        StepId::Address,
        Ends::Never,
        "-",
        "a file cannot be written, or the image has no network service",
        "the node has its address all the same, until its lease ends",
    ),
    row(
        StepId::HostKeys,
        Ends::Never,
        "keys of the state disk that are damaged or cannot be read, which are made anew; new ones that cannot be kept",
        "the image's ssh-keygen, or the files in `/etc/ssh`",
        "sshd has the image's keys or makes its own; a node without sshd still does its work",
    ),
    row(
        StepId::Scripts,
        Ends::Never,
        "each script's files",
        "an image without git or without a service manager",
        "the node boots without its scripts",
    ),
    row(
        StepId::Kernel,
        Ends::Never,
        "each module, each parameter, the control groups, and the files for the OS",
        "the first of them",
        "the OS tries again, and the kubelet says what it misses",
    ),
    row(
        StepId::Kubelet,
        Ends::Never,
        "a certificate that cannot be read or is of no use: the kubelet asks for a new one",
        "no kubelet, no service manager, no credentials, a `/var` that cannot hold containers or be written",
        "a node that is up without its kubelet can be looked at and mended; its cluster sees that it is not ready",
    ),
    row(
        StepId::K0s,
        Ends::Never,
        "the same for the worker's certificate; each bundle of container images",
        "no k0s, no service manager, a token of another role, a `/var` that cannot hold containers or be written",
        "as for the kubelet",
    ),
    row(
        StepId::K3s,
        Ends::Never,
        "the node password, and each bundle of container images",
        "no k3s, no service manager, an agent without server and token, a `/var` that cannot hold containers or be written",
        "as for the kubelet",
    ),
];
