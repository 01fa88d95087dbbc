//! The implementation of `Sys` for the fake: the result of each call, and its effect on the state.

use std::io::{Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dayfly_sys::{
    Backing, Cause, Copied, Devices, Entry, FileKind, Files, Http, Kernel, Loaded, Memory, Method, Mount,
    Output, Platform, Power, RamFile, Request, Response, Result, Rights, SysError, Tree, TreePath, Uevents,
};

use super::streams::{Broken, Hung, Ram, Real, Silence};
use super::{EINVAL, EISDIR, ENOENT, ENOTDIR, End, Machine, Node, clock, errno, programs};

impl Files for Machine {
    fn read(&self, path: &TreePath) -> Result<Vec<u8>> {
        let state = self.call("read", path)?;
        match state.nodes.get(&state.end(path)?) {
            Some(Node::File(bytes)) => Ok(bytes.clone()),
            _ => Err(errno("read", &path.outside(), ENOENT)),
        }
    }

    fn read_at(&self, path: &TreePath, offset: u64, len: usize) -> Result<Vec<u8>> {
        let state = self.call("read_at", format!("{path} {offset}"))?;
        let place = state.end(path)?;
        if let Some(file) = state.host_disks.get(&place) {
            let mut bytes = Vec::new();
            let mut file = std::fs::File::open(file).unwrap();
            file.seek(SeekFrom::Start(offset)).unwrap();
            file.take(len as u64).read_to_end(&mut bytes).unwrap();
            return Ok(bytes);
        }
        let bytes = match state.nodes.get(&place) {
            Some(Node::Block) => state.disks.get(&place),
            Some(Node::File(bytes)) => Some(bytes),
            _ => None,
        };
        let bytes = bytes.ok_or_else(|| errno("read", &place, ENOENT))?;
        let rest = bytes.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        Ok(rest[..len.min(rest.len())].to_vec())
    }

    fn list(&self, dir: &TreePath) -> Result<Vec<Entry>> {
        let mut state = self.call("list", dir)?;
        if dir.outside() == Path::new("/sys/class/block")
            && let Some(Some((name, bytes))) = state.appearing.pop_front()
        {
            state.attach_disk(&name, bytes);
        }
        state.list(&state.end(dir)?)
    }

    fn inspect(&self, path: &TreePath) -> Result<Option<FileKind>> {
        let state = self.call("inspect", path)?;
        Ok(state.nodes.get(&state.name(path)?).map(Node::kind))
    }

    fn resolve(&self, path: &TreePath) -> Result<TreePath> {
        self.call("resolve", path)?.resolve(path)
    }

    fn rights(&self, path: &TreePath) -> Result<Rights> {
        let state = self.call("rights", path)?;
        match state.nodes.get(&state.name(path)?) {
            Some(_) => Ok(Rights { mode: 0o640, uid: 0, gid: 42 }),
            None => Err(errno("inspect", &path.outside(), ENOENT)),
        }
    }

    fn set_owner(&self, path: &TreePath, uid: u32, gid: u32) -> Result<()> {
        let mut state = self.call("set_owner", path)?;
        let place = state.name(path)?;
        state.owners.insert(place, (uid, gid));
        Ok(())
    }

    fn set_modified(&self, path: &TreePath, since_1970: u64) -> Result<()> {
        let mut state = self.call("set_modified", path)?;
        let place = state.name(path)?;
        state.modified.insert(place, since_1970);
        Ok(())
    }

    fn write(&self, path: &TreePath, bytes: &[u8], mode: u32) -> Result<()> {
        let mut state = self.call("write", path)?;
        let place = state.name(path)?;
        if state.nodes.get(&place) == Some(&Node::Dir) {
            return Err(errno("write", &place, EISDIR));
        }
        state.put(&place, Node::File(bytes.to_vec()));
        state.modes.insert(place, mode);
        Ok(())
    }

    fn make_dir(&self, path: &TreePath, mode: u32) -> Result<()> {
        let mut state = self.call("make_dir", path)?;
        let place = state.end(path)?;
        match state.nodes.get(&place) {
            None => drop(state.modes.insert(place.clone(), mode)),
            Some(Node::Dir) => {}
            Some(_) => return Err(errno("create the directory", &place, ENOTDIR)),
        }
        state.put(&place, Node::Dir);
        Ok(())
    }

    fn symlink(&self, target: &Path, link: &TreePath) -> Result<()> {
        let mut state = self.call("symlink", link)?;
        let place = state.name(link)?;
        state.put(&place, Node::Symlink(target.to_owned()));
        Ok(())
    }

    fn rename(&self, from: &TreePath, to: &TreePath) -> Result<()> {
        let mut state = self.call("rename", to)?;
        let (from, to) = (state.name(from)?, state.name(to)?);
        state.rename(&from, &to);
        Ok(())
    }

    fn remove_tree(&self, path: &TreePath) -> Result<()> {
        let mut state = self.call("remove_tree", path)?;
        let place = state.name(path)?;
        state.nodes.retain(|node, _| !node.starts_with(&place));
        Ok(())
    }

    fn copy_tree(&self, from: &TreePath, to: &TreePath, skip: &[PathBuf]) -> Result<Copied> {
        let mut state = self.call("copy_tree", format!("{from} {to}"))?;
        let (from, to) = (state.end(from)?, state.end(to)?);
        Ok(state.copy(&from, &to, skip))
    }

    fn copy_file(&self, from: &TreePath, to: &TreePath) -> Result<()> {
        let mut state = self.call("copy_file", format!("{from} {to}"))?;
        let (from, to) = (state.name(from)?, state.name(to)?);
        let Some(node @ Node::File(_)) = state.nodes.get(&from).cloned() else {
            return Err(errno("copy", &from, ENOENT));
        };
        state.put(&to, node);
        Ok(())
    }
}

/// The target of a mount operation.
fn target_of(mount: &Mount) -> &TreePath {
    match mount {
        Mount::New { target, .. }
        | Mount::Overlay { target, .. }
        | Mount::Bind { target, .. }
        | Mount::Move { target, .. }
        | Mount::Shared { target }
        | Mount::ReadOnly { target }
        | Mount::Unmount { target, .. } => target,
    }
}

impl Devices for Machine {
    fn check_unused(&self, device: &TreePath) -> Result<()> {
        self.call("check_unused", device).map(drop)
    }

    fn mount(&self, mount: &Mount) -> Result<()> {
        let kind = match mount {
            Mount::New { fstype, .. } => fstype.as_str(),
            Mount::Overlay { .. } => "overlay",
            Mount::Bind { flags, .. } if flags.read_only => "bind read-only",
            Mount::Bind { .. } => "bind",
            Mount::Move { .. } => "move",
            Mount::Shared { .. } => "shared",
            Mount::ReadOnly { .. } => "read-only",
            Mount::Unmount { .. } => "unmount",
        };
        let mut state = self.call("mount", format!("{kind} {}", target_of(mount)))?;
        let target = state.end(target_of(mount))?;
        if matches!(mount, Mount::Unmount { .. }) && !state.is_mounted(&target) {
            return Err(errno("unmount", &target, EINVAL));
        }
        state.mounts.push(format!("{kind} {}", target.display()));
        state.mount(mount, &target)
    }

    fn attach_loop(&self, backing: &Backing) -> Result<PathBuf> {
        let mut state = self.call("attach_loop", "image")?;
        assert!(!matches!(backing, Backing::Memory(_)), "the fake has no memory files");
        let path = state.end(&backing.path())?;
        let bytes = match state.nodes.get(&path) {
            Some(Node::File(bytes)) => Some(bytes),
            Some(Node::Block) => state.disks.get(&path),
            _ => None,
        };
        let bytes = bytes.ok_or_else(|| errno("attach", &path, ENOENT))?;
        let bytes = bytes.get(usize::try_from(backing.offset()).unwrap()..).unwrap_or_default();
        // Whole sectors, like the real one.
        let bytes = bytes[..bytes.len() / 512 * 512].to_vec();
        let number =
            state.disks.keys().filter(|path| path.to_string_lossy().starts_with("/dev/loop")).count();
        let device = PathBuf::from(format!("/dev/loop{number}"));
        state.disks.insert(device.clone(), bytes);
        state.put(&device, Node::Block);
        Ok(device)
    }

    fn load_module(&self, path: &TreePath, _params: &str) -> Result<Loaded> {
        let mut state = self.call("load_module", path)?;
        let place = state.end(path)?;
        state.modules.push(place.display().to_string());
        Ok(Loaded::Now)
    }

    fn uevents(&self) -> Result<Box<dyn Uevents>> {
        self.call("uevents", "all").map(drop)?;
        Ok(Box::new(Silence(Arc::clone(&self.clock))))
    }

    fn ram_file(&self, name: &str) -> Result<Box<dyn RamFile>> {
        self.call("ram_file", name).map(drop)?;
        Ok(Box::new(Ram {
            path: PathBuf::from("/ram-file"),
            bytes: Vec::new(),
            state: Arc::clone(&self.state),
        }))
    }
}

impl Http for Machine {
    fn send(&self, request: &Request) -> Result<Response> {
        if request.method == Method::Post {
            let mut state = self.call("post_url", &request.url)?;
            state.posted.push(request.body.clone());
            let (reason, body) = ("as told".to_owned(), Box::new(std::io::empty()));
            return Ok(Response { status: state.post_status, reason, length: Some(0), tag: None, body });
        }
        let mut state = self.call("open_url", &request.url)?;
        state.requests += 1;
        if state.real_servers {
            drop(state);
            // The interfaces are the fake machine's.
            let request = Request { via: None, ..request.clone() };
            let mut response = clock::outside(|| Kernel::new().send(&request))?;
            response.body = Box::new(Real(response.body));
            return Ok(response);
        }
        let first = state.defaults().into_iter().min_by_key(|(_, metric)| *metric).map(|(index, _)| index);
        let first = request.via.as_ref().map(|via| via.interface).or(first);
        if state.server_behind.is_some() && first != state.server_behind {
            return Err(SysError::new("open", &*request.url, Cause::Connect, "no route to host"));
        }
        if let Some(page) = state.pages.get(&request.url) {
            let (length, body) = (Some(page.len() as u64), Box::new(Cursor::new(page.clone())));
            return Ok(Response { status: 200, reason: "OK".to_owned(), length, tag: None, body });
        }
        if state.has_only_pages {
            let (length, body) = (Some(0), Box::new(std::io::empty()));
            return Ok(Response { status: 404, reason: "Not Found".to_owned(), length, tag: None, body });
        }
        let tag = state.tags.get(state.asked_from.len()).or(state.tags.last()).map(|&tag| tag.to_owned());
        let fits = |wanted: &String| state.ignores_if_range || Some(wanted) == tag.as_ref();
        let resumed = request.resume.as_ref().filter(|(_, wanted)| fits(wanted));
        let from = resumed.map_or(0, |(from, _)| *from);
        state.asked_from.push(from);
        let rest = state.served.get(from as usize..).unwrap_or_default();
        let most = state.longest_part.filter(|_| from > 0).unwrap_or(u64::MAX);
        let length = state.length.map(|length| (length - from).min(most));
        let cut = if from > 0 && state.sends_no_rest { Some(0) } else { state.cut };
        let body: Box<dyn Read + Send> = match cut {
            None if state.hangs => Box::new(Cursor::new(rest.to_vec()).chain(Hung(Arc::clone(&self.clock)))),
            Some(cut) => Box::new(Cursor::new(rest[..cut.min(rest.len())].to_vec()).chain(Broken)),
            None => Box::new(Cursor::new(rest.to_vec())),
        };
        Ok(Response {
            status: if resumed.is_some() { 206 } else { state.status },
            reason: "as told".to_owned(),
            length,
            tag,
            body,
        })
    }
}

impl Platform for Machine {
    fn now(&self) -> Duration {
        self.clock.look();
        self.clock.now()
    }

    fn sleep(&self, time: Duration) {
        self.clock.sleep(time);
    }

    fn park(&self, limit: Duration) {
        self.clock.park(limit);
    }

    fn clock(&self) -> u64 {
        self.state().epoch
    }

    fn set_clock(&self, since_1970: Duration) -> Result<()> {
        self.call("set_clock", "now")?.epoch = since_1970.as_secs();
        Ok(())
    }

    fn memory(&self) -> Result<Memory> {
        Ok(self.call("memory", "now")?.memory)
    }

    fn random(&self, bytes: &mut [u8]) {
        bytes.fill(0x5a);
    }

    fn log(&self, level: u8, line: &str) {
        self.state().log.push((level, line.to_owned()));
    }

    fn show(&self, text: &str) {
        self.state().screens.push_str(text);
    }

    fn run(&self, program: &Path, _args: &[&str], _limit: Option<Duration>) -> Result<i32> {
        self.call("run", program.display()).map(drop)?;
        Ok(0)
    }

    fn run_in(&self, root: Tree, program: &str, args: &[&str], _limit: Duration) -> Result<Output> {
        let mut state = self.call("run_in", format!("{program} in {}", root.root()))?;
        Ok(programs::run(&mut state, Path::new(root.root()), program, args))
    }

    fn leave_root(&self, old: Tree) -> Result<()> {
        self.call("leave_root", old.root())?.leave_root(Path::new(old.root()));
        Ok(())
    }

    fn switch_root(&self, root: Tree) -> Result<()> {
        self.call("switch_root", root.root()).map(drop)?;
        Ok(())
    }

    fn exec(&self, program: &Path, args: &[String]) -> SysError {
        if let Err(error) = self.call("exec", program.display()) {
            return error;
        }
        self.state().exec_args = args.to_vec();
        self.end_for_good(End::Exec(program.display().to_string()))
    }

    fn end_within(&self, power: Power, limit: Duration) {
        self.state().due = Some((power, limit));
    }

    fn power(&self, power: Power) -> SysError {
        if let Err(error) = self.call("power", format!("{power:?}")) {
            return error;
        }
        self.end_for_good(End::Power(power))
    }
}
