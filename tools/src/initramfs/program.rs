//! The programs that go into the image: they must run without a loader and on the kernel's machine.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use object::read::elf::{ElfFile64, ProgramHeader};
use object::{Endianness, Object, elf};

/// Where to look for the init, after the folder of this program.
const INIT_PLACES: &[&str] =
    &["/usr/lib/dayfly/init", "target/x86_64-unknown-linux-musl/release/dayfly-init"];

/// The init to pack when none is named.
pub fn default_init() -> Result<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("dayfly-init")));
    // In target/debug a dynamic build of the init is beside this program; only a static one can be packed.
    let places: Vec<PathBuf> = beside.into_iter().chain(INIT_PLACES.iter().map(PathBuf::from)).collect();
    let usable = |path: &&PathBuf| std::fs::read(path).is_ok_and(|bytes| check(&bytes).is_ok());
    match places.iter().find(usable) {
        Some(path) => Ok(path.clone()),
        None => bail!(
            "no static dayfly-init at {}; build it with \
             \"cargo build --release -p dayfly-init --target x86_64-unknown-linux-musl\", or name it with --init",
            places.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
        ),
    }
}

/// Reads a program and makes sure that it is static.
pub fn read(option: &str, path: &Path) -> Result<Vec<u8>> {
    let bytes = std::fs::read(path).with_context(|| format!("{option}: cannot read {}", path.display()))?;
    check(&bytes).with_context(|| format!("{option} {}", path.display()))?;
    Ok(bytes)
}

fn check(bytes: &[u8]) -> Result<()> {
    let file = ElfFile64::<Endianness>::parse(bytes).context("it is not a 64-bit ELF program")?;
    let interpreter = file.elf_program_headers().iter().any(|h| h.p_type(file.endian()) == elf::PT_INTERP);
    if interpreter {
        bail!(
            "it is linked dynamically and the image has no libraries; build it statically (musl), or use busybox-static"
        );
    }
    Ok(())
}

/// Refuses a program of another machine than the modules'.
pub fn check_machine(option: &str, program: &[u8], module: &[u8]) -> Result<()> {
    let machine = |bytes| object::File::parse(bytes).map(|file| file.architecture());
    if let (Ok(program), Ok(module)) = (machine(program), machine(module))
        && program != module
    {
        bail!(
            "{option} is built for {program:?}, the kernel's modules for {module:?}; use an init for the kernel's machine"
        );
    }
    Ok(())
}
