//! The OS's root: an overlay with the image as the lower layer and a tmpfs as the upper layer.

use dayfly_plan::Code;
use dayfly_plan::settings::value::Size;
use dayfly_sys::{Mount, MountFlags, SysError, TreePath, Writable};

use crate::context::{Context, Done};
use crate::trees::{IMAGE, OS, WRITABLE, layers_on_top_of_each_other};
use crate::{Failure, Learned, os};

/// Mounts it at [`OS`].
pub fn mount(cx: &Context, size: Option<Size>) -> Result<Done, Failure> {
    overlay(cx, size).map_err(|error| {
        Failure::from_sys(Code::RootOverlay, "mount the root from image and tmpfs", &error)
    })?;
    let deployed = deploy_etc(cx).map_err(|error| {
        Failure::from_sys(Code::RootOverlay, "fill /etc from the image's /usr/etc", &error)
    })?;
    let above = match size {
        Some(Size::Bytes(bytes)) => format!("tmpfs of {} MiB above the image", bytes >> 20),
        Some(size) => format!("tmpfs of {size} of the memory above the image"),
        None => "tmpfs of half the memory above the image".to_owned(),
    };
    Ok(match deployed {
        Some(entries) => Done::with(format!("{above}; /etc is the image's /usr/etc, {entries} entries"))
            .and(Learned::EtcInUsr),
        None => Done::with(above),
    })
}

/// Creates /etc from /usr/etc if the image has no /etc, like `ostree admin deploy`. Returns the number of entries.
fn deploy_etc(cx: &Context) -> Result<Option<u64>, SysError> {
    // An installed OS is not changed.
    if cx.known.mounted_root.is_some() || !os::is_etc_in_usr(&*cx.sys)? {
        return Ok(None);
    }
    let etc = OS.at("/etc");
    cx.sys.make_dir(&etc, 0o755)?;
    let copied = cx.sys.copy_tree(&IMAGE.at("/usr/etc"), &etc, &[])?;
    Ok(Some(copied.entries))
}

fn overlay(cx: &Context, size: Option<Size>) -> Result<(), SysError> {
    let writable = WRITABLE.place();
    let mut options = vec![("mode".to_owned(), Some("0755".to_owned()))];
    if let Some(size) = size {
        options.push(("size".to_owned(), Some(size.to_string())));
    }
    cx.sys.make_dir(&writable, 0o755)?;
    cx.sys.mount(&Mount::New {
        fstype: "tmpfs".to_owned(),
        source: "tmpfs".to_owned(),
        target: writable.clone(),
        options,
        flags: MountFlags::default(),
    })?;
    cx.sys.make_dir(&OS.place(), 0o755)?;
    over(cx, layers_on_top_of_each_other(cx.known.layers.len()), &WRITABLE.top(), &OS.place(), 0o755)
}

/// Mounts an overlay of `lower`, the topmost first, with directories in `writable` as the upper layer.
pub fn over(
    cx: &Context,
    lower: Vec<TreePath>,
    writable: &TreePath,
    target: &TreePath,
    mode: u32,
) -> Result<(), SysError> {
    let (upper, work) = (writable.join("u"), writable.join("w"));
    // The merged directory has the mode of the upper one.
    cx.sys.make_dir(&upper, mode)?;
    cx.sys.make_dir(&work, 0o700)?;
    let writable = Some(Writable { upper, work });
    cx.sys.mount(&Mount::Overlay { lower, writable, target: target.to_owned() })
}
