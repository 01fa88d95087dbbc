//! A program of the OS, run in the OS's root before the OS is up.

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

/// What a program may expect to find; a root without one of these folders does without.
const SHOWN: [&str; 3] = ["dev", "proc", "sys"];
/// Of the image. /usr/local is kept on the state disk: what lies there is whoever's had the node before.
const USUAL: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// Of its words, the last ones: an error stands at the end.
const TEXT_LIMIT: usize = 4096;

/// Without a terminal and without input. It has its own view of the mounts, in which /dev, /proc and /sys are in the
/// root, and which ends with it: nothing needs to be taken back, however it ends. What it leaves running in its process
/// group ends with it, too.
pub(super) fn run(root: Tree, program: &str, args: &[&str], limit: Duration) -> Result<Output> {
    let root = Path::new(root.root());
    let shown = format!("{program} in {}", root.display());
    let (reader, writer) = io::pipe().tried("make a pipe for", &shown)?;
    let flags = fcntl_getfl(&reader).tried("look at the pipe of", &shown)?;
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
    // Our copies of the pipe's other end, without which it has no end.
    drop(command);
    let mut words = Words { reader: Some(reader), tail: Vec::new() };
    let ended = programs::wait(&mut child, Some(limit), &mut words);
    // Process numbers are given out in turn: nobody else has the child's yet.
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

/// Makes the program start inside.
#[allow(unsafe_code)]
fn confine(command: &mut Command, root: &Path) -> io::Result<()> {
    let c_string = |path: &Path| CString::new(path.as_os_str().as_bytes());
    // A symlink in the place of such a folder would be followed out of the root: that root does without.
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
        // SAFETY: the child has one thread and shares no memory with this process; its own mounts are all it unshares.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNS) }?;
        mount_change(c"/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
        for (source, target) in &places {
            // A root that lacks the folder, which few programs miss.
            let _ = mount_bind_recursive(source.as_c_str(), target.as_c_str());
        }
        rustix::process::chroot(root.as_c_str())?;
        rustix::process::chdir(c"/")?;
        Ok(())
    };
    // SAFETY: between fork and exec only async-signal-safe calls are made: sigaction, sigprocmask, close_range, setsid,
    // umask, unshare, mount, chroot, chdir; every string is there before, so nothing is allocated, and no lock is taken.
    unsafe { command.pre_exec(setup) };
    Ok(())
}

/// The end of what a program writes.
struct Words {
    /// Gone when nothing more can come.
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
