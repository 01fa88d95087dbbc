//! Writes secrets to files in memory that only root can read, so that they are on no disk and no command line.

use dayfly_plan::paths;
use dayfly_sys::{Files, SysError, own};

/// Writes the file and returns its path, which is the same in the OS.
pub fn write(sys: &dyn Files, name: &str, text: &str) -> Result<String, SysError> {
    sys.make_dir(&own(paths::SECRETS), 0o700)?;
    let path = format!("{}/{name}", paths::SECRETS);
    sys.write(&own(&path), text.as_bytes(), 0o600)?;
    Ok(path)
}
