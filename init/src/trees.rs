//! The trees of files that a boot has to do with. Their places are named here and nowhere else, so that a path of one can
//! only be made as what it is: [`dayfly_sys::TreePath`].

use dayfly_sys::{Tree, TreePath};

/// The OS before it is entered: image, memory and state disk as its programs will see them. Not below /run, which moves into
/// it.
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
/// The tmpfs that takes what the OS writes.
pub const WRITABLE: Tree = Tree::plain("/run/dayfly/rw");
/// The root's overlay a second time, while the layout covers parts of the first.
pub const OVERLAY: Tree = Tree::plain("/run/dayfly/o");
/// The state disk: whoever owned the node before has written it.
pub const STATE: Tree = Tree::plain("/run/dayfly/state");
/// The settings disk, mounted while it is read.
pub const CONFIG: Tree = Tree::plain("/run/dayfly/config/disk");
/// A disk that holds an image file.
pub const MEDIA: Tree = Tree::image("/run/dayfly/media");
/// What holds the image's file system as a file, one in another: an ISO, a squashfs.
pub const OUTER: [Tree; 2] = [Tree::image("/run/dayfly/outer1"), Tree::image("/run/dayfly/outer2")];

/// What an overlay of an image of so many layers has below it, the topmost first. An overlay on the overlay of several would be one too
/// deep for the containers on it (Documentation/filesystems/overlayfs.rst: two may lie on each other).
pub fn layers_on_top_of_each_other(count: usize) -> Vec<TreePath> {
    match count {
        0 | 1 => vec![IMAGE.top()],
        _ => LAYERS.iter().take(count).rev().map(|layer| layer.top()).collect(),
    }
}

/// What Dayfly itself keeps on the state disk. No persistent path has a folder of this name there.
pub fn kept() -> TreePath {
    STATE.at(".dayfly")
}

/// The place of the settings disk, a folder that only root can enter. Both are gone again before the handover.
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
