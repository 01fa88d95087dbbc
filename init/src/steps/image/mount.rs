//! Mounts the layers of an image and combines them into one tree.

use dayfly_formats::superblock::{self, Superblock};
use dayfly_plan::{Code, Layer};
use dayfly_sys::{Backing, FileKind, Mount, Tree};

use super::{inside, mount_at, padded, partition, refusal, verify};
use crate::context::{Context, Done};
use crate::events::Level;
use crate::trees::{IMAGE, LAYERS, OUTER, layers_on_top_of_each_other};
use crate::{Failure, LayerFile, devices};

/// The deepest nesting of file systems: an ISO, a squashfs in it, an ext4 in that.
const DEEPEST: usize = OUTER.len() + 1;

/// Mounts the image read-only at [`IMAGE`]. `file` is the name of the image file to look for if a layer is a disk.
pub fn mount(cx: &Context, layers: &[Layer], file: &str) -> Result<Done, Failure> {
    // Verify all layers before the first one is mounted.
    let decided = layers
        .iter()
        .enumerate()
        .map(|(place, layer)| verify::decided(cx, place, layer.integrity))
        .collect::<Result<Vec<_>, _>>()?;
    let mut outer = OUTER.into_iter();
    if let [only] = decided.as_slice() {
        return Ok(Done::with(mount_one(cx, only.file(), file, &mut outer)?));
    }
    let tried = format!("mount the {} layers of the image", decided.len());
    if decided.len() > LAYERS.len() {
        let wrong = format!("at most {} layers are supported", LAYERS.len());
        return Err(Failure::new(Code::ImageMount, tried, wrong));
    }
    let mut said = Vec::new();
    for (layer, place) in decided.iter().zip(LAYERS) {
        said.push(mount_one(cx, layer.file(), file, &mut outer)?);
        move_to(cx, place, &tried)?;
    }
    let overlay = Mount::Overlay {
        lower: layers_on_top_of_each_other(decided.len()),
        writable: None,
        target: IMAGE.place(),
    };
    cx.sys.mount(&overlay).map_err(|error| Failure::from_sys(Code::ImageMount, &tried, &error))?;
    Ok(Done::with(said.join(", below ")))
}

/// Moves the mounted file system to `place`, so that the next one can be mounted at [`IMAGE`].
fn move_to(cx: &Context, place: Tree, tried: &str) -> Result<(), Failure> {
    let away = Mount::Move { source: IMAGE.place(), target: place.place() };
    cx.sys
        .make_dir(&place.place(), 0o755)
        .and_then(|()| cx.sys.mount(&away))
        .map_err(|error| Failure::from_sys(Code::ImageMount, tried, &error))
}

/// Mounts a layer at [`IMAGE`] and returns a text that describes it. `outer` are the mount points for the file systems
/// around it.
fn mount_one(
    cx: &Context,
    layer: &LayerFile,
    file: &str,
    outer: &mut impl Iterator<Item = Tree>,
) -> Result<String, Failure> {
    let tried = format!("mount the image ({})", layer.origin);
    let mut system = FileSystem::of(cx, &layer.backing, layer.bytes, &tried)?;
    let mut said = system.open(cx, &tried)?.said;
    loop {
        let Some((path, bytes)) = inside::found(cx, &IMAGE.top(), system.superblock.kind, file)
            .map_err(|wrong| wrong.into_failure(&tried))?
        else {
            return Ok(said);
        };
        // The outer file system moves away and stays mounted, because the loop device reads from it.
        let Some(outer) = outer.next() else { break };
        move_to(cx, outer, &tried)?;
        system = FileSystem::of(cx, &Backing::Path(path.in_tree(outer)), bytes, &tried)?;
        let opened = system.open(cx, &tried)?;
        // A copy was made, so the outer file system is no longer needed. It may be in memory as well; unmounting frees
        // it.
        if opened.is_copy
            && let Err(error) = cx.sys.mount(&Mount::Unmount { target: outer.place(), lazy: false })
        {
            cx.note(Level::Warning, error.to_string());
        }
        said = format!("{} from {} in {said}", opened.said, path.inside().display());
    }
    let wrong = format!("more than {DEEPEST} nested file systems: {said}");
    Err(Failure::new(Code::ImageFormat, tried, wrong))
}

/// A mounted file system.
struct Opened {
    /// What is mounted where, for messages.
    said: String,
    /// It was copied into memory and does not need the outer file system.
    is_copy: bool,
}

/// A file system that is or contains the OS.
struct FileSystem {
    backing: Backing,
    bytes: u64,
    is_block: bool,
    head: Vec<u8>,
    superblock: Superblock,
}

impl FileSystem {
    /// Probes the file system; on a whole disk, that of the root partition.
    fn of(cx: &Context, backing: &Backing, bytes: u64, tried: &str) -> Result<Self, Failure> {
        let path = backing.path();
        let head = cx
            .sys
            .read_at(&path, backing.offset(), superblock::PROBE_LEN)
            .map_err(|error| Failure::from_sys(Code::ImageFormat, tried, &error))?;
        let is_block = matches!(cx.sys.inspect(&path), Ok(Some(FileKind::Block)));
        match superblock::probe(&head) {
            Some(superblock) if superblock.kind.is_file_system() => {
                Ok(Self { backing: backing.clone(), bytes, is_block, head, superblock })
            }
            Some(superblock) => Err(refusal::of_member(superblock.kind, tried)),
            None => match partition::of_root(cx, backing, &head, tried)? {
                Some((part, bytes)) => Self::of(cx, &part, bytes, tried),
                None => Err(refusal::of_bytes(&head, tried)),
            },
        }
    }

    /// Mounts it at [`IMAGE`].
    fn open(&self, cx: &Context, tried: &str) -> Result<Opened, Failure> {
        let kind = self.superblock.kind;
        let need = superblock::image_len(&self.head);
        if let Some(need) = need.filter(|need| !self.is_block && *need > self.bytes) {
            let wrong =
                format!("its superblock says {need} bytes, but it has only {}: it is truncated", self.bytes);
            return Err(Failure::new(Code::ImageFormat, tried, wrong));
        }
        let backing = padded::to_blocks(cx, &self.backing, self.is_block, self.bytes, need, tried)?;
        devices::load_modules(cx, kind)?;
        let device = match &backing {
            None if self.is_block => self.backing.path().outside(),
            backing => cx
                .sys
                .attach_loop(backing.as_ref().unwrap_or(&self.backing))
                .map_err(|error| Failure::from_sys(Code::ImageAttach, tried, &error))?,
        };
        mount_at(cx, &device, kind, &IMAGE.place())
            .map_err(|error| refusal::of_kernel(&cx.modules, kind, &self.head, tried, &error))?;
        Ok(Opened { said: format!("{} on {}", kind.as_str(), device.display()), is_copy: backing.is_some() })
    }
}
