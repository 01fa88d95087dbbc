//! Keys, arguments and first objects of a cluster. kubeadm makes those that it can; the rest copies kubeadm's static pods.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use super::Parts;
use crate::{command::output, server::HOST_FROM_GUEST};

/// The API server as nodes see it.
pub const SERVER_URL: &str = "https://10.0.2.2:6443";
/// The networks of pods and services.
const NETWORKS: [&str; 2] = ["10.244.0.0/16", "10.96.0.0/16"];

/// A bootstrap token; its text form is that of a node's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The public part, which names the token's secret in the cluster.
    pub id: String,
    /// The secret part.
    pub secret: String,
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.id, self.secret)
    }
}

/// How long a token is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Validity {
    /// Valid for an hour.
    Hour,
    /// Already expired.
    Over,
}

/// A cluster's programs and its folder.
#[derive(Clone, Copy)]
pub(super) struct Setup<'a> {
    pub(super) parts: &'a Parts,
    pub(super) dir: &'a Path,
}

impl Setup<'_> {
    pub(super) fn pki(self, name: &str) -> PathBuf {
        self.dir.join("pki").join(name)
    }

    pub(super) fn admin(self) -> PathBuf {
        self.dir.join("super-admin.conf")
    }

    /// Makes the keys, certificates and kubeconfigs of a new cluster.
    pub(super) fn make_keys(self) -> Result<()> {
        let [pods, services] = NETWORKS;
        let version =
            output(Command::new(self.parts.kubeall()).args(["kubeadm", "version", "-o", "short"]), b"")?;
        let init = json!({
            "apiVersion": "kubeadm.k8s.io/v1beta4", "kind": "InitConfiguration",
            "localAPIEndpoint": { "advertiseAddress": HOST_FROM_GUEST, "bindPort": 6443 },
            "nodeRegistration": { "name": "control-plane", "criSocket": "unix:///nowhere" },
        });
        let cluster = json!({
            "apiVersion": "kubeadm.k8s.io/v1beta4", "kind": "ClusterConfiguration",
            "kubernetesVersion": version.trim(), "certificatesDir": self.dir.join("pki"),
            "encryptionAlgorithm": "ECDSA-P256", "controlPlaneEndpoint": format!("{HOST_FROM_GUEST}:6443"),
            "networking": { "serviceSubnet": services, "podSubnet": pods },
        });
        let config = self.dir.join("kubeadm.yaml");
        fs::write(&config, format!("{init}\n---\n{cluster}\n"))
            .context("cannot write kubeadm's configuration")?;
        let kubeadm = |arguments: &[&str]| {
            let mut kubeadm = Command::new(self.parts.kubeall());
            kubeadm.args(["kubeadm", "init", "phase"]).args(arguments).arg("--config").arg(&config);
            output(&mut kubeadm, b"")
        };
        kubeadm(&["certs", "all"])?;
        kubeadm(&["kubeconfig", "all", "--kubeconfig-dir", &self.dir.to_string_lossy()])?;
        Ok(())
    }

    pub(super) fn etcd(self) -> Vec<String> {
        let mut all = flags(&[
            ("listen-client-urls", "http://127.0.0.1:2379"),
            ("advertise-client-urls", "http://127.0.0.1:2379"),
            ("listen-peer-urls", "http://127.0.0.1:2380"),
            ("log-level", "warn"),
        ]);
        // The data need not survive a crash of this machine.
        all.push("--unsafe-no-fsync".into());
        all.push(format!("--data-dir={}", self.dir.join("etcd").display()));
        all
    }

    pub(super) fn api_server(self) -> Vec<String> {
        let mut all = flags(&[
            ("etcd-servers", "http://127.0.0.1:2379"),
            ("bind-address", "0.0.0.0"),
            ("advertise-address", HOST_FROM_GUEST),
            ("enable-bootstrap-token-auth", "true"),
            ("authorization-mode", "Node,RBAC"),
            ("enable-admission-plugins", "NodeRestriction"),
            ("service-cluster-ip-range", NETWORKS[1]),
            ("service-account-issuer", "https://kubernetes.default.svc.cluster.local"),
            ("kubelet-preferred-address-types", "InternalIP"),
            ("allow-privileged", "true"),
            ("requestheader-allowed-names", "front-proxy-client"),
            ("requestheader-extra-headers-prefix", "X-Remote-Extra-"),
            ("requestheader-group-headers", "X-Remote-Group"),
            ("requestheader-username-headers", "X-Remote-User"),
        ]);
        all.extend(self.files(&[
            ("client-ca-file", "ca.crt"),
            ("tls-cert-file", "apiserver.crt"),
            ("tls-private-key-file", "apiserver.key"),
            ("kubelet-client-certificate", "apiserver-kubelet-client.crt"),
            ("kubelet-client-key", "apiserver-kubelet-client.key"),
            ("service-account-key-file", "sa.pub"),
            ("service-account-signing-key-file", "sa.key"),
            ("requestheader-client-ca-file", "front-proxy-ca.crt"),
            ("proxy-client-cert-file", "front-proxy-client.crt"),
            ("proxy-client-key-file", "front-proxy-client.key"),
        ]));
        all
    }

    pub(super) fn controller_manager(self) -> Vec<String> {
        let mut all = flags(&[
            ("bind-address", "127.0.0.1"),
            ("leader-elect", "false"),
            ("use-service-account-credentials", "true"),
            ("allocate-node-cidrs", "true"),
            ("cluster-cidr", NETWORKS[0]),
            ("service-cluster-ip-range", NETWORKS[1]),
            ("controllers", "*,bootstrap-signer-controller,token-cleaner-controller"),
        ]);
        all.extend(self.files(&[
            ("client-ca-file", "ca.crt"),
            ("root-ca-file", "ca.crt"),
            ("cluster-signing-cert-file", "ca.crt"),
            ("cluster-signing-key-file", "ca.key"),
            ("service-account-private-key-file", "sa.key"),
            ("requestheader-client-ca-file", "front-proxy-ca.crt"),
        ]));
        all.extend(self.kubeconfigs("controller-manager.conf"));
        all
    }

    pub(super) fn scheduler(self) -> Vec<String> {
        let mut all = flags(&[("bind-address", "127.0.0.1"), ("leader-elect", "false")]);
        all.extend(self.kubeconfigs("scheduler.conf"));
        all
    }

    fn files(self, names: &[(&str, &str)]) -> Vec<String> {
        names.iter().map(|(flag, name)| format!("--{flag}={}", self.pki(name).display())).collect()
    }

    fn kubeconfigs(self, name: &str) -> Vec<String> {
        let path = self.dir.join(name);
        ["kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig"]
            .iter()
            .map(|flag| format!("--{flag}={}", path.display()))
            .collect()
    }

    /// Makes kubeadm's bindings: tokens may request a node's certificate, the request is approved, nodes may renew their certificates, and
    /// the API server may use the kubelets (logs, exec).
    pub(super) fn make_bindings(self) -> Result<()> {
        const GROUP: &str = "system:bootstrappers:kubeadm:default-node-token";
        let nodes = "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient";
        let tokens = "system:certificates.k8s.io:certificatesigningrequests:nodeclient";
        for (name, role, group) in [
            ("kubeadm:kubelet-bootstrap", "system:node-bootstrapper", GROUP),
            ("kubeadm:node-autoapprove-bootstrap", tokens, GROUP),
            ("kubeadm:node-autoapprove-certificate-rotation", nodes, "system:nodes"),
            ("kubeadm:cluster-admins", "cluster-admin", "kubeadm:cluster-admins"),
        ] {
            self.apply(&json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
                "metadata": { "name": name },
                "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
                "subjects": [{ "apiGroup": "rbac.authorization.k8s.io", "kind": "Group", "name": group }],
            }))?;
        }
        Ok(())
    }

    pub(super) fn make_token(self, validity: Validity) -> Result<Token> {
        let token = output(Command::new(self.parts.kubeall()).args(["kubeadm", "token", "generate"]), b"")?;
        let (id, secret) = token.trim().split_once('.').context("kubeadm's token has no dot")?;
        let until = match validity {
            Validity::Hour => "+1 hour",
            Validity::Over => "-1 hour",
        };
        let expiration = output(Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%SZ", "-d", until]), b"")?;
        self.apply(&json!({
            "apiVersion": "v1", "kind": "Secret", "type": "bootstrap.kubernetes.io/token",
            "metadata": { "name": format!("bootstrap-token-{id}"), "namespace": "kube-system" },
            "stringData": {
                "token-id": id, "token-secret": secret, "expiration": expiration.trim(),
                "usage-bootstrap-authentication": "true", "usage-bootstrap-signing": "true",
                "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
            },
        }))?;
        Ok(Token { id: id.to_owned(), secret: secret.to_owned() })
    }

    pub(super) fn bootstrap_kubeconfig(self, token: &Token) -> Result<String> {
        let file = self.dir.join("bootstrap.conf");
        let write = |arguments: &[&str]| {
            let mut kubectl = Command::new(self.parts.kubeall());
            kubectl.args(["kubectl", "config"]).args(arguments).arg("--kubeconfig").arg(&file);
            output(&mut kubectl, b"")
        };
        let ca = self.pki("ca.crt");
        let ca = ca.to_string_lossy();
        write(&[
            "set-cluster",
            "lab",
            "--server",
            SERVER_URL,
            "--embed-certs",
            "--certificate-authority",
            &ca,
        ])?;
        write(&["set-credentials", "bootstrap", "--token", &token.to_string()])?;
        write(&["set-context", "bootstrap", "--cluster", "lab", "--user", "bootstrap"])?;
        write(&["use-context", "bootstrap"])?;
        fs::read_to_string(&file).context("cannot read the kubeconfig that kubectl wrote")
    }

    pub(super) fn kubectl(self, arguments: &[&str], input: Option<&Value>) -> Result<String> {
        let mut kubectl = Command::new(self.parts.kubeall());
        kubectl.arg("kubectl").arg("--kubeconfig").arg(self.admin()).args(arguments);
        // By default kubectl caches the API in the user's home.
        kubectl.env("KUBECACHEDIR", self.dir.join("kubectl"));
        output(&mut kubectl, input.map(Value::to_string).unwrap_or_default().as_bytes())
    }

    pub(super) fn apply(self, object: &Value) -> Result<()> {
        self.kubectl(&["apply", "--validate=false", "-f", "-"], Some(object)).map(|_| ())
    }
}

fn flags(all: &[(&str, &str)]) -> Vec<String> {
    all.iter().map(|(name, value)| format!("--{name}={value}")).collect()
}
