//! A module's file: unpacks it and reads the names of its firmware.

use std::fs;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use dayfly_formats::modules::Compression;
use object::{Object, ObjectSection};

/// Reads and unpacks a module.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let packed = fs::read(path).with_context(|| {
        format!("cannot read the module {}; is the kernel's package installed completely?", path.display())
    })?;
    unpack(&packed, Compression::of(&path.to_string_lossy()))
        .with_context(|| format!("cannot unpack the module {}", path.display()))
}

fn unpack(packed: &[u8], compression: Compression) -> Result<Vec<u8>> {
    let mut plain = Vec::new();
    match compression {
        Compression::None => plain.extend_from_slice(packed),
        Compression::Gzip => {
            flate2::read::MultiGzDecoder::new(packed).read_to_end(&mut plain)?;
        }
        Compression::Xz => {
            liblzma::read::XzDecoder::new_multi_decoder(packed).read_to_end(&mut plain)?;
        }
        Compression::Zstd => plain = zstd::stream::decode_all(packed)?,
    }
    Ok(plain)
}

/// The firmware files that a module names, `e100/d101m_ucode.bin`; may hold wildcards. Nothing if it is no ELF file.
pub fn firmware(module: &[u8]) -> Vec<String> {
    let Ok(elf) = object::File::parse(module) else { return Vec::new() };
    let modinfo = elf.section_by_name(".modinfo").and_then(|section| section.uncompressed_data().ok());
    modinfo
        .unwrap_or_default()
        .split(|byte| *byte == 0)
        .filter_map(|record| std::str::from_utf8(record).ok()?.strip_prefix("firmware="))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn every_compression_is_unpacked() {
        let plain = b"\x7fELF and more".repeat(100);
        let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        gz.write_all(&plain).expect("to memory");
        let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 6);
        xz.write_all(&plain).expect("to memory");
        let cases = [
            (Compression::None, plain.clone()),
            (Compression::Gzip, gz.finish().expect("to memory")),
            (Compression::Xz, xz.finish().expect("to memory")),
            (Compression::Zstd, zstd::encode_all(plain.as_slice(), 3).expect("to memory")),
        ];
        for (compression, packed) in &cases {
            assert_eq!(unpack(packed, *compression).expect("good data"), plain, "{compression:?}");
            if *compression != Compression::None {
                assert!(unpack(&packed[..packed.len() - 6], *compression).is_err(), "cut {compression:?}");
            }
        }
    }
}
