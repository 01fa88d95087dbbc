//! The settings, gathered from defaults, settings files, credentials and the kernel command line.
//!
//! One module for each stage. Each uses only those above it:
//!
//! | folder | what it has |
//! |---|---|
//! | [`value`] | types of values: how a text is read and shown, the name of the type, its form in a file |
//! | [`wanted`] | [`Settings`]: a field and a default for each setting |
//! | [`table`] | the tables: every setting by its dotted name ([`table::keys::KEYS`]), the groups, and the kernel parameters of dracut and the kernel |
//! | [`gather`](mod@gather) | from the facts to the settings: source by source, with precedence, trust and rules |
//! | [`shown`] | output of the settings, and the JSON schema |

pub mod gather;
pub mod shown;
pub mod table;
pub mod value;
pub mod wanted;

pub use gather::{Gathered, gather};
#[cfg(feature = "reference")]
pub use shown::schema;
pub use table::slot::Shown;
pub use value::{Emergency, ImageSource};
pub use wanted::Settings;
