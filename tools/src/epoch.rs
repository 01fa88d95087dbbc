//! The time that reproducible builds use.

use anyhow::{Context, Result};

/// The time in `SOURCE_DATE_EPOCH`, in seconds: <https://reproducible-builds.org/specs/source-date-epoch/>
pub fn source_date_epoch() -> Result<Option<u64>> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Err(_) => Ok(None),
        Ok(text) => {
            let seconds = text.parse();
            let seconds = seconds.with_context(|| {
                format!("SOURCE_DATE_EPOCH={text:?} is not a number of seconds since 1970")
            })?;
            Ok(Some(seconds))
        }
    }
}
