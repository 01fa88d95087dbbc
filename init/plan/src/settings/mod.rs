//! The settings, gathered from defaults, settings files, credentials and the kernel command line.
//!
//! One module for each stage. Each uses only those above it:
//!
//! | folder | what it has |
//! |---|---|
//! | [`value`] | types of values: how a text is read and shown, what it is called, its form in a file |
//! | [`wanted`] | [`Settings`]: a field and its default for each |
//! | [`table`] | the tables: every setting by its dotted name ([`table::keys::KEYS`]), those of which there are several, and the words that dracut and the kernel document |
//! | [`gather`](mod@gather) | from the facts to the settings: place by place, with precedence, trust and rules |
//! | [`shown`] | what is shown of them, and the JSON schema |

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
