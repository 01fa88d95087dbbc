//! What is shown of the settings: each as it stands, and the JSON schema of a settings file.

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
    /// Every setting with its origin, in the order of the documentation. Of a secret, that there is one and where it
    /// came from is all.
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
