//! Which failures end the boot. For every step after the image, this lists errors that do not fail the step, errors
//! that do, and whether that ends the boot and why. The criterion is always the same: is a node that keeps restarting
//! better than a node with this error?

use crate::{OnFailure, Phase, Step, StepId, in_reference};

/// When the failure of a step ends the boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// In every plan.
    Always,
    /// Only if the settings request what the step does.
    WhereAskedFor,
    /// In no plan.
    Never,
}

/// The decision for one step.
#[derive(Debug)]
pub struct Ending {
    /// The step.
    pub step: StepId,
    /// When its failure ends the boot.
    pub ends: Ends,
    /// Errors that are logged, with code and advice, while the step continues.
    pub told: &'static str,
    /// Errors that fail the step.
    pub fails: &'static str,
    /// Why a failure of the step ends the boot, or does not.
    pub why: &'static str,
}

impl Ending {
    /// Whether a step of a plan matches this decision.
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

/// The phases whose steps write into the OS or read data that its users may have changed.
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
        "the disk does not exist, two disks have the name, the file system cannot be mounted or created",
        "a node must not lose its data unnoticed if `state.device` names a disk; without `state.device`, persistent paths are in memory",
    ),
    row(
        StepId::Root,
        Ends::Always,
        "-",
        "the tmpfs or the overlay cannot be mounted",
        "there is no OS to boot",
    ),
    row(
        StepId::Layout,
        Ends::Always,
        "a path below a persistent one, on a disk that is full, read-only or broken; `/etc/fstab`; files that container tools left; without `state.device`, every path that cannot be made persistent: it is in memory then. Nothing is written to a path that was persistent before",
        "a path cannot be made persistent on a disk that `state.device` names: its first copy does not fit, or its data cannot be read; the kernel refuses a mount",
        "a node must not lose its data unnoticed, and its `/usr` must not be writable",
    ),
    row(
        StepId::Identity,
        Ends::Always,
        "each of `/etc/hosts`, `/etc/hostname`, `/etc/machine-id`, `/etc/resolv.conf`",
        "the kernel refuses the host name; no source gives a valid one",
        "a node with a wrong name would join the cluster as a different node",
    ),
    row(
        StepId::OsModules,
        Ends::Never,
        "each module, and the file for `modules-load.d`",
        "the first of them",
        "the OS tries again, and a program that needs the module reports it",
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
        "each file that cannot be written: a directory at its path, a full disk, a symbolic link of a user",
        "an owner that the image does not have; a path that belongs to the boot itself; `/etc/passwd` or `/etc/group` cannot be read",
        "the settings and the image do not match: the error occurs at every boot of every node, so it shows at the first test",
    ),
    row(
        StepId::Users,
        Ends::Always,
        "each user's keys and each password: the contents of a home directory are under the user's control",
        "a user that the image does not have; `/etc/passwd` or `/etc/group` cannot be read",
        "the settings and the image do not match: the error occurs at every boot of every node, so it shows at the first test",
    ),
    row(
        StepId::Units,
        Ends::Always,
        "each unit that cannot be written or linked, or whose file on the state disk cannot be enabled",
        "a unit that the image does not have, or that has no usable `[Install]` section in the image or the settings; an image without a service manager",
        "the settings and the image do not match: the error occurs at every boot of every node, so it shows at the first test",
    ),
    row(
        StepId::Address,
        Ends::Never,
        "-",
        "a file cannot be written, or the image has no network service",
        "the node still has its address until the lease ends",
    ),
    row(
        StepId::HostKeys,
        Ends::Never,
        "keys on the state disk that are damaged or cannot be read (new ones are generated); new keys that cannot be stored",
        "the image's ssh-keygen, or the files in `/etc/ssh`",
        "sshd has the image's keys or makes its own; a node without sshd still works",
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
        "the OS tries again, and the kubelet reports what is missing",
    ),
    row(
        StepId::Kubelet,
        Ends::Never,
        "a certificate that cannot be read or used: the kubelet requests a new one",
        "no kubelet, no service manager, no credentials, a `/var` that cannot hold containers or be written",
        "a node that runs without its kubelet can be inspected and repaired; the cluster sees that it is not ready",
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
