//! Types of values. Each defines how its text is read and shown, its name in the documentation, and its form in a
//! settings file. The JSON schema follows from that form.

mod address;
mod choice;
mod device;
mod digest;
mod form;
mod git;
mod host_name;
mod image;
mod image_key;
mod kind;
mod kubernetes;
mod nearest;
mod node;
mod number;
mod path;
mod policy;
mod template;
mod text;
mod time_server;
mod url;

pub use address::Interface;
pub(crate) use choice::choice;
pub use device::{DeviceOrNone, DeviceRef};
pub use digest::Sha256;
pub use form::Form;
pub(crate) use form::{number, pattern};
pub use git::{Branch, Repository};
pub use host_name::HostName;
pub use image::ImageSource;
pub use image_key::{ImageKey, Signatures};
pub use kind::Value;
pub(crate) use kind::{own_values, values};
pub use kubernetes::{
    ApiServer, CaBundle, ClusterDomain, ConfigYaml, CriSocket, K0sToken, K0sYaml, Kubeconfig,
    KubeletConfiguration, Label, Taint, Token,
};
pub use nearest::nearest;
pub(crate) use node::account;
pub use node::{Mode, OneLine, PasswordHash, PublicKey};
pub use number::{Bytes, Seconds, Size, Tries, WholeSeconds, YesNo};
pub use path::{BelowDisk, BelowRepository, FileName, Path};
pub use policy::{Creation, Emergency, FileSystem, Trust};
pub use template::{UrlTemplate, VARIABLES, Variables};
pub(crate) use text::size;
pub use text::{Argument, KnownHosts, ModuleName, PrivateKey, Text, VendorClass};
pub use time_server::TimeServer;
pub use url::Url;
