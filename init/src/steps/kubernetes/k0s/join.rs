//! How the node joins its cluster, and rejoins it after a reboot. If a worker has a `kubelet.conf`, k0s ignores its
//! token (k0s's pkg/component/worker/utils.go). A kubelet.conf of another cluster or another node name would be refused
//! for ever.

use dayfly_formats::{k0s_token, kubeconfig, pem, x509};
use dayfly_plan::{Code, K0sPlan, Secret};
use dayfly_sys::SysError;

use crate::Failure;
use crate::context::Context;
use crate::os;
use crate::secret_file;
use crate::steps::kubernetes::rejoin::{self, Anew};

const TRIED: &str = "prepare the credentials of k0s";

/// The result of [`prepare`].
pub struct Joined {
    /// The path of the token file.
    pub token_file: Option<String>,
    /// The text for the log.
    pub said: &'static str,
}

/// Writes the token, and keeps or removes the certificate of an earlier boot.
pub fn prepare(cx: &Context, plan: &K0sPlan) -> Result<Joined, Failure> {
    let failed = |error: SysError| Failure::from_sys(Code::NodeWrite, TRIED, &error);
    let authority = match &plan.token {
        Some(token) => Some(check(cx, plan, token)?),
        None => None,
    };
    // A controller signs the certificate of its own kubelet, if it has one.
    let kept = !plan.role.is_controller() && keep_or_wipe(cx, plan, authority.as_deref()).map_err(failed)?;
    let token_file = match &plan.token {
        Some(token) => Some(secret_file::write(&*cx.sys, "k0s-token", token.expose()).map_err(failed)?),
        None => None,
    };
    let has_other = plan.args.iter().any(|arg| arg.starts_with("--token-file"));
    let said = match (plan.role.is_controller(), kept, token_file.is_some() || has_other) {
        (_, true, _) => "the certificate of an earlier boot is kept",
        (_, false, true) => "with a token",
        (true, false, false) => "without a token",
        (false, false, false) if has(cx, plan, "kubelet-bootstrap.conf").map_err(failed)? => {
            "with the kubeconfig of an earlier boot"
        }
        (false, false, false) => {
            let wrong = "there is no k0s.token, and no valid certificate of an earlier boot";
            return Err(Failure::new(Code::KubernetesCredentials, TRIED, wrong));
        }
    };
    Ok(Joined { token_file, said })
}

fn has(cx: &Context, plan: &K0sPlan, name: &str) -> Result<bool, SysError> {
    os::has(&*cx.sys, &format!("{}/{name}", plan.data_dir))
}

/// Refuses a token that k0s would refuse later. Returns the cluster's CA.
fn check(cx: &Context, plan: &K0sPlan, token: &Secret) -> Result<String, Failure> {
    let refuse = |wrong: String, fix: String| {
        Err(Failure::new(Code::KubernetesCredentials, TRIED, wrong).with_fix(fix))
    };
    let config = k0s_token::decode(token.expose()).unwrap_or_default();
    // The user name in the token identifies its role (k0s's pkg/token/kubeconfig.go).
    let (wanted, other, role) = if plan.role.is_controller() {
        ("controller-bootstrap", "kubelet-bootstrap", "controller")
    } else {
        ("kubelet-bootstrap", "controller-bootstrap", "worker")
    };
    let fix = format!("Make one on a controller: k0s token create --role={role}.");
    if !config.contains(wanted) {
        let found = if config.contains(other) { "for the other role" } else { "for an unknown role" };
        return refuse(format!("k0s.token is {found}, and this node is a {}", plan.role), fix);
    }
    let Some(authority) = kubeconfig::authority(&config) else {
        return refuse("k0s.token has no certificate of its cluster's CA".to_owned(), fix);
    };
    let clock = cx.sys.clock();
    let certificates = match pem::certificates(&authority) {
        Ok(certificates) => certificates,
        Err(error) => return refuse(format!("k0s.token: the cluster's CA: {error}"), fix),
    };
    let ends = certificates.iter().filter_map(|bytes| x509::Certificate::parse(bytes).ok());
    // With an unset clock (1970) nothing looks expired, so the check passes.
    match ends.map(|certificate| certificate.not_after).max() {
        None => refuse("k0s.token: the certificate of its cluster's CA cannot be read".to_owned(), fix),
        Some(end) if end < clock => refuse(
            format!(
                "k0s.token is for a cluster whose CA expired at {end} s since 1970, and the clock is at {clock}"
            ),
            fix,
        ),
        Some(_) => Ok(authority),
    }
}

/// Returns true if the worker's certificate of an earlier boot exists and is valid. An invalid one is removed together
/// with the kubeconfig that names it, unless there is no token to get a new one.
fn keep_or_wipe(cx: &Context, plan: &K0sPlan, authority: Option<&str>) -> Result<bool, SysError> {
    if !has(cx, plan, "kubelet.conf")? {
        return Ok(false);
    }
    let config = format!("{}/kubelet.conf", plan.data_dir);
    let current = format!("{}/kubelet/pki/kubelet-client-current.pem", plan.data_dir);
    let bytes = rejoin::current(cx, &current).unwrap_or_default();
    let what = format!("the certificate of {config}");
    let remove = [config.as_str(), &format!("{}/kubelet/pki", plan.data_dir)];
    let said = "it is removed, and k0s joins again with its token";
    let anew = plan.token.as_ref().map(|_| Anew { remove: &remove, said });
    rejoin::keep_or_wipe(cx, &what, &bytes, authority, anew)
}
