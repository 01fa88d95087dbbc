//! Finds a program that the image must have.

use dayfly_plan::Code;
use dayfly_sys::SysError;

use crate::Failure;
use crate::context::Context;
use crate::os;

/// Returns the path of the program in the OS: the requested one, or the first of its usual paths that exists.
pub fn find(cx: &Context, name: &str, asked: Option<&str>) -> Result<String, Failure> {
    let tried = format!("find {name} in the image");
    let usual = [format!("/usr/local/bin/{name}"), format!("/usr/bin/{name}")];
    let places: Vec<&str> =
        asked.map_or_else(|| usual.iter().map(String::as_str).collect(), |asked| vec![asked]);
    for place in &places {
        let failed = |error: SysError| Failure::from_sys(Code::KubernetesProgram, &tried, &error);
        if os::has(&*cx.sys, place).map_err(failed)? {
            return Ok((*place).to_owned());
        }
    }
    Err(Failure::new(Code::KubernetesProgram, tried, format!("there is no {}", places.join(" and no "))))
}
