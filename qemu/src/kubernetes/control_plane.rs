//! A throw-away control plane: etcd, API server, controller manager, scheduler, set up as kubeadm does.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    Parts,
    setup::{Setup, Token, Validity},
};
use crate::{command::say, daemon::Daemon, lan::Lan};

/// How long a part may take to answer. On an idle machine it takes five seconds.
const START: Duration = Duration::from_secs(180);
/// How often to poll.
const POLL: Duration = Duration::from_millis(200);

/// The cluster's view of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeStatus {
    /// The object's uid; another uid is another node of the same name.
    pub uid: String,
    /// The kubelet reports that pods can run.
    pub is_ready: bool,
    /// The boot from which the kubelet last reported.
    pub boot_id: String,
    /// The whole object.
    pub object: Value,
}

impl NodeStatus {
    /// The status in a Node object.
    pub fn of(node: &Value) -> Self {
        let conditions = node["status"]["conditions"].as_array();
        Self {
            uid: node["metadata"]["uid"].as_str().unwrap_or_default().to_owned(),
            is_ready: conditions
                .is_some_and(|all| all.iter().any(|one| one["type"] == "Ready" && one["status"] == "True")),
            boot_id: node["status"]["nodeInfo"]["bootID"].as_str().unwrap_or_default().to_owned(),
            object: node.clone(),
        }
    }
}

/// A running control plane. Dropping this ends all of it.
///
/// It listens in the network of the thread that started it, on fixed ports of its own.
pub struct ControlPlane {
    parts: Parts,
    // In the order in which they end: an API server that shuts down waits for etcd.
    scheduler: Option<Daemon>,
    controllers: Option<Daemon>,
    api: Option<Daemon>,
    etcd: Option<Daemon>,
    dir: TempDir,
    logs: PathBuf,
}

