//! A secret as a file: in memory, for root alone, so that it is on no disk and on no command line.

use dayfly_plan::paths;
use dayfly_sys::{Files, SysError, own};

/// Writes it; gives back its path, which is the same for the OS.
pub fn write(sys: &dyn Files, name: &str, text: &str) -> Result<String, SysError> {
    sys.make_dir(&own(paths::SECRETS), 0o700)?;
    let path = format!("{}/{name}", paths::SECRETS);
    sys.write(&own(&path), text.as_bytes(), 0o600)?;
    Ok(path)
}
