//! Values for Kubernetes and its distributions.

use std::fmt;
use std::str::FromStr;

use dayfly_formats::{kubeconfig, pem, x509};

use super::text::argument;
use super::{Form, Path, Url, Value, own_values, pattern, values};
use crate::{Document, Secret};

values! {
    /// A Kubernetes token.
    Token(Secret, secret) = "text", Form::Text, token, ToString::to_string;
    /// A k0s join token.
    K0sToken(Secret, secret) = "text", Form::Text, k0s_token, ToString::to_string;
    /// A complete kubeconfig.
    Kubeconfig(Secret, secret) = "kubeconfig", Form::Text, whole_kubeconfig, ToString::to_string;
    /// The kubelet's configuration.
    KubeletConfiguration(Document) = "KubeletConfiguration", Form::Text, document, ToString::to_string;
    /// The configuration of a k0s cluster.
    K0sYaml(Document) = "k0s.yaml", Form::Text, document, ToString::to_string;
    /// The configuration of k3s.
    ConfigYaml(Document) = "config.yaml", Form::Text, document, ToString::to_string;
    /// The socket of a container runtime.
    CriSocket(String) = "unix:// URL", pattern("^unix:///"), cri_socket, Clone::clone;
    /// The domain of a cluster.
    ClusterDomain(String) = "domain", Form::Text, argument, Clone::clone;
}

own_values! {
    ApiServer = "https:// URL", pattern(r"^https://[^\s/?#@]+([/?#]\S*)?$");
    CaBundle = "PEM", Form::Text;
    Label = "key=value", pattern(r"^([^/=\s]+/)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?=");
    Taint = "key=value:effect", pattern(r"^[^\s:]+(=[^\s:]*)?:(NoSchedule|PreferNoSchedule|NoExecute)$");
}

/// An API server's URL. It must be https, because a token is sent there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiServer(Url);

impl FromStr for ApiServer {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url: Url = text.parse()?;
        if url.note().is_some() {
            return Err(format!("\"{text}\" contains a space"));
        }
        if url.as_str().starts_with("https://") {
            Ok(Self(url))
        } else {
            Err(format!("\"{text}\" is not https, but the token is a secret"))
        }
    }
}

impl fmt::Display for ApiServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Certificates of a CA, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaBundle {
    text: String,
    names: Vec<String>,
}

impl CaBundle {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for CaBundle {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let certificates = pem::certificates(text).map_err(|error| error.to_string())?;
        let mut names = Vec::new();
        for bytes in &certificates {
            let certificate = x509::Certificate::parse(bytes)
                .map_err(|error| format!("its certificate {} cannot be parsed: {error}", names.len() + 1))?;
            names.push(certificate.common_name.unwrap_or("without a name").to_owned());
        }
        if names.is_empty() {
            return Err(
                "it has no certificate: PEM is expected, with \"-----BEGIN CERTIFICATE-----\"".to_owned()
            );
        }
        Ok(Self { text: format!("{}\n", text.trim()), names })
    }
}

impl fmt::Display for CaBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "certificate of {}", self.names.join(", "))
    }
}

/// A token, without the surrounding whitespace.
fn token(text: &str) -> Result<Secret, String> {
    let text = text.trim();
    if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("a token is one word".to_owned());
    }
    Ok(Secret::new(text))
}

/// A kubeconfig. Only its server is checked.
fn whole_kubeconfig(text: &str) -> Result<Secret, String> {
    match kubeconfig::server(text) {
        Some(server) if server.starts_with("https://") => Ok(Secret::new(text)),
        Some(_) => Err("its server is not https".to_owned()),
        None => Err("it is not a kubeconfig: it names no server".to_owned()),
    }
}

/// The configuration of another program. It must not be empty, because an empty one would have no visible effect.
fn document(text: &str) -> Result<Document, String> {
    if text.trim().is_empty() { Err("it is empty".to_owned()) } else { Ok(Document(text.to_owned())) }
}

