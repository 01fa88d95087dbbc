//! The kubelet's credentials: a bootstrap kubeconfig in memory, the cluster's CA, and the certificate of an earlier
//! boot if it is valid.

use dayfly_formats::kubeconfig;
use dayfly_plan::{Code, Credentials, KubeletPlan};
use dayfly_sys::SysError;

use crate::context::Context;
use crate::steps::kubernetes::rejoin::{self, Anew};
use crate::{Failure, os, secret_file};

/// The kubeconfig that the kubelet writes. It is in the OS's ephemeral /etc, so it always names the server and the CA
/// of this boot.
const KUBECONFIG: &str = "/etc/kubernetes/kubelet.conf";
/// The kubelet's certificate directory, and the current certificate in it.
const PKI: &str = "/var/lib/kubelet/pki";
const CURRENT: &str = "/var/lib/kubelet/pki/kubelet-client-current.pem";
/// The cluster's CA, with which the kubelet authenticates its clients.
pub const CA: &str = "/etc/kubernetes/pki/ca.crt";

/// The result of [`write`].
pub struct Joined {
    /// The kubelet arguments for the credentials.
    pub args: Vec<String>,
    /// The text for the log.
    pub said: &'static str,
}

/// Writes the credentials.
pub fn write(cx: &Context, plan: &KubeletPlan) -> Result<Joined, Failure> {
    let tried = "prepare the credentials of the kubelet";
    let refuse = |error: SysError| Failure::from_sys(Code::NodeWrite, tried, &error);
    let ca = plan.ca.as_ref().map(|ca| ca.as_str().to_owned());
    let (authority, bootstrap) = match &plan.credentials {
        Credentials::None => return Ok(Joined { args: Vec::new(), said: "without credentials from Dayfly" }),
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
    let kept = keep_or_wipe(cx, authority.as_deref(), bootstrap.is_some()).map_err(refuse)?;
    if let Some(authority) = &authority {
        os::write(&*cx.sys, CA, authority, 0o644).map_err(refuse)?;
    }
    let mut args = vec![format!("--kubeconfig={KUBECONFIG}")];
    match (bootstrap, &plan.credentials) {
        (Some(text), _) => {
            let file = secret_file::write(&*cx.sys, "kubelet-bootstrap.kubeconfig", &text).map_err(refuse)?;
            args.push(format!("--bootstrap-kubeconfig={file}"));
        }
        (None, Credentials::Server(server, _)) if kept => {
            let user = [("client-certificate", CURRENT), ("client-key", CURRENT)];
            let text = config(&server.to_string(), authority.is_some(), &user);
            os::write(&*cx.sys, KUBECONFIG, &text, 0o600).map_err(refuse)?;
        }
        _ => {
            let wrong = "there is no token, and no valid certificate of an earlier boot";
            return Err(Failure::new(Code::KubernetesCredentials, tried, wrong));
        }
    }
    let said = if kept { "the certificate of an earlier boot is kept" } else { "it asks for a certificate" };
    Ok(Joined { args, said })
}

/// Returns true if the certificate of an earlier boot exists and is valid.
fn keep_or_wipe(cx: &Context, authority: Option<&str>, replaceable: bool) -> Result<bool, SysError> {
    // There is none at the first boot, or if a link is broken: then the kubelet itself asks for one.
    let Some(bytes) = rejoin::current(cx, CURRENT) else { return Ok(false) };
    let said = format!("{PKI} is emptied, and the kubelet asks for a new one");
    let anew = replaceable.then_some(Anew { remove: &[PKI], said: &said });
    rejoin::keep_or_wipe(cx, "the kubelet's certificate", &bytes, authority, anew)
}

/// Makes a kubeconfig in JSON, which is valid YAML. It refers to the CA file, which is written to the same directory.
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
