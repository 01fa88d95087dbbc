//! Who is trusted with what: the class of a setting, which its row says.

/// What somebody gains who may choose a setting's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Neither root nor trust: names, waits, addresses.
    Plain,
    /// Something that runs as root, opens a door, discloses, or says where data lies.
    Privileged,
    /// The choice of the image: as `Privileged`, unless a hash that is owned decides which image it can be.
    Image,
    /// It decides trust. Settings of the same anchor stand for one another: who owns one owns all.
    Anchor(&'static str),
    /// Only the file in the initramfs may set it.
    Builder,
}

/// The anchor of the image.
pub const IMAGE_HASH: &str = "image.sha256";
/// The anchor of a kubelet's cluster.
pub const CLUSTER_CA: &str = "kubelet.ca";
/// The anchor of the server that a script comes from, one for each script.
pub const KNOWN_HOSTS: &str = "script.known_hosts";
