//! The programs of the fake's image, as far as a boot runs them.

use std::path::Path;

use dayfly_sys::Output;

use super::State;

/// What a program does to the fake and says.
pub fn run(_state: &mut State, _root: &Path, program: &str, _args: &[&str]) -> Output {
    Output { status: 127, text: format!("{program}: the fake has no such program") }
}
