//! Types of values. Each owns how its text is read and shown, what the documentation calls it, and its form in a settings
//! file, from which the JSON schema follows.

mod choice;
mod device;
mod digest;
mod form;
mod git;
mod host_name;
mod image;
mod kubernetes;
mod nearest;
mod node;
mod number;
mod path;
mod policy;
mod template;
mod text;
mod url;

pub(crate) use choice::choice;
pub use device::{DeviceOrNone, DeviceRef};
pub use digest::Sha256;
pub use form::Form;
pub(crate) use form::{number, pattern};
pub use git::{Branch, Repository};
pub use host_name::HostName;
pub use image::ImageSource;
pub use kubernetes::{
    ApiServer, CaBundle, ClusterDomain, ConfigYaml, CriSocket, K0sToken, K0sYaml, Kubeconfig,
    KubeletConfiguration, Label, Taint, Token,
};
pub use nearest::nearest;
pub(crate) use node::account;
pub use node::{Mode, OneLine, PasswordHash, PublicKey};
pub use number::{Bytes, Seconds, Size, WholeSeconds, YesNo};
pub use path::{BelowDisk, BelowRepository, FileName, Path};
pub use policy::{Creation, Emergency, FileSystem, Trust};
pub use template::{UrlTemplate, VARIABLES, Variables};
pub(crate) use text::size;
pub use text::{Argument, KnownHosts, ModuleName, PrivateKey, Text};
pub use url::Url;

use std::net::IpAddr;

use dayfly_wire::ip::IpArg;
use dayfly_wire::mac::Mac;

/// A type of values.
pub trait Value {
    /// What is kept of one.
    type Kept;
    /// What the documentation calls it.
    const KIND: &'static str;
    /// How it is written in a settings file.
    const FORM: Form;
    /// It is taken from private places only and shown by nobody.
    const SECRET: bool = false;
    /// Where a text may have several, what stands between them.
    const SEPARATOR: Option<char> = None;

    /// Reads one; what is wrong with it, to end a sentence, if it is none.
    fn read(text: &str) -> Result<Self::Kept, String>;

    /// Writes one, as it can be read again, but for secrets and what is too long to be shown.
    fn show(kept: &Self::Kept) -> String;
}

/// `TYPE(KEPT) = KIND, FORM, READ, SHOW;` is a type of values that are kept as something more general: seconds as a
/// duration. `TYPE(KEPT, secret)` is one of secrets.
macro_rules! values {
    (@secret secret) => { true };
    (@secret) => { false };
    ($($(#[$text:meta])* $name:ident($kept:ty $(, $secret:ident)?) = $kind:literal, $form:expr, $read:expr, $show:expr;)*) => { $(
        $(#[$text])*
        pub struct $name;

        impl $crate::settings::value::Value for $name {
            type Kept = $kept;
            const KIND: &'static str = $kind;
            const FORM: $crate::settings::value::Form = $form;
            const SECRET: bool = $crate::settings::value::values!(@secret $($secret)?);

            fn read(text: &str) -> Result<$kept, String> {
                let read: fn(&str) -> Result<$kept, String> = $read;
                read(text)
            }

            fn show(kept: &$kept) -> String {
                let show: fn(&$kept) -> String = $show;
                show(kept)
            }
        }
    )* };
}
pub(crate) use values;

/// `TYPE = KIND, FORM;` is a type that reads its own text (`FromStr`) and writes it (`Display`).
macro_rules! own_values {
    ($($name:ty = $kind:expr, $form:expr;)*) => { $(
        impl $crate::settings::value::Value for $name {
            type Kept = Self;
            const KIND: &'static str = $kind;
            const FORM: $crate::settings::value::Form = $form;

            fn read(text: &str) -> Result<Self, String> {
                text.parse().map_err(|error| format!("{error}"))
            }

            fn show(kept: &Self) -> String {
                kept.to_string()
            }
        }
    )* };
}
pub(crate) use own_values;

own_values! {
    IpArg = "ip= value", pattern(r"^\S+$");
    Mac = "MAC address", pattern("^([0-9A-Fa-f]{1,2}(:[0-9A-Fa-f]{1,2}){5}|[0-9A-Fa-f]{1,2}(-[0-9A-Fa-f]{1,2}){5})$");
}

impl Value for IpAddr {
    type Kept = Self;
    const KIND: &'static str = "IP address";
    const FORM: Form = pattern(
        r"^((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\.(25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])){3}|(?=.*:)[0-9A-Fa-f:.]+)$",
    );

    fn read(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("\"{text}\" is not an IP address"))
    }

    fn show(kept: &Self) -> String {
        kept.to_string()
    }
}
