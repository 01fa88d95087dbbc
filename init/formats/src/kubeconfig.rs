//! The clusters of a kubeconfig. Its YAML or JSON is read as a stream of events: no tree is built and no alias is
//! followed, so deep nesting does not use the stack.

use base64::Engine;
use saphyr_parser::{Event, Parser};

use crate::pem::BASE64;

/// The certificates of the cluster's CA in PEM, from `certificate-authority-data` of every cluster. `None` if there is
/// none, or if one cannot be read.
pub fn authority(text: &str) -> Option<String> {
    let mut pem = String::new();
    for value in values(text, "certificate-authority-data")? {
        let bytes = BASE64.decode(value.trim()).ok()?;
        pem.push_str(std::str::from_utf8(&bytes).ok()?);
        pem.push('\n');
    }
    (!pem.is_empty()).then_some(pem)
}

/// The API server's URL of the first cluster.
pub fn server(text: &str) -> Option<String> {
    values(text, "server")?.into_iter().next()
}

/// A list, or a map with the key of the next value.
enum Level {
    List,
    Map(Option<String>),
}

/// The scalar values of a key in the clusters (client-go's clientcmd/api/v1: `clusters[].cluster`), in order. `None` if
/// the text is not YAML.
fn values(text: &str, key: &str) -> Option<Vec<String>> {
    let mut levels: Vec<Level> = Vec::new();
    let mut values = Vec::new();
    for event in Parser::new_from_str(text) {
        match event.ok()?.0 {
            Event::Scalar(name, ..) if matches!(levels.last(), Some(Level::Map(None))) => {
                if let Some(Level::Map(next)) = levels.last_mut() {
                    *next = Some(name.into_owned());
                }
            }
            Event::Scalar(value, ..) => {
                // The parser returns a tilde for a key without a value.
                if is_in_cluster(&levels, key) && !matches!(&*value, "" | "~") {
                    values.push(value.into_owned());
                }
                end_value(&mut levels);
            }
            Event::SequenceStart(..) => levels.push(Level::List),
            Event::MappingStart(..) => levels.push(Level::Map(None)),
            Event::SequenceEnd | Event::MappingEnd => {
                levels.pop();
                end_value(&mut levels);
            }
            Event::Alias(_) => end_value(&mut levels),
            // A kubeconfig is one document.
            Event::DocumentEnd => break,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) => {}
        }
    }
    Some(values)
}

/// Called at the end of a value: in a map, the next event is a key. A list or a map used as a key becomes an empty key.
fn end_value(levels: &mut [Level]) {
    if let Some(Level::Map(key)) = levels.last_mut() {
        *key = if key.is_some() { None } else { Some(String::new()) };
    }
}

fn is_in_cluster(levels: &[Level], key: &str) -> bool {
    let [Level::Map(Some(clusters)), Level::List, Level::Map(Some(cluster)), Level::Map(Some(field))] =
        levels
    else {
        return false;
    };
    clusters == "clusters" && cluster == "cluster" && field == key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_cluster_in_every_spelling() {
        let kubectl = "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: QUJD\n    server: https://10.0.0.1:6443\n  name: k\n";
        let quoted = "clusters:\n- cluster: {\"server\": \"https://10.0.0.1:6443\", certificate-authority-data: 'QUJD'}\n";
        let json = r#"{"clusters":[{"cluster":{"certificate-authority-data":"QUJD","server":"https://10.0.0.1:6443"}}]}"#;
        let flow = "clusters: [{cluster: {server: https://10.0.0.1:6443,certificate-authority-data: QUJD}}]";
        let others = "# server: https://old\nusers:\n- name: u\n  user: {exec: {command: x, env: [{name: server, value: y}]}, server: z}\nclusters:\n- name: k\n  cluster:\n    ? [a, b]\n    : server\n    tls-server-name: n\n    server: &s https://10.0.0.1:6443\n    certificate-authority-data: |\n      QUJD\n- name: l\n  cluster: {server: *s}\n";
        for text in [kubectl, quoted, json, flow, others] {
            assert_eq!(authority(text).as_deref(), Some("ABC\n"), "{text}");
            assert_eq!(server(text).as_deref(), Some("https://10.0.0.1:6443"), "{text}");
        }
    }

    #[test]
    fn what_is_not_there_or_not_readable_is_none() {
        for field in [
            "",
            "certificate-authority: /etc/kubernetes/pki/ca.crt",
            "certificate-authority-data:",
            "certificate-authority-data: \"\"",
            "certificate-authority-data: '***'",
            "certificate-authority-data: /w==",
            "certificate-authority-data: *other",
            "my-certificate-authority-data: QUJD",
            "certificate-authority-database: QUJD",
            "tls-server-name: x",
            "server:",
            "inner: {server: x, certificate-authority-data: QUJD}",
            "# server: x",
        ] {
            let text = format!("clusters:\n- name: k\n  cluster:\n    {field}\n");
            assert_eq!((authority(&text), server(&text)), (None, None), "{text}");
        }
        for text in [
            "server: x\n",
            "cluster: {server: x}\n",
            "- cluster: {server: x}\n",
            "clusters: {cluster: {server: x}}\n",
            "clusters: [\n",
            "",
        ] {
            assert_eq!((authority(text), server(text)), (None, None), "{text}");
        }
        let cluster = |data: &str| format!("- cluster: {{certificate-authority-data: {data}}}\n");
        let two = format!("clusters:\n{}{}", cluster("QQ=="), cluster("Qg=="));
        assert_eq!(authority(&two).as_deref(), Some("A\nB\n"));
    }

    /// The text is as large as a settings file can be. Reading it must neither crash nor take forever.
    #[test]
    fn what_nests_or_repeats_without_end_is_read() {
        for part in ["[", "{", "- ", "? ", "a: ", "- &a x\n", "- *a\n", "---\n", "# x\n", "\"", "|\n "] {
            let text = part.repeat((1 << 18) / part.len());
            assert_eq!(server(&text), None, "{part}");
        }
    }
}
