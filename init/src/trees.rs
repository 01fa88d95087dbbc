//! The directory trees that a boot works with. Their paths are defined only here, so that each path belongs to one tree
//! and gets that tree's rules: [`dayfly_sys::TreePath`].

use dayfly_sys::{Tree, TreePath};

/// The root of the OS before the switch to it: image, memory and state disk combined, as its programs will see them. It
/// does not include /run, which is moved into it later.
pub const OS: Tree = Tree::os("/sysroot");
/// The image, mounted read-only. Overlay paths stay short: the kernel refuses option strings over 255 bytes
/// (fs/fsopen.c).
pub const IMAGE: Tree = Tree::image("/run/dayfly/l");
/// The layers of an image that has several, the lowest first; [`IMAGE`] is their overlay then.
pub const LAYERS: [Tree; 8] = [
    Tree::image("/run/dayfly/0"),
    Tree::image("/run/dayfly/1"),
    Tree::image("/run/dayfly/2"),
    Tree::image("/run/dayfly/3"),
    Tree::image("/run/dayfly/4"),
    Tree::image("/run/dayfly/5"),
    Tree::image("/run/dayfly/6"),
    Tree::image("/run/dayfly/7"),
];
/// The tmpfs for the files that the OS writes.
pub const WRITABLE: Tree = Tree::plain("/run/dayfly/rw");
/// A second mount of the root's overlay, used while the layout covers parts of the first.
pub const OVERLAY: Tree = Tree::plain("/run/dayfly/o");
/// The state disk. Its contents are not trusted, because earlier users of the node may have written them.
pub const STATE: Tree = Tree::plain("/run/dayfly/state");
/// The state disk, mounted while the record of the last boot is read.
pub const LAST_BOOT: Tree = Tree::plain("/run/dayfly/last-boot");
/// The settings disk, mounted while it is read.
pub const CONFIG: Tree = Tree::plain("/run/dayfly/config/disk");
/// A disk that holds an image file.
pub const MEDIA: Tree = Tree::image("/run/dayfly/media");
/// File systems that contain the image as a file, possibly nested: an ISO, a squashfs.
pub const OUTER: [Tree; 2] = [Tree::image("/run/dayfly/outer1"), Tree::image("/run/dayfly/outer2")];

/// The lower directories of the root's overlay for an image with this many layers, the topmost first. The layers are
/// listed one by one, because an overlay on an overlay would be one level too deep for containers
/// (Documentation/filesystems/overlayfs.rst allows two levels).
pub fn layers_on_top_of_each_other(count: usize) -> Vec<TreePath> {
    match count {
        0 | 1 => vec![IMAGE.top()],
        _ => LAYERS.iter().take(count).rev().map(|layer| layer.top()).collect(),
    }
}

/// Dayfly's own directory on the state disk. No persistent path uses this name.
pub fn kept() -> TreePath {
    kept_in(STATE)
}

/// The same directory where the disk is mounted as this tree.
pub fn kept_in(disk: Tree) -> TreePath {
    disk.at(".dayfly")
}

/// The parent of the settings disk's mount point, a directory that only root can enter. Both are removed before the
/// handover.
pub fn config_folder() -> TreePath {
    dayfly_sys::own("/run/dayfly/config")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlay_paths_are_short_enough_for_the_kernel() {
        let lowers: Vec<String> = layers_on_top_of_each_other(LAYERS.len())
            .iter()
            .map(|lower| lower.outside().display().to_string())
            .collect();
        let (lower, writable) = (lowers.join(":"), WRITABLE.root());
        let options = format!("lowerdir={lower},upperdir={writable}/u,workdir={writable}/w");
        assert!(options.len() < 255, "{options}");
    }
}
