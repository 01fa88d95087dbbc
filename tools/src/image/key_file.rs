//! Secret keys of minisign, and their passwords.

use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use clap::Args;
use dayfly_formats::minisign::{PublicKey, Signature};
use minisign::{SecretKey, SecretKeyBox};

use crate::progress::Progress;

/// The length of a secret key in bytes (minisign(1)).
const SECRET_LENGTH: usize = 158;

/// Where passwords come from.
#[derive(Debug, Args)]
pub struct PasswordArgs {
    /// A file with the password of the secret key, for use without a terminal; with several keys a line for each
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// A secret key that can sign.
#[derive(Debug)]
pub struct Signer {
    secret: SecretKey,
    /// Its public key.
    pub public: PublicKey,
}

impl PasswordArgs {
    /// The passwords in the file; `None` if they are to be asked for.
    fn read(&self) -> Result<Option<Vec<String>>> {
        let Some(path) = &self.password_file else { return Ok(None) };
        let text = fs::read_to_string(path)
            .with_context(|| format!("cannot read the password file {}", given(path)))?;
        Ok(Some(text.lines().map(str::to_owned).collect()))
    }

    /// The password of a new key; asks twice.
    pub fn new_password(&self) -> Result<String> {
        let password = if let Some(lines) = self.read()? {
            lines.into_iter().next().unwrap_or_default()
        } else {
            let password = ask("Password of the new key: ")?;
            ensure!(ask("The same again: ")? == password, "the two passwords differ");
            password
        };
        ensure!(!password.is_empty(), "the password is empty; --no-password makes a key without one");
        Ok(password)
    }

    /// Opens secret keys.
    pub fn open(&self, paths: &[PathBuf]) -> Result<Vec<Signer>> {
        let lines = self.read()?;
        let mut signers: Vec<Signer> = Vec::new();
        for (number, path) in paths.iter().enumerate() {
            let signer = open(path, &|| match &lines {
                None => ask(&format!("Password of {}: ", path.display())),
                Some(lines) => {
                    // One line is the password of all keys.
                    let line = if lines.len() == 1 { lines.first() } else { lines.get(number) };
                    line.cloned()
                        .with_context(|| format!("--password-file has no line for {}", path.display()))
                }
            })?;
            if signers.iter().any(|there| there.public == signer.public) {
                bail!("the key {} was given twice", signer.public.id());
            }
            signers.push(signer);
        }
        Ok(signers)
    }
}

fn ask(prompt: &str) -> Result<String> {
    rpassword::prompt_password(prompt)
        .context("cannot ask for the password on a terminal; --password-file FILE reads it from a file")
}

/// A key argument for a message. Somebody may have given the key itself instead of its file, and messages end up in logs, so only
/// the path of a file that exists is shown.
pub fn given(argument: &Path) -> String {
    if argument.exists() {
        return argument.display().to_string();
    }
    let length = argument.as_os_str().len();
    format!(
        "(a text of {length} characters, which is not the path of a file, and is not shown because it may be a key)"
    )
}

fn open(path: &Path, password: &dyn Fn() -> Result<String>) -> Result<Signer> {
    let shown = path.display();
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read the secret key {}", given(path)))?;
    ensure!(
        text.parse::<PublicKey>().is_err(),
        "{shown} is a public key; to sign, give the secret key, the file that ends with .key"
    );
    let line = text.lines().nth(1).map(str::trim).unwrap_or_default();
    let secret = BASE64_STANDARD.decode(line).ok().filter(|bytes| bytes.len() == SECRET_LENGTH);
    let secret = secret.and_then(|bytes| SecretKey::from_bytes(&bytes).ok()).with_context(|| {
        format!("{shown} is no secret key of minisign; \"dayfly image keys new NAME\" or \"minisign -G\" makes one")
    })?;
    let secret = if secret.is_encrypted() {
        let password = password()?;
        let _step = Progress::new().step("opening the key, which takes some seconds", 0);
        SecretKeyBox::from_string(&text)
            .and_then(|boxed| boxed.into_secret_key(Some(password)))
            .with_context(|| format!("cannot open the secret key {shown}"))?
    } else {
        // minisign leaves the checksum of such a key out. The check of a signature finds a damaged one.
        secret
    };
    let public = minisign::PublicKey::from_secret_key(&secret)
        .with_context(|| format!("cannot use the secret key {shown}"))?;
    let public = public.to_base64().parse().with_context(|| format!("the public key of {shown}"))?;
    Ok(Signer { secret, public })
}

impl Signer {
    /// The signature file of a document. `comment` is signed, too.
    pub fn sign(&self, document: &[u8], comment: &str) -> Result<Vec<u8>> {
        let untrusted = format!("signature with the key {}", self.public.id());
        let signature =
            minisign::sign(None, &self.secret, Cursor::new(document), Some(comment), Some(&untrusted))
                .with_context(|| format!("cannot sign with the key {}", self.public.id()))?;
        let bytes = signature.to_bytes();
        // A node checks it in the same way. A key file whose halves do not belong together fails here.
        Signature::parse(&bytes)
            .and_then(|signature| self.public.verify(document, &signature))
            .with_context(|| format!("the new signature with the key {} is wrong", self.public.id()))?;
        Ok(bytes)
    }
}