/// `unix:///path`.
fn cri_socket(text: &str) -> Result<String, String> {
    let path = text.strip_prefix("unix://").map(Path::read);
    match path {
        Some(Ok(_)) => Ok(text.to_owned()),
        _ => Err(format!("\"{text}\" is not the URL of a socket: unix:///run/… is expected")),
    }
}

/// A join token, as `k0s token create` prints it. It is decoded here, because k0s would only report an error when it
/// runs.
fn k0s_token(text: &str) -> Result<Secret, String> {
    let secret = token(text)?;
    let Some(config) = dayfly_formats::k0s_token::decode(secret.expose()) else {
        return Err("it is not a k0s join token: the output of `k0s token create` is expected".to_owned());
    };
    match kubeconfig::server(&config) {
        Some(server) if server.starts_with("https://") => Ok(secret),
        Some(_) => Err("its server is not https".to_owned()),
        None => Err("it names no server".to_owned()),
    }
}

/// A label that a kubelet may give its own node: `key=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label(String);

impl FromStr for Label {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Some((key, value)) = text.split_once('=') else {
            return Err(format!("\"{text}\" is not a label: key=value is expected"));
        };
        check_key(key)?;
        check_value(value)?;
        if !may_set(key) {
            return Err(format!(
                "\"{key}\" is a label that a kubelet must not set on its node, and the kubelet would not start with it"
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A taint that a new node has: `key=value:Effect` or `key:Effect`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taint(String);

impl FromStr for Taint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        const EFFECTS: [&str; 3] = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
        let Some((rest, effect)) = text.rsplit_once(':').filter(|(_, effect)| EFFECTS.contains(effect))
        else {
            return Err(format!(
                "\"{text}\" is not a taint: key=value:EFFECT is expected, with one of {}",
                EFFECTS.join(", ")
            ));
        };
        let (key, value) = rest.split_once('=').unwrap_or((rest, ""));
        check_key(key)?;
        check_value(value)?;
        // The kubelet's flag requires the equals sign.
        Ok(Self(format!("{key}={value}:{effect}")))
    }
}

impl fmt::Display for Taint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Kubernetes' qualified name: an optional DNS name, a slash, a name
/// (<https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#syntax-and-character-set>).
fn check_key(key: &str) -> Result<(), String> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    let is_dns = |text: &str| {
        text.len() <= 253
            && text
                .split('.')
                .all(|part| is_word(part, 63, |b| b.is_ascii_lowercase() || b.is_ascii_digit(), b"-"))
    };
    if prefix.is_some_and(|prefix| !is_dns(prefix)) || !is_label_word(name) {
        return Err(format!("\"{key}\" is not the key of a label: name or domain/name is expected"));
    }
    Ok(())
}

fn check_value(value: &str) -> Result<(), String> {
    if value.is_empty() || is_label_word(value) {
        Ok(())
    } else {
        Err(format!("\"{value}\" is not the value of a label: at most 63 letters, digits, -, _ and ."))
    }
}

fn is_label_word(text: &str) -> bool {
    is_word(text, 63, |b| b.is_ascii_alphanumeric(), b"-_.")
}

/// A word with letters at both ends, and additional characters in between.
fn is_word(text: &str, longest: usize, is_letter: fn(u8) -> bool, inside: &[u8]) -> bool {
    let bytes = text.as_bytes();
    let ends_well = |end: Option<&u8>| end.is_some_and(|b| is_letter(*b));
    bytes.len() <= longest
        && ends_well(bytes.first())
        && ends_well(bytes.last())
        && bytes.iter().all(|b| is_letter(*b) || inside.contains(b))
}

/// Kubernetes' IsKubeletLabel (staging/src/k8s.io/kubelet/pkg/apis/well_known_labels.go): the kubelet does not start
/// with any other label of these domains.
fn may_set(key: &str) -> bool {
    const ALLOWED: [&str; 11] = [
        "kubernetes.io/hostname",
        "kubernetes.io/os",
        "kubernetes.io/arch",
        "beta.kubernetes.io/os",
        "beta.kubernetes.io/arch",
        "beta.kubernetes.io/instance-type",
        "node.kubernetes.io/instance-type",
        "failure-domain.beta.kubernetes.io/zone",
        "failure-domain.beta.kubernetes.io/region",
        "topology.kubernetes.io/zone",
        "topology.kubernetes.io/region",
    ];
    let Some((domain, _)) = key.split_once('/') else { return true };
    let is_in = |parent: &str| {
        domain == parent || domain.strip_suffix(parent).is_some_and(|rest| rest.ends_with('.'))
    };
    let is_theirs = is_in("kubernetes.io") || is_in("k8s.io");
    !is_theirs || ALLOWED.contains(&key) || is_in("kubelet.kubernetes.io") || is_in("node.kubernetes.io")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_those_that_a_kubelet_starts_with() {
        for (text, is_fine) in [
            ("rack=r1", true),
            ("example.org/rack=r1", true),
            ("rack=", true),
            ("topology.kubernetes.io/zone=a", true),
            ("node.kubernetes.io/pool=a", true),
            ("x.node.kubernetes.io/pool=a", true),
            ("kubelet.kubernetes.io/x=a", true),
            ("node-role.kubernetes.io/worker=", false),
            ("node-restriction.kubernetes.io/x=a", false),
            ("kubernetes.io/x=a", false),
            ("x.k8s.io/x=a", false),
            ("mykubernetes.io/x=a", true),
            ("rack", false),
            ("=r1", false),
            ("-rack=r1", false),
            ("rack=r1,zone=a", false),
            ("Example.org/rack=r1", false),
            ("a/b/c=d", false),
            ("rack=-", false),
            ("rack=r 1", false),
        ] {
            assert_eq!(text.parse::<Label>().is_ok(), is_fine, "{text}");
        }
        let long = "a".repeat(64);
        assert!(format!("{long}=x").parse::<Label>().is_err());
        assert!(format!("x={long}").parse::<Label>().is_err());
    }

    #[test]
    fn taints_have_an_effect() {
        for (text, shown) in [
            ("dedicated=gpu:NoSchedule", Some("dedicated=gpu:NoSchedule")),
            ("dedicated:NoExecute", Some("dedicated=:NoExecute")),
            (
                "node.cilium.io/agent-not-ready=true:NoExecute",
                Some("node.cilium.io/agent-not-ready=true:NoExecute"),
            ),
            (
                "node-role.kubernetes.io/control-plane:PreferNoSchedule",
                Some("node-role.kubernetes.io/control-plane=:PreferNoSchedule"),
            ),
            ("dedicated=gpu", None),
            ("dedicated=gpu:Never", None),
            (":NoSchedule", None),
            ("a=b=c:NoSchedule", None),
        ] {
            assert_eq!(text.parse::<Taint>().ok().map(|taint| taint.to_string()).as_deref(), shown, "{text}");
        }
    }

    #[test]
    fn a_ca_is_named_by_its_certificate() {
        let text = include_str!("../../../../formats/src/x509/ca.pem");
        let two = format!("{text}\n{}", include_str!("../../../../formats/src/x509/ca-ec.pem"));
        assert_eq!(text.parse::<CaBundle>().unwrap().to_string(), "certificate of kubernetes");
        assert_eq!(two.parse::<CaBundle>().unwrap().to_string(), "certificate of kubernetes, kubernetes");
        for (text, words) in [
            ("", "no certificate"),
            ("hello", "no certificate"),
            (&text[..text.len() / 2], "truncated"),
            (
                "-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n",
                "certificate 1 cannot be parsed",
            ),
            ("-----BEGIN EC PRIVATE KEY-----\nAQID\n-----END EC PRIVATE KEY-----\n", "no certificate"),
        ] {
            let error = text.parse::<CaBundle>().unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn sockets_are_absolute() {
        for (text, is_fine) in [
            ("unix:///run/containerd/containerd.sock", true),
            ("/run/containerd/containerd.sock", false),
            ("unix://run/x.sock", false),
            ("unix:///run/../x.sock", false),
        ] {
            assert_eq!(cri_socket(text).is_ok(), is_fine, "{text}");
        }
    }
}
