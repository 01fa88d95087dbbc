//! What a kubeconfig says about its cluster, found without a YAML parser: kubeconfigs are written by programs, with each of
//! these values on its key's line, in YAML or in JSON.

use base64::Engine;

use crate::pem::BASE64;

/// The certificates of the cluster's CA, in PEM: what `certificate-authority-data` holds, of every cluster in it. `None`
/// where there is none, or where it cannot be read.
pub fn authority(text: &str) -> Option<String> {
    let mut pem = String::new();
    for value in values(text, "certificate-authority-data") {
        let bytes = BASE64.decode(value).ok()?;
        pem.push_str(std::str::from_utf8(&bytes).ok()?);
        pem.push('\n');
    }
    (!pem.is_empty()).then_some(pem)
}

/// The API server's URL, of the first cluster in it.
pub fn server(text: &str) -> Option<&str> {
    values(text, "server").next()
}

/// The scalars that a key has, in their order.
fn values<'a>(text: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(key).filter_map(move |(at, _)| {
        let before = text.get(..at)?;
        let after = text.get(at + key.len()..)?;
        // The whole key: quoted, or after a blank, a brace or a comma.
        let quote = before.chars().last().filter(|c| matches!(c, '"' | '\''));
        let after = match quote {
            Some(quote) => after.strip_prefix(quote)?,
            None if before.is_empty()
                || before.ends_with(|c: char| c.is_whitespace() || "{,".contains(c)) =>
            {
                after
            }
            None => return None,
        };
        let value = after.strip_prefix(':')?.trim_start_matches([' ', '\t']);
        match value.chars().next().filter(|c| matches!(c, '"' | '\'')) {
            Some(quote) => value.get(1..)?.split(quote).next(),
            None => value.split(|c: char| c.is_whitespace() || ",}".contains(c)).next(),
        }
        .filter(|value| !value.is_empty())
    })
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
        for text in [kubectl, quoted, json, flow] {
            assert_eq!(authority(text).as_deref(), Some("ABC\n"), "{text}");
            assert_eq!(server(text), Some("https://10.0.0.1:6443"), "{text}");
        }
    }

    #[test]
    fn what_is_not_there_or_not_readable_is_none() {
        for text in [
            "",
            "certificate-authority: /etc/kubernetes/pki/ca.crt\n",
            "certificate-authority-data:\n",
            "certificate-authority-data: \"\"\n",
            "certificate-authority-data: ***\n",
            "certificate-authority-data: /w==\n",
            "my-certificate-authority-data: QUJD\n",
            "certificate-authority-database: QUJD\n",
            "tls-server: x\n",
            "server-name: x\n",
            "# certificate-authority-data\n",
        ] {
            assert_eq!((authority(text), server(text)), (None, None), "{text}");
        }
        let two = "certificate-authority-data: QQ==\ncertificate-authority-data: Qg==\n";
        assert_eq!(authority(two).as_deref(), Some("A\nB\n"));
    }
}
