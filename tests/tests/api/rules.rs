//! The rules, one function per subject.

use std::{
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use dayfly_qemu::{
    command::output,
    kubernetes::{ControlPlane, Validity},
};
use serde_json::{Value, json};

use crate::{
    Rule,
    client::{USAGES, Who, ask, join, node, requests, signing_request},
};

pub const RULES: &[Rule] = &[
    ("certificate_usages", certificate_usages),
    ("joining_again_keeps_the_node", joining_again_keeps_the_node),
    ("labels_and_taints", labels_and_taints),
    ("pods", pods),
    ("names", names),
    ("credentials", credentials),
    ("a_revoked_token_is_remembered", a_revoked_token_is_remembered),
    ("the_server_restarts", the_server_restarts),
    ("another_ca_at_the_same_address", another_ca_at_the_same_address),
];

const TWO_USAGES: &[&str] = &["digital signature", "client auth"];

/// What is requested, by whom, method, path, body, and the expected status.
type Row<'a> = (&'a str, &'a Who, &'a str, &'a str, Option<Value>, u16);

/// Sends the request of each row; the error lists all with another status.
fn table(cluster: &ControlPlane, rows: &[Row<'_>]) -> Result<()> {
    let mut wrong = Vec::new();
    for (what, who, method, path, body, expected) in rows {
        let answer = ask(&cluster.ca(), who, method, path, body.as_ref())?;
        if answer.status != *expected {
            wrong
                .push(format!("{what}: {} instead of {expected}: {}", answer.status, answer.body["message"]));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// A node of that name that has joined and registered itself, and the token by which it joined.
fn joined(cluster: &ControlPlane, folder: &Path, name: &str) -> Result<(Who, Who)> {
    let token = Who::from(&cluster.token(Validity::Hour)?);
    let who = join(cluster, folder, &format!("{name}-first"), name, &token, USAGES)?;
    let made = ask(&cluster.ca(), &who, "POST", "/api/v1/nodes", Some(&node(name)))?;
    ensure!(made.status == 201, "the node {name} cannot register: {made:?}");
    Ok((who, token))
}

fn uid(cluster: &ControlPlane, name: &str) -> Result<String> {
    Ok(cluster.node(name)?.with_context(|| format!("there is no node {name}"))?.uid)
}

fn certificate_usages(cluster: &mut ControlPlane) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let token = Who::from(&cluster.token(Validity::Hour)?);
    join(cluster, folder.path(), "three", "usages", &token, USAGES)?;
    // Before 1.27 a request without `key encipherment` was never approved.
    join(cluster, folder.path(), "two", "usages", &token, TWO_USAGES)?;
    Ok(())
}

fn joining_again_keeps_the_node(cluster: &mut ControlPlane) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (_, token) = joined(cluster, folder.path(), "again")?;
    let before = uid(cluster, "again")?;
    // A reboot that lost /var: a new key, a new request, and the Node still exists.
    let who = join(cluster, folder.path(), "again-second", "again", &token, USAGES)?;
    table(
        cluster,
        &[
            ("registering again", &who, "POST", "/api/v1/nodes", Some(node("again")), 409),
            ("reading the own Node", &who, "GET", "/api/v1/nodes/again", None, 200),
        ],
    )?;
    ensure!(uid(cluster, "again")? == before, "the uid has changed");
    // A node renews its certificate with the one that expires.
    join(cluster, folder.path(), "again-third", "again", &who, USAGES)?;
    Ok(())
}

fn labels_and_taints(cluster: &mut ControlPlane) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (who, _) = joined(cluster, folder.path(), "labelled")?;
    let own = "/api/v1/nodes/labelled";
    let label = |name: &str| Some(json!({ "metadata": { "labels": { name: "x" } } }));
    let taint = json!({ "spec": { "taints": [{ "key": "k", "effect": "NoSchedule" }] } });
    table(
        cluster,
        &[
            ("a label of one's own", &who, "PATCH", own, label("role"), 200),
            ("a label of the kubelet's", &who, "PATCH", own, label("node.kubernetes.io/x"), 200),
            ("the zone", &who, "PATCH", own, label("topology.kubernetes.io/zone"), 200),
            ("a role", &who, "PATCH", own, label("node-role.kubernetes.io/worker"), 403),
            ("a restricted label", &who, "PATCH", own, label("node-restriction.kubernetes.io/x"), 403),
            ("taints", &who, "PATCH", own, Some(taint), 403),
            (
                "cordoning oneself",
                &who,
                "PATCH",
                own,
                Some(json!({ "spec": { "unschedulable": true } })),
                200,
            ),
        ],
    )
}

fn pods(cluster: &mut ControlPlane) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (who, _) = joined(cluster, folder.path(), "host")?;
    cluster.wait("the default service account", Duration::from_secs(60), || {
        Ok(cluster.kubectl(&["get", "serviceaccount", "default"]).ok())
    })?;
    for (pod, node) in [("own", "host"), ("other", "elsewhere")] {
        let mut object = ControlPlane::greeter(pod);
        object["spec"]["nodeName"] = node.into();
        cluster.apply(&object)?;
    }
    let now = json!({ "kind": "DeleteOptions", "apiVersion": "v1", "gracePeriodSeconds": 0 });
    let pods = "/api/v1/namespaces/default/pods";
    table(
        cluster,
        &[
            ("listing one's own", &who, "GET", "/api/v1/pods?fieldSelector=spec.nodeName%3Dhost", None, 200),
            ("listing all", &who, "GET", "/api/v1/pods", None, 403),
            (
                "listing another's",
                &who,
                "GET",
                "/api/v1/pods?fieldSelector=spec.nodeName%3Delsewhere",
                None,
                403,
            ),
            ("deleting one's own at once", &who, "DELETE", &format!("{pods}/own"), Some(now), 200),
            ("deleting another's", &who, "DELETE", &format!("{pods}/other"), None, 403),
        ],
    )
}

fn names(cluster: &mut ControlPlane) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (who, token) = joined(cluster, folder.path(), "one")?;
    joined(cluster, folder.path(), "two")?;
    let (_, for_another) = signing_request(folder.path(), "another", "two", USAGES)?;
    table(
        cluster,
        &[
            ("a certificate for another name", &who, "POST", requests(), Some(for_another), 403),
            ("reading another Node", &who, "GET", "/api/v1/nodes/two", None, 403),
            ("listing Nodes", &who, "GET", "/api/v1/nodes", None, 403),
            ("deleting the own Node", &who, "DELETE", "/api/v1/nodes/one", None, 403),
            ("a token reading a Node", &token, "GET", "/api/v1/nodes/one", None, 403),
            ("a token deleting a Node", &token, "DELETE", "/api/v1/nodes/one", None, 403),
        ],
    )?;
    // The holder of a token can become any node: the token is a secret of the whole cluster.
    join(cluster, folder.path(), "impostor", "two", &token, USAGES).map(|_| ())
}

