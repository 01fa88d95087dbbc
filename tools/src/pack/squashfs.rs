//! Squashfs images, made by mksquashfs.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufWriter, Read, Seek, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use super::form::Form;
use super::order::{Lists, Order};
use super::spool::Spool;
use super::tool::{self, MKSQUASHFS};
use super::tree::{Name, Tree};
use super::walk::{seconds, walk};
use super::{COVERED, Packer, Purpose, advise, archive, epoch};

/// Where inits are, relative to the root.
const INITS: &[&str] = &[
    "sbin/init",
    "usr/sbin/init",
    "usr/lib/systemd/systemd",
    "lib/systemd/systemd",
    "etc/init",
    "bin/init",
    "usr/bin/init",
    "init",
];

/// The priorities of mksquashfs; the highest is first.
const HIGHEST: i64 = 32_767;
const LOWEST: i64 = -32_768;

impl Purpose {
    /// The options of mksquashfs. Fragments are blocks that tails of several files share; without them a change stays in its file.
    fn options(self) -> &'static [&'static str] {
        match self {
            Purpose::Try => &["-comp", "zstd", "-Xcompression-level", "3", "-no-progress", "-noappend"],
            Purpose::Release => &["-comp", "zstd", "-no-fragments", "-no-progress", "-noappend"],
        }
    }
}

impl Packer<'_> {
    /// Packs a folder. Leaves out the contents of the folders that a node covers.
    pub fn squashfs_of_folder(&mut self, tree: &Path, to: &Path) -> Result<()> {
        let program = MKSQUASHFS.find()?;
        let is_user = self.note_owners();
        let mut command = Command::new(&program);
        command.arg(tree).arg(to).args(self.purpose.options());
        if self.purpose == Purpose::Release {
            let (list, newest) = advise(self.sort_list(tree), is_user)?;
            command.arg("-sort").arg(list).env("SOURCE_DATE_EPOCH", epoch(newest)?.to_string());
        }
        if is_user {
            // mksquashfs would pack an unreadable file as an empty one.
            command.args(["-all-root", "-exit-on-error"]);
        }
        command.args(["-wildcards", "-e"]).args(COVERED.iter().flat_map(|folder| {
            // A star does not match a dot at the beginning.
            [format!("{folder}/*"), format!("{folder}/.*")]
        }));
        advise(tool::call(&program, &mut command), is_user).map(drop)
    }

    /// Writes the list of files in the order of packages, and returns it with the newest time of the tree in seconds.
    fn sort_list(&mut self, tree: &Path) -> Result<(PathBuf, u64)> {
        let (mut lists, mut files, mut newest) = (Lists::default(), Vec::new(), 0);
        walk(tree, &mut |name, meta| {
            newest = newest.max(seconds(meta));
            if meta.is_file() {
                if lists.want(name) {
                    let path = tree.join(OsStr::from_bytes(name));
                    let content =
                        fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
                    lists.add(name, &content);
                }
                files.push(name.clone());
            }
            Ok(())
        })?;
        self.notes.extend(lists.note().map(str::to_owned));
        let link = |path: &[u8]| {
            let target = fs::read_link(tree.join(OsStr::from_bytes(path))).ok()?;
            Some(target.into_os_string().into_vec())
        };
        let path = self.work.join("sort");
        fs::write(&path, priorities(&files, &lists.order(&link)))
            .with_context(|| format!("cannot write {}", path.display()))?;
        Ok((path, newest))
    }

    /// Packs an archive or an OCI layout; of several images in it, the one for `architecture`. mksquashfs reads the merged tree
    /// as a tar stream, so root is not needed. With `is_upper`, another source lies below it.
    pub fn squashfs_of_archive(
        &mut self,
        form: Form,
        path: &Path,
        architecture: &str,
        is_upper: bool,
        to: &Path,
    ) -> Result<()> {
        let failed = || format!("cannot pack {}", path.display());
        if form == Form::Layout {
            let layers = archive::layers_of_layout(path, architecture)?;
            return self.squashfs_of_layers(&layers, is_upper, to).map_err(explain_end).with_context(failed);
        }
        let blobs = self.work.join("blobs");
        fs::create_dir_all(&blobs).with_context(|| format!("cannot make {}", blobs.display()))?;
        let packed = archive::layers(path, &blobs, architecture)
            .and_then(|layers| self.squashfs_of_layers(&layers, is_upper, to))
            .map_err(explain_end)
            .with_context(failed);
        // They are as large as the archive and no longer needed.
        let _ = fs::remove_dir_all(&blobs);
        packed
    }

    fn squashfs_of_layers(&mut self, layers: &[PathBuf], is_upper: bool, to: &Path) -> Result<()> {
        let open = |index: usize| archive::open(layers.get(index).context("no such layer")?);
        let tree = Tree::read(layers.len(), &open)?;
        if let Some(whiteout) = tree.unmet_whiteout().filter(|_| is_upper) {
            bail!(
                "its whiteout {} removes files of the source below, which is a layer of its own and stays as it is; give both as one archive \
                 of a container, or remove the files from the source below",
                String::from_utf8_lossy(whiteout)
            );
        }
        match self.purpose {
            Purpose::Try => {
                if !tree.has(INITS) {
                    self.notes.push(
                        "the image seems to have no init, and a node needs one; in a Dockerfile of Debian: RUN apt-get update && apt-get install -y \
                         systemd-sysv udev kmod, in one of Fedora: RUN dnf install -y systemd kmod, in one of Alpine: RUN apk add openrc kmod"
                            .to_owned(),
                    );
                }
                self.squashfs_of_tar(to, None, &mut |tar| {
                    tree.write(layers.len(), &open, tar).context("cannot read the archive's layers")
                })
            }
            Purpose::Release => {
                let failed = || format!("cannot make a temporary file in {}", self.work.display());
                let file = tempfile::tempfile_in(self.work).with_context(failed)?;
                let writer = BufWriter::new(file.try_clone().context("cannot share a file")?);
                tree.write(layers.len(), &open, writer).context("cannot unpack the archive's layers")?;
                let spool = Spool::read(file)?;
                self.notes.extend(spool.note().map(str::to_owned));
                let epoch = epoch(spool.newest)?;
                let mut spool = Some(spool);
                self.squashfs_of_tar(to, Some(epoch), &mut |tar| match spool.take() {
                    Some(spool) => spool.write(tar).context("cannot read a temporary file"),
                    None => Ok(()),
                })
            }
        }
    }

    /// Packs what `write` writes, a tar stream.
    fn squashfs_of_tar(
        &self,
        to: &Path,
        epoch: Option<u64>,
        write: &mut dyn FnMut(&mut dyn Write) -> Result<()>,
    ) -> Result<()> {
        let program = MKSQUASHFS.find()?;
        let said = tempfile::tempfile().context("cannot make a temporary file")?;
        let output = said.try_clone().context("cannot share a file")?;
        let mut command = Command::new(&program);
        command.arg("-").arg(to).arg("-tar").args(self.purpose.options());
        command.args(["-quiet", "-root-mode", "0755", "-root-uid", "0", "-root-gid", "0"]);
        if let Some(epoch) = epoch {
            command.env("SOURCE_DATE_EPOCH", epoch.to_string());
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(output.try_clone().context("cannot share a file")?)
            .stderr(output)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let mut stdin = BufWriter::new(child.stdin.take().context("mksquashfs has no input")?);
        let written = write(&mut stdin);
        drop(stdin);
        let status = child.wait().context("cannot wait for mksquashfs")?;
        if !status.success() {
            bail!(
                "mksquashfs failed ({status}); reading a tar stream needs squashfs-tools 4.5 or later:\n{}",
                tool::last_lines(&read_all(said)?)
            );
        }
        written
    }
}

