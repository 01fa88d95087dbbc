//! What the kubelet joins its cluster with: a bootstrap kubeconfig in memory, the cluster's CA, and the certificate of an
//! earlier boot while it is good.

use std::path::Path;

use dayfly_plan::settings::value::HostName;
use dayfly_plan::{Code, Credentials, KubeletPlan, paths};
use dayfly_sys::{Sys, SysError};
use dayfly_wire::kubeconfig;

use super::{rejoin, write as write_file};
use crate::Failure;
use crate::context::Context;
use crate::events::Level;

/// What the kubelet writes for itself. It lies in the OS's /etc, so it names the server and the CA of this boot.
const KUBECONFIG: &str = "/etc/kubernetes/kubelet.conf";
/// Where the kubelet keeps its certificates, and the current one of them.
const PKI: &str = "/var/lib/kubelet/pki";
const CURRENT: &str = "/var/lib/kubelet/pki/kubelet-client-current.pem";
/// The cluster's CA, for those who ask the kubelet.
pub const CA: &str = "/etc/kubernetes/pki/ca.crt";

/// What came of it.
pub struct Joined {
    /// The kubelet's arguments for it.
    pub args: Vec<String>,
    /// For people.
    pub said: &'static str,
}

/// Writes it.
pub fn write<S: Sys>(cx: &Context<S>, plan: &KubeletPlan) -> Result<Joined, Failure> {
    let tried = "prepare what the kubelet joins its cluster with";
    let refuse = |error: SysError| Failure::from_sys(Code::NodeWrite, tried, &error);
    let ca = plan.ca.as_ref().map(|ca| ca.as_str().to_owned());
    let (authority, bootstrap) = match &plan.credentials {
        Credentials::None => return Ok(Joined { args: Vec::new(), said: "without credentials of ours" }),
        Credentials::Kubeconfig(text) => {
            (ca.or_else(|| kubeconfig::authority(text.expose())), Some(text.expose().to_owned()))
        }
        Credentials::Server(server, token) => {
            let text = token
                .as_ref()
                .map(|token| config(&server.to_string(), ca.is_some(), &[("token", token.expose())]));
            (ca, text)
        }
    };
    let name = cx.known.name.as_ref().map_or("", HostName::as_str);
    let kept = keep_or_wipe(cx, name, authority.as_deref(), bootstrap.is_some()).map_err(refuse)?;
    if let Some(authority) = &authority {
        write_file(cx, CA, authority, 0o644).map_err(refuse)?;
    }
    let mut args = vec![format!("--kubeconfig={KUBECONFIG}")];
    match (bootstrap, &plan.credentials) {
        (Some(text), _) => {
            let file = Path::new(paths::SECRETS).join("kubelet-bootstrap.kubeconfig");
            cx.sys
                .make_dir(Path::new(paths::SECRETS), 0o700)
                .and_then(|()| cx.sys.write(&file, text.as_bytes(), 0o600))
                .map_err(refuse)?;
            args.push(format!("--bootstrap-kubeconfig={}", file.display()));
        }
        (None, Credentials::Server(server, _)) if kept => {
            let user = [("client-certificate", CURRENT), ("client-key", CURRENT)];
            let text = config(&server.to_string(), authority.is_some(), &user);
            write_file(cx, KUBECONFIG, &text, 0o600).map_err(refuse)?;
        }
        _ => {
            let wrong = "there is no token, and no good certificate of an earlier boot";
            return Err(Failure::new(Code::KubernetesCredentials, tried, wrong));
        }
    }
    let said = if kept { "the certificate of an earlier boot is kept" } else { "it asks for a certificate" };
    Ok(Joined { args, said })
}

/// True where the certificate of an earlier boot is there and good. A bad one goes, with all that belongs to it, unless
/// there is nothing that could get a new one.
fn keep_or_wipe<S: Sys>(
    cx: &Context<S>,
    name: &str,
    authority: Option<&str>,
    replaceable: bool,
) -> Result<bool, SysError> {
    let root = Path::new(paths::ROOT);
    let file = cx.sys.resolve(root, Path::new(CURRENT))?;
    let bytes = match cx.sys.read(&file) {
        Ok(bytes) => bytes,
        // The first boot, or a link that leads nowhere: the kubelet asks anew by itself.
        Err(error) if error.is_not_found() => return Ok(false),
        Err(error) => return Err(error),
    };
    let Err(reason) = rejoin::check(&bytes, name, authority, cx.sys.clock()) else { return Ok(true) };
    let bad = format!("the kubelet's certificate is of no use: {reason}");
    if !replaceable {
        cx.note(Level::Warning, format!("{bad}; it stays, because nothing could get a new one"));
        return Ok(false);
    }
    cx.note(Level::Warning, format!("{bad}; {PKI} is emptied, and the kubelet asks for a new one"));
    cx.sys.remove_tree(&cx.sys.resolve(root, Path::new(PKI))?)?;
    Ok(false)
}

/// A kubeconfig, in JSON: every reader of YAML takes it. The CA is named by its file, which is written beside it.
fn config(server: &str, has_authority: bool, user: &[(&str, &str)]) -> String {
    let object = |pairs: &[(&str, &str)]| -> serde_json::Value {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), serde_json::Value::from(*value))).collect()
    };
    let cluster: &[_] = &[("server", server), ("certificate-authority", CA)];
    let cluster = object(cluster.get(..1 + usize::from(has_authority)).unwrap_or(cluster));
    serde_json::json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{ "name": "cluster", "cluster": cluster }],
        "users": [{ "name": "kubelet", "user": object(user) }],
        "contexts": [{ "name": "kubelet", "context": { "cluster": "cluster", "user": "kubelet" } }],
        "current-context": "kubelet",
    })
    .to_string()
}
