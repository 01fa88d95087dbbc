//! `dayfly image sign`: adds a signature.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use super::key_file::{PasswordArgs, Signer};
use super::layout::{copy_path, read_if_there, version_tag};
use super::publish::Writer;
use super::reference::Image;
use super::signatures::path_of;
use crate::output::{say, write_synced};

/// Signs an image with a secret key of minisign
///
/// Writes MANIFEST.KEYID.minisig, for which nodes ask first, and MANIFEST.minisig, the name that minisign itself uses. Signatures of
/// other keys stay.
#[derive(Debug, Args)]
pub struct SignArgs {
    /// The image: the path of NAME.json, a folder, or FOLDER:TAG
    #[arg(value_name = "IMAGE")]
    reference: String,
    /// The secret key; its password is asked for on the terminal
    #[arg(long, value_name = "SECRETKEY")]
    key: PathBuf,
    #[command(flatten)]
    password: PasswordArgs,
}

/// Runs the command.
pub fn run(args: &SignArgs) -> Result<()> {
    let image = Image::open(&args.reference)?;
    let signers = args.password.open(std::slice::from_ref(&args.key))?;
    let signer = signers.first().context("no key was given")?;
    let _writer = Writer::open(&image.layout.folder)?;
    // The password takes time, and a build may have replaced the manifest meanwhile.
    let image = Image::open(&args.reference)?;
    let signature = signer.sign(&image.bytes, &comment(&image.config.name, image.config.version))?;
    let key = signer.public.id();
    let mut copies = vec![image.copy.clone()];
    let version = copy_path(&image.layout.folder, &version_tag(&image.config.name, image.config.version));
    if version != image.copy && read_if_there(&version, image.bytes.len() + 1)?.as_ref() == Some(&image.bytes)
    {
        copies.push(version);
    }
    for copy in &copies {
        if !copy.exists() {
            // A layout from a registry has only blobs.
            write_synced(copy, &image.bytes)?;
        }
        Writer::add_signature(copy, key, &signature)?;
        say!("{}", path_of(copy, key).display())?;
    }
    Ok(())
}

/// The comment in a signature.
pub fn comment(name: &str, version: u64) -> String {
    format!("{name} version {version}")
}

/// Signs a manifest with each key.
pub fn sign_all(
    signers: &[Signer],
    manifest: &[u8],
    comment: &str,
) -> Result<Vec<(dayfly_formats::minisign::KeyId, Vec<u8>)>> {
    signers.iter().map(|signer| Ok((signer.public.id(), signer.sign(manifest, comment)?))).collect()
}