/// Says what an end in the middle of an archive means. The decoders have no common error for it.
fn explain_end(error: anyhow::Error) -> anyhow::Error {
    const WORDS: &[&str] =
        &["unexpected EOF", "unexpected end of file", "entire block", "premature eof", "incomplete frame"];
    let is_end = error.chain().any(|cause| {
        let kind = cause.downcast_ref::<std::io::Error>().map(std::io::Error::kind);
        kind == Some(std::io::ErrorKind::UnexpectedEof)
            || WORDS.iter().any(|words| cause.to_string().contains(words))
    });
    if is_end { error.context("it is truncated, or still being written") } else { error }
}

fn read_all(mut file: File) -> Result<String> {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).context("cannot read a temporary file")?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The file for `mksquashfs -sort`: a path and its priority per line. Files with the same priority are in an order that mksquashfs
/// chooses, so each gets its own; or each package, if there are more files than priorities.
fn priorities(files: &[Name], order: &Order) -> Vec<u8> {
    // A line end cannot be escaped. Such a file gets priority 0, which is that of files without a line.
    let mut files: Vec<(u32, &Name)> =
        files.iter().filter(|file| !file.contains(&b'\n')).map(|file| (order.place(file), file)).collect();
    files.sort_unstable();
    let has_room = u16::try_from(files.len()).is_ok();
    let mut text = Vec::new();
    for (number, (place, file)) in (0_i64..).zip(files) {
        let rank = if has_room { number } else { i64::from(place) };
        for byte in file {
            if byte.is_ascii_whitespace() || matches!(byte, b'\\' | b'#') {
                text.push(b'\\');
            }
            text.push(*byte);
        }
        text.extend(format!(" {}\n", (HIGHEST - rank).max(LOWEST)).into_bytes());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_has_a_priority_that_mksquashfs_knows() {
        let mut lists = Lists::default();
        lists.want(b"var/lib/dpkg/info/a.list");
        lists.add(b"var/lib/dpkg/info/a.list", b"/z\n/with blank\n");
        let order = lists.order(&|_| None);
        let names = |names: &[&str]| names.iter().map(|name| name.as_bytes().to_vec()).collect::<Vec<Name>>();
        let text = |files: &[Name]| String::from_utf8(priorities(files, &order)).expect("UTF-8");
        let few = text(&names(&["b#\\", "line\nend", "with blank", "z"]));
        assert_eq!(few, "with\\ blank 32767\nz 32766\nb\\#\\\\ 32765\n");
        let many: Vec<String> = (0..70_000).map(|number| format!("{number:05}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).chain(["z"]).collect();
        let many = text(&names(&many));
        assert!(
            many.starts_with("z 32767\n00000 -32768\n") && many.ends_with("69999 -32768\n"),
            "{many:.99}"
        );
    }
}
