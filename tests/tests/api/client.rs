//! Requests to the API server, as a node makes them and as an attacker might.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use base64::{Engine, prelude::BASE64_STANDARD};
use dayfly_qemu::{
    command::output,
    kubernetes::{ControlPlane, SERVER_URL, Token},
};
use serde_json::{Value, json};

/// The usages that a node requests; the kubelet's own list.
pub const USAGES: &[&str] = &["digital signature", "key encipherment", "client auth"];
const REQUESTS: &str = "/apis/certificates.k8s.io/v1/certificatesigningrequests";
/// How long a certificate may take. It takes 0.2 s, or 5 s directly after the start of the controllers.
const SIGNING: Duration = Duration::from_secs(60);

/// The sender of a request.
#[derive(Clone)]
pub enum Who {
    /// A client without a credential.
    Nobody,
    /// A bootstrap token.
    Token(String),
    /// The holder of a certificate and its key.
    Node {
        /// PEM.
        certificate: PathBuf,
        /// PEM.
        key: PathBuf,
    },
}

impl From<&Token> for Who {
    fn from(token: &Token) -> Self {
        Self::Token(token.to_string())
    }
}

/// The server's answer.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The body, null if it is not JSON.
    pub body: Value,
}

/// Sends a request to the API server. An error is one of the connection.
pub fn ask(ca: &Path, who: &Who, method: &str, path: &str, body: Option<&Value>) -> Result<Answer> {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--max-time", "60", "--write-out", "\n%{http_code}"]);
    // Over HTTP/2, curl 7.88 reports a refusal before the body was read as a stream error.
    curl.arg("--http1.1").arg("--cacert").arg(ca).args(["--request", method]);
    match who {
        Who::Nobody => {}
        Who::Token(token) => {
            curl.args(["--header", &format!("Authorization: Bearer {token}")]);
        }
        Who::Node { certificate, key } => {
            curl.arg("--cert").arg(certificate).arg("--key").arg(key);
        }
    }
    if body.is_some() {
        let kind = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        curl.args(["--header", &format!("Content-Type: {kind}"), "--data-binary", "@-"]);
    }
    let text = output(
        curl.arg(format!("{SERVER_URL}{path}")),
        body.map(Value::to_string).unwrap_or_default().as_bytes(),
    )?;
    let (body, status) = text.rsplit_once('\n').context("curl printed no status")?;
    Ok(Answer { status: status.parse()?, body: serde_json::from_str(body).unwrap_or_default() })
}

/// Makes a key in `folder` and a certificate request for `node` with it; returns the key and the object to POST.
pub fn signing_request(folder: &Path, name: &str, node: &str, usages: &[&str]) -> Result<(PathBuf, Value)> {
    let key = folder.join(format!("{name}.key"));
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
    ]);
    openssl.arg(&key).args(["-subj", &format!("/O=system:nodes/CN=system:node:{node}")]);
    let request = BASE64_STANDARD.encode(output(&mut openssl, b"")?);
    let object = json!({
        "apiVersion": "certificates.k8s.io/v1", "kind": "CertificateSigningRequest", "metadata": { "name": name },
        "spec": { "signerName": "kubernetes.io/kube-apiserver-client-kubelet", "request": request, "usages": usages },
    });
    Ok((key, object))
}

/// Gets a certificate for `node`, and returns the sender that has it.
pub fn join(
    cluster: &ControlPlane,
    folder: &Path,
    name: &str,
    node: &str,
    who: &Who,
    usages: &[&str],
) -> Result<Who> {
    let (key, object) = signing_request(folder, name, node, usages)?;
    let posted = ask(&cluster.ca(), who, "POST", REQUESTS, Some(&object))?;
    if posted.status != 201 {
        bail!("the request {name} was answered with {posted:?}");
    }
    let path = format!("{REQUESTS}/{name}");
    let certificate = cluster.wait(&format!("the certificate {name}"), SIGNING, || {
        let answer = ask(&cluster.ca(), who, "GET", &path, None)?;
        Ok(answer.body["status"]["certificate"].as_str().map(|text| BASE64_STANDARD.decode(text)))
    })??;
    let file = folder.join(format!("{name}.crt"));
    std::fs::write(&file, certificate)?;
    Ok(Who::Node { certificate: file, key })
}

/// The path of certificate signing requests.
pub fn requests() -> &'static str {
    REQUESTS
}

/// The smallest Node.
pub fn node(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Node", "metadata": { "name": name, "labels": { "role": "test" } } })
}
