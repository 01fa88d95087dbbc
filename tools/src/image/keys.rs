//! `dayfly image keys`: key pairs for signatures.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, Subcommand};
use dayfly_formats::minisign::PublicKey;
use minisign::KeyPair;

use super::key_file::PasswordArgs;
use crate::output::say;
use crate::progress::Progress;

/// Makes key pairs to sign images with
#[derive(Debug, Args)]
pub struct KeysArgs {
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    New(NewArgs),
}

/// Makes a key pair, in minisign's format, and prints the setting for nodes
///
/// NAME.key is the secret key, NAME.pub the public one. The password protects the secret key if somebody copies it; keep both apart.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// The path of the files, without .key and .pub
    name: String,
    /// Do not protect the secret key with a password
    #[arg(long, conflicts_with = "password_file")]
    no_password: bool,
    #[command(flatten)]
    password: PasswordArgs,
}

/// Runs the command.
pub fn run(args: &KeysArgs) -> Result<()> {
    match &args.command {
        KeysCommand::New(args) => new(args),
    }
}

fn new(args: &NewArgs) -> Result<()> {
    ensure!(!args.name.is_empty() && !args.name.ends_with('/'), "the name of the key is empty");
    let (secret_path, public_path) =
        (PathBuf::from(format!("{}.key", args.name)), PathBuf::from(format!("{}.pub", args.name)));
    for path in [&secret_path, &public_path] {
        if path.symlink_metadata().is_ok() {
            bail!("{} is there already; a key is never overwritten: choose another name", path.display());
        }
    }
    let (pair, comment) = if args.no_password {
        (KeyPair::generate_unencrypted_keypair(), "minisign unencrypted secret key")
    } else {
        let password = args.password.new_password()?;
        let _step = Progress::new().step("encrypting the secret key", 0);
        (KeyPair::generate_encrypted_keypair(Some(password)), "minisign encrypted secret key")
    };
    let pair = pair.context("cannot make a key")?;
    let public: PublicKey = pair.pk.to_base64().parse().context("cannot read the new key")?;
    let secret = pair.sk.to_box(Some(comment)).context("cannot write a key")?;
    write_new(&secret_path, 0o600, &secret.to_bytes())?;
    let text = format!("untrusted comment: minisign public key {}\n{public}\n", public.id());
    if let Err(error) = write_new(&public_path, 0o644, text.as_bytes()) {
        // Half of a pair would only be in the way of the next try.
        let _ = fs::remove_file(&secret_path);
        return Err(error);
    }
    eprintln!("{}: the secret key; {}: the public key", secret_path.display(), public_path.display());
    say!("image.keys = [\"{public}\"]")
}

/// Writes a file that does not exist yet. What a full disk leaves is removed.
fn write_new(path: &Path, mode: u32, bytes: &[u8]) -> Result<()> {
    let failed = || format!("cannot write {}", path.display());
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(path).with_context(failed)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = fs::remove_file(path);
    }
    written.with_context(failed)
}