impl ControlPlane {
    /// Starts a new cluster in the network of `lan`. Each program appends to a log of its name in the folder `logs`.
    pub fn start(parts: &Parts, _lan: &Lan, logs: &Path) -> Result<Self> {
        let dir = tempfile::Builder::new()
            .prefix("dayfly-cluster.")
            .tempdir()
            .context("cannot make a temporary folder")?;
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700))?;
        fs::create_dir_all(logs).with_context(|| format!("cannot make {}", logs.display()))?;
        let mut cluster = Self {
            parts: parts.clone(),
            scheduler: None,
            controllers: None,
            api: None,
            etcd: None,
            dir,
            logs: logs.to_owned(),
        };
        cluster.found()?;
        Ok(cluster)
    }

    /// Removes the cluster and starts a new one at the same address: new CA, new keys, no known nodes.
    pub fn found_anew(&mut self) -> Result<()> {
        (self.scheduler, self.controllers, self.api, self.etcd) = (None, None, None, None);
        for entry in fs::read_dir(self.dir.path())? {
            let path = entry?.path();
            if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }
                .with_context(|| format!("cannot remove {}", path.display()))?;
        }
        self.found()
    }

    fn found(&mut self) -> Result<()> {
        let started = Instant::now();
        self.setup().make_keys()?;
        self.etcd = Some(self.daemon("etcd", &self.setup().etcd())?);
        self.start_api()?;
        // Only now: both exit if the API server refuses them before it has created its default roles.
        self.controllers = Some(self.daemon("kube-controller-manager", &self.setup().controller_manager())?);
        self.scheduler = Some(self.daemon("kube-scheduler", &self.setup().scheduler())?);
        self.setup().make_bindings()?;
        say(&format!("kubernetes: control plane ready after {:.1} s", started.elapsed().as_secs_f32()));
        Ok(())
    }

    fn setup(&self) -> Setup<'_> {
        Setup { parts: &self.parts, dir: self.dir.path() }
    }

    fn daemon(&self, program: &str, arguments: &[String]) -> Result<Daemon> {
        let all: Vec<String> = [program.to_owned()].into_iter().chain(arguments.iter().cloned()).collect();
        Daemon::start(program, &self.parts.kubeall(), &all, &self.logs.join(format!("{program}.log")))
    }

    /// Starts the API server, and waits until it is ready.
    pub fn start_api(&mut self) -> Result<()> {
        self.api = Some(self.daemon("kube-apiserver", &self.setup().api_server())?);
        let end = Instant::now() + START;
        while self.kubectl(&["get", "--raw=/readyz", "--request-timeout=2s"]).is_err() {
            for part in [&mut self.etcd, &mut self.api].into_iter().flatten() {
                if let Some(status) = part.ended()? {
                    bail!("a part of the control plane ended at once ({status}): {}", part.last_words());
                }
            }
            if Instant::now() > end {
                let words = self.api.as_ref().map(Daemon::last_words).unwrap_or_default();
                bail!("the API server is not ready after {} s: {words}", START.as_secs());
            }
            std::thread::sleep(POLL);
        }
        self.restart_clients()
    }

    /// Restarts the programs that ended because the API server was away, as their static pods would.
    fn restart_clients(&mut self) -> Result<()> {
        let has_ended = |part: &mut Option<Daemon>| match part {
            Some(part) => part.ended().map(|end| end.is_some()),
            None => Ok(false),
        };
        if has_ended(&mut self.controllers)? {
            self.controllers =
                Some(self.daemon("kube-controller-manager", &self.setup().controller_manager())?);
        }
        if has_ended(&mut self.scheduler)? {
            self.scheduler = Some(self.daemon("kube-scheduler", &self.setup().scheduler())?);
        }
        Ok(())
    }

    /// Ends the API server as a crash does; its data stays in etcd.
    pub fn stop_api(&mut self) {
        self.api = None;
    }

    /// The CA's certificate (PEM).
    pub fn ca(&self) -> PathBuf {
        self.setup().pki("ca.crt")
    }

    /// The kubeconfig of the administrator.
    pub fn admin(&self) -> PathBuf {
        self.setup().admin()
    }

    /// Runs kubectl as administrator and returns its output. An error has kubectl's message.
    pub fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        self.setup().kubectl(arguments, None)
    }

    /// The output of kubectl with `-o json`.
    pub fn get(&self, arguments: &[&str]) -> Result<Value> {
        let all: Vec<&str> = ["get", "-o", "json"].into_iter().chain(arguments.iter().copied()).collect();
        serde_json::from_str(&self.kubectl(&all)?).context("kubectl printed no JSON")
    }

    /// Creates or changes an object.
    pub fn apply(&self, object: &Value) -> Result<()> {
        self.setup().apply(object)
    }

    /// A new bootstrap token.
    pub fn token(&self, validity: Validity) -> Result<Token> {
        self.setup().make_token(validity)
    }

    /// Revokes a token. The API server still accepts a token that it has seen for ten seconds.
    pub fn revoke(&self, token: &Token) -> Result<()> {
        let secret = format!("bootstrap-token-{}", token.id);
        self.kubectl(&["-n", "kube-system", "delete", "secret", &secret]).map(|_| ())
    }

    /// The kubeconfig with which a node with this token joins.
    pub fn bootstrap_kubeconfig(&self, token: &Token) -> Result<String> {
        self.setup().bootstrap_kubeconfig(token)
    }

    /// The cluster's view of a node, if it knows the node.
    pub fn node(&self, name: &str) -> Result<Option<NodeStatus>> {
        let nodes = self.get(&["nodes"])?;
        let all = nodes["items"].as_array().context("kubectl listed no items")?;
        Ok(all.iter().find(|node| node["metadata"]["name"] == name).map(NodeStatus::of))
    }

    /// Waits until the node is ready in a boot other than `after`.
    pub fn wait_ready(&self, name: &str, after: Option<&str>, deadline: Duration) -> Result<NodeStatus> {
        self.wait(&format!("node {name} to be ready"), deadline, || {
            let node = self.node(name)?;
            Ok(node.filter(|node| node.is_ready && Some(node.boot_id.as_str()) != after))
        })
    }

    /// Waits until the pod (in the namespace default) has a running container whose start is not `after`; returns its start.
    pub fn wait_running(&self, pod: &str, after: Option<&str>, deadline: Duration) -> Result<String> {
        self.wait(&format!("pod {pod} to run"), deadline, || {
            let object = self.get(&["pod", pod])?;
            let started = &object["status"]["containerStatuses"][0]["state"]["running"]["startedAt"];
            Ok(started.as_str().filter(|&time| Some(time) != after).map(str::to_owned))
        })
    }

    /// Polls until there is an answer. Polls again after an error too: the API server may be down for a while.
    pub fn wait<T>(
        &self,
        what: &str,
        deadline: Duration,
        mut ask: impl FnMut() -> Result<Option<T>>,
    ) -> Result<T> {
        let end = Instant::now() + deadline;
        loop {
            let problem = match ask() {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => "it is not".to_owned(),
                Err(error) => format!("{error:#}"),
            };
            if Instant::now() > end {
                bail!("waited {:.0} s for {what}: {problem}", deadline.as_secs_f32());
            }
            std::thread::sleep(POLL);
        }
    }

    /// A pod that runs the test program, by default on a node that the scheduler chooses.
    pub fn greeter(name: &str) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name },
            "spec": {
                "terminationGracePeriodSeconds": 1, "automountServiceAccountToken": false,
                "containers": [{ "name": "greeter", "image": "localhost/hello:1", "imagePullPolicy": "Never" }],
            },
        })
    }
}