fn credentials(cluster: &mut ControlPlane) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let over = Who::from(&cluster.token(Validity::Over)?);
    let wrong = Who::Token("abcdef.ffffffffffffffff".into());
    let (_, request) = signing_request(folder.path(), "refused", "refused", USAGES)?;
    let stranger = stranger(folder.path())?;
    table(
        cluster,
        &[
            ("nobody, health", &Who::Nobody, "GET", "/healthz", None, 200),
            ("nobody, nodes", &Who::Nobody, "GET", "/api/v1/nodes", None, 403),
            ("a wrong token", &wrong, "POST", requests(), Some(request.clone()), 401),
            ("an expired token", &over, "POST", requests(), Some(request), 401),
            ("a certificate of another CA", &stranger, "GET", "/api/v1/nodes/refused", None, 401),
        ],
    )
}

/// A node's certificate from a CA that the cluster does not know.
fn stranger(folder: &Path) -> Result<Who> {
    let (certificate, key) = (folder.join("stranger.crt"), folder.join("stranger.key"));
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-days",
        "1",
    ]);
    openssl.args(["-subj", "/O=system:nodes/CN=system:node:refused", "-keyout"]).arg(&key);
    output(openssl.arg("-out").arg(&certificate), b"")?;
    Ok(Who::Node { certificate, key })
}

/// According to the server's source, for ten seconds after the last use. The measured time is printed, not asserted.
fn a_revoked_token_is_remembered(cluster: &mut ControlPlane) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let token = cluster.token(Validity::Hour)?;
    let who = Who::from(&token);
    join(cluster, folder.path(), "before", "revoked", &who, USAGES)?;
    cluster.revoke(&token)?;
    let revoked = Instant::now();
    let mut asked = 0;
    let mut post = || {
        asked += 1;
        let (_, request) = signing_request(folder.path(), &format!("revoked-{asked}"), "revoked", USAGES)?;
        Ok::<_, anyhow::Error>(ask(&cluster.ca(), &who, "POST", requests(), Some(&request))?.status)
    };
    loop {
        match post()? {
            401 => break,
            201 if revoked.elapsed() < Duration::from_secs(60) => {
                std::thread::sleep(Duration::from_millis(500));
            }
            other => bail!("{other} {:.1} s after the token was revoked", revoked.elapsed().as_secs_f32()),
        }
    }
    eprintln!("    a_revoked_token_is_remembered: refused after {:.1} s", revoked.elapsed().as_secs_f32());
    Ok(())
}

fn the_server_restarts(cluster: &mut ControlPlane) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (who, _) = joined(cluster, folder.path(), "patient")?;
    let before = uid(cluster, "patient")?;
    cluster.stop_api();
    let refused = ask(&cluster.ca(), &who, "GET", "/healthz", None);
    ensure!(refused.is_err(), "a server that was stopped answers {refused:?}");
    cluster.start_api()?;
    ensure!(uid(cluster, "patient")? == before, "the uid has changed");
    table(cluster, &[("the certificate is still good", &who, "GET", "/api/v1/nodes/patient", None, 200)])
}

/// This rule is the last one: it removes everything of the others.
fn another_ca_at_the_same_address(cluster: &mut ControlPlane) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (who, token) = joined(cluster, folder.path(), "orphan")?;
    let old = folder.path().join("old-ca.crt");
    fs::copy(cluster.ca(), &old)?;
    cluster.found_anew()?;
    let distrust = ask(&old, &who, "GET", "/healthz", None);
    ensure!(distrust.is_err(), "the old CA still verifies the server: {distrust:?}");
    table(
        cluster,
        &[
            ("the old cluster's certificate", &who, "GET", "/api/v1/nodes/orphan", None, 401),
            ("the old cluster's token", &token, "GET", "/api/v1/nodes/orphan", None, 401),
        ],
    )?;
    ensure!(cluster.node("orphan")?.is_none(), "the new cluster knows the old one's node");
    // Both CAs have the same name; only their keys differ.
    let subject =
        |ca: &Path| output(Command::new("openssl").args(["x509", "-noout", "-subject", "-in"]).arg(ca), b"");
    ensure!(subject(&old)? == subject(&cluster.ca())?, "the CAs have different names");
    joined(cluster, folder.path(), "orphan")?;
    Ok(())
}
