//! Output of the settings: their values, and the JSON schema of a settings file.

#[cfg(feature = "reference")]
mod schema;

use super::gather::Gathered;
use super::table::groups::GROUPS;
use super::table::keys::KEYS;
use super::table::slot::Shown;
use crate::Source;
#[cfg(feature = "reference")]
pub use schema::schema;

impl Gathered {
    /// Every setting with its source, in the order of the documentation. For a secret, only its presence and its source
    /// are shown.
    pub fn shown(&self) -> Vec<Shown> {
        let mut rows: Vec<Shown> = KEYS.iter().flat_map(|key| (key.show)(&self.settings, key.name)).collect();
        for row in rows.iter_mut().filter(|row| row.source == Source::Default) {
            if let Some(source) = self.emptied.get(&*row.name) {
                row.source.clone_from(source);
            }
        }
        rows.extend(GROUPS.iter().flat_map(|group| (group.show)(&self.settings)));
        rows
    }
}
