//! The class of a setting decides which sources may set it. Each row of the table names one.

/// What control over a setting's value gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Neither root nor trust: names, times, addresses.
    Plain,
    /// Control over what runs as root, over access to the node (also from another network), over disclosure of data, or over
    /// the location of data.
    Privileged,
    /// The choice of the image. As `Privileged`, unless an owned hash or owned keys already decide which images are accepted.
    Image,
    /// It decides trust. Settings with the same anchor are equivalent: the owner of one owns all.
    Anchor(&'static str),
    /// Only the file in the initramfs may set it.
    Builder,
}

/// The anchor of the image.
pub const IMAGE_HASH: &str = "image.sha256";
/// The anchor of the keys that sign images.
pub const IMAGE_KEYS: &str = "image.keys";
/// The anchor of the number of signatures. It is not that of the keys: alone it decides no image.
pub const IMAGE_THRESHOLD: &str = "image.threshold";
/// The anchor of a kubelet's cluster.
pub const CLUSTER_CA: &str = "kubelet.ca";
/// The anchor of the server that a script comes from, one for each script.
pub const KNOWN_HOSTS: &str = "script.known_hosts";
