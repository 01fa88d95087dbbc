//! Runs a program of the OS in the OS's root, before the OS is up.

use std::ffi::CString;
use std::io::{self, PipeReader, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::fs::{Mode, OFlags, fcntl_getfl, fcntl_setfl};
use rustix::mount::{MountPropagationFlags, mount_bind_recursive, mount_change};
use rustix::thread::UnshareFlags;

use super::Tried;
use super::programs::{self, Watch};
use crate::{Cause, Output, Result, SysError, Tree};

/// The directories that are bind mounted for the program. They are skipped if the root does not have them.
const SHOWN: [&str; 3] = ["dev", "proc", "sys"];
/// The search path, for programs of the image only. /usr/local is on the state disk, whose contents are not trusted.
const USUAL: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// The most bytes of output that are kept. The end is kept, because that is where errors are.
const TEXT_LIMIT: usize = 4096;

/// Runs the program without a terminal and without input. It runs in its own mount namespace with /dev, /proc and /sys
/// in the root. The namespace ends with the program, so nothing has to be unmounted. Processes that it leaves in its
/// process group are killed.
pub(super) fn run(root: Tree, program: &str, args: &[&str], limit: Duration) -> Result<Output> {
    let root = Path::new(root.root());
    let shown = format!("{program} in {}", root.display());
    let (reader, writer) = io::pipe().tried("make a pipe for", &shown)?;
    let flags = fcntl_getfl(&reader).tried("get the flags of the pipe of", &shown)?;
    fcntl_setfl(&reader, flags | OFlags::NONBLOCK).tried("set up the pipe of", &shown)?;
    let mut command = Command::new(program);
    command
        .args(args)
        .env_clear()
        .env("PATH", USUAL)
        .env("HOME", "/root")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(writer.try_clone().tried("share the pipe of", &shown)?)
        .stderr(writer);
    confine(&mut command, root).tried("run", &shown)?;
    let mut child = programs::spawn(&mut command).tried("run", &shown)?;
    // Close our copies of the pipe's write end; otherwise the pipe never reaches its end.
    drop(command);
    let mut words = Words { reader: Some(reader), tail: Vec::new() };
    let ended = programs::wait(&mut child, Some(limit), &mut words);
    // The child's process id cannot have been reused yet, because the kernel assigns ids in ascending order.
    programs::end_group(&child);
    programs::forget(&child);
    let (status, in_time) = ended.tried("wait for", &shown)?;
    words.hear();
    let text = words.text();
    if in_time {
        return Ok(Output { status: programs::code(status), text });
    }
    let said = if text.is_empty() { String::new() } else { format!("; it said: {text}") };
    let words = format!("it did not end within {} s and was killed{said}", limit.as_secs());
    Err(SysError::new("run", shown, Cause::TimedOut, words))
}

/// Makes the child enter the root before it starts the program.
#[allow(unsafe_code)]
fn confine(command: &mut Command, root: &Path) -> io::Result<()> {
    let c_string = |path: &Path| CString::new(path.as_os_str().as_bytes());
    // If such a directory is a symlink, a mount would follow it out of the root. Skip it.
    let is_folder =
        |name: &&str| std::fs::symlink_metadata(root.join(name)).is_ok_and(|found| found.is_dir());
    let places = SHOWN
        .into_iter()
        .filter(is_folder)
        .map(|name| Ok((c_string(&Path::new("/").join(name))?, c_string(&root.join(name))?)))
        .collect::<io::Result<Vec<_>>>()?;
    let root = c_string(root)?;
    let setup = move || {
        programs::clean_signals();
        programs::close_on_exec();
        rustix::process::setsid()?;
        rustix::process::umask(Mode::WGRP | Mode::WOTH);
        // SAFETY: the child has one thread and shares no memory with this process; only its mounts are unshared.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) }?;
        mount_change(c"/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
        for (source, target) in &places {
            // The root may lack the directory. Few programs need it, so ignore the error.
            let _ = mount_bind_recursive(source.as_c_str(), target.as_c_str());
        }
        rustix::process::chroot(root.as_c_str())?;
        rustix::process::chdir(c"/")?;
        Ok(())
    };
    // SAFETY: between fork and exec only async-signal-safe calls are made: sigaction, sigprocmask, close_range, setsid,
    // umask, unshare, mount, chroot, chdir. All strings exist before the fork, so nothing is allocated, and no lock is
    // taken.
    unsafe { command.pre_exec(setup) };
    Ok(())
}

/// The last bytes of a program's output.
struct Words {
    /// `None` after the end of the output.
    reader: Option<PipeReader>,
    tail: Vec<u8>,
}

impl Watch for Words {
    fn source(&self) -> Option<BorrowedFd<'_>> {
        self.reader.as_ref().map(AsFd::as_fd)
    }

    fn hear(&mut self) {
        let mut chunk = [0; TEXT_LIMIT];
        while let Some(reader) = &mut self.reader {
            match reader.read(&mut chunk) {
                Ok(0) => self.reader = None,
                Ok(count) => {
                    self.tail.extend(chunk.iter().take(count));
                    let surplus = self.tail.len().saturating_sub(TEXT_LIMIT);
                    self.tail.drain(..surplus);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(_) => self.reader = None,
            }
        }
    }
}

impl Words {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.tail).trim().to_owned()
    }
}
