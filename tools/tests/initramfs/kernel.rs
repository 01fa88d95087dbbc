//! A fake kernel, and `dayfly` run with it.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::Command;

pub const RELEASE: &str = "6.99.0-test";

pub struct Run {
    pub ok: bool,
    pub out: String,
    pub err: String,
}

pub fn dayfly(args: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_dayfly"))
        .args(args)
        .env_remove("SOURCE_DATE_EPOCH")
        .output()
        .expect("the binary was built");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Run { ok: output.status.success(), out: text(output.stdout), err: text(output.stderr) }
}

/// An ELF header of a static x86-64 program, and nothing else.
pub fn program() -> Vec<u8> {
    let mut elf = vec![0; 64];
    elf[..7].copy_from_slice(&[0x7F, b'E', b'L', b'F', 2, 1, 1]);
    elf[16] = 2; // executable
    elf[18] = 62; // x86-64
    elf[20] = 1;
    elf[52] = 64; // the header's own size
    elf[54] = 56; // a program header's
    elf[58] = 64; // a section header's
    elf
}

/// A kernel of five modules in three compressions, an init, and a folder for results.
pub struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    pub fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        let write = |path: &str, bytes: &[u8]| {
            let path = bench.path(path);
            fs::create_dir_all(path.parent().expect("not the root")).expect("a folder");
            fs::write(path, bytes).expect("a file");
        };
        let kernel = format!("modules/{RELEASE}");
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gz.write_all(b"virtio_ring").expect("to memory");
        for (path, bytes) in [
            ("kernel/drivers/virtio/virtio_ring.ko.gz", gz.finish().expect("to memory")),
            ("kernel/drivers/virtio/virtio_pci.ko", b"virtio_pci".to_vec()),
            (
                "kernel/drivers/net/virtio_net.ko.zst",
                zstd::encode_all(&b"virtio_net"[..], 3).expect("to memory"),
            ),
            ("kernel/drivers/net/ethernet/e1000.ko", b"e1000".to_vec()),
            ("kernel/fs/overlayfs/overlay.ko", b"overlay".to_vec()),
        ] {
            write(&format!("{kernel}/{path}"), &bytes);
        }
        let ring = "kernel/drivers/virtio/virtio_ring.ko.gz";
        let dep = format!(
            "{ring}:\nkernel/drivers/virtio/virtio_pci.ko: {ring}\nkernel/drivers/net/virtio_net.ko.zst: {ring}\n\
             kernel/drivers/net/ethernet/e1000.ko:\nkernel/fs/overlayfs/overlay.ko:\n"
        );
        write(&format!("{kernel}/modules.dep"), dep.as_bytes());
        let alias = "alias pci:v00008086d0000100Esv*sd*bc*sc*i* e1000\nalias virtio:d00000001v* virtio_net\n";
        write(&format!("{kernel}/modules.alias"), alias.as_bytes());
        write(&format!("{kernel}/modules.builtin"), b"kernel/fs/ext4/ext4.ko\n");
        write("init", &program());
        write("conf/a.conf", b"options virtio_net napi_tx=0\nwhat is this\n");
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        self.path(name).to_str().expect("UTF-8").to_owned()
    }

    /// Runs `dayfly initramfs` with the fake kernel, and more arguments.
    pub fn build(&self, output: &str, more: &[&str]) -> Run {
        let (modules, conf) = (self.text(&format!("modules/{RELEASE}")), self.text("conf"));
        let (init, output) = (self.text("init"), self.text(output));
        let mut args =
            vec!["initramfs", "--modules", &modules, "--modprobe-config", &conf, "--output", &output];
        if !more.contains(&"--init") {
            args.extend(["--init", &init]);
        }
        args.extend(more);
        dayfly(&args)
    }
}
