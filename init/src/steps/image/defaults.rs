//! Reads the default settings that an image contains.

use dayfly_plan::{Code, Document, Fact, SettingsFile, Source, paths};

use crate::context::{Context, Done};
use crate::trees::IMAGE;
use crate::{Failure, Learned};

/// Reads them. Most images have none.
pub fn read(cx: &Context) -> Result<Done, Failure> {
    let path = IMAGE.at(paths::IMAGE_SETTINGS);
    match cx.sys.read(&path) {
        Ok(bytes) => {
            let bytes_read = bytes.len();
            let document = Document::from_bytes(bytes)
                .map_err(|wrong| Failure::new(Code::ConfigFile, "read the image's settings", wrong))?;
            let file = SettingsFile { source: Source::Image, document };
            Ok(Done::with(format!("{bytes_read} bytes")).and(Learned::Fact(Fact::Settings(file))))
        }
        Err(error) if error.is_not_found() => Ok(Done::with("the image has none")),
        Err(error) => Err(Failure::from_sys(Code::ConfigFile, "read the image's settings", &error)),
    }
}
