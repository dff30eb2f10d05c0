//! One node of a kind cluster, which is a container of the docker engine.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use overlap_checker::records::{BootId, BootTime, Stamp};

use crate::tool::Tool;

/// A node.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) name: String,
}

/// How long a container may take to be found; it runs already.
const FOUND_WITHIN: Duration = Duration::from_secs(20);

impl Node {
    /// Runs a shell script on it.
    pub(crate) async fn shell(&self, script: &str) -> Result<String> {
        Tool::new("docker").args(["exec", &self.name, "bash", "-c", script]).run().await
    }

    /// Like [`Self::shell`], for output that is no text.
    pub(crate) async fn shell_bytes(&self, script: &str) -> Result<Vec<u8>> {
        Tool::new("docker").args(["exec", &self.name, "bash", "-c", script]).bytes().await
    }

    /// Starts a shell script and leaves it running.
    pub(crate) async fn background(&self, script: &str) -> Result<()> {
        Tool::new("docker")
            .args(["exec", "--detach", &self.name, "bash", "-c", script])
            .run()
            .await
            .map(|_| ())
    }

    /// Runs a script, and says when it began. All nodes of a kind cluster share the machine's clock and boot.
    pub(crate) async fn shell_at(&self, script: &str) -> Result<Stamp> {
        let script = format!("cat /proc/uptime /proc/sys/kernel/random/boot_id; {script}");
        let output = self.shell(&script).await?;
        let mut lines = output.lines();
        let (Some(uptime), Some(boot_id)) = (lines.next(), lines.next()) else {
            bail!("node {} did not tell the time", self.name);
        };
        let seconds = uptime.split_whitespace().next().unwrap_or_default();
        let boot = nanoseconds(seconds).with_context(|| format!("{uptime:?} is no uptime"))?;
        Ok(Stamp { boot: BootTime(boot), boot_id: BootId(boot_id.trim().to_owned()) })
    }

    /// The process of a Pod's container, as the node numbers it.
    pub(crate) async fn process(&self, pod: &str, container: &str) -> Result<u32> {
        let script = format!(
            "id=$(crictl ps --quiet --state running --name '^{container}$' --label io.kubernetes.pod.name={pod}); \
             [ -n \"$id\" ] && crictl inspect --output go-template --template '{{{{.info.pid}}}}' $id"
        );
        let started = std::time::Instant::now();
        loop {
            match self.shell(&script).await {
                Ok(text) if text.trim().parse::<u32>().is_ok() => return Ok(text.trim().parse()?),
                Ok(_) | Err(_) if started.elapsed() < FOUND_WITHIN => {}
                Ok(text) => bail!("crictl on {} says {text:?} for the process of {pod}", self.name),
                Err(error) => {
                    return Err(error).with_context(|| format!("the process of {pod} was not found"));
                }
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Ends everything on it at once, as a power cut does.
    pub(crate) async fn power_off(&self) -> Result<()> {
        Tool::new("docker").args(["kill", &self.name]).run().await.map(|_| ())
    }

    pub(crate) async fn power_on(&self) -> Result<()> {
        Tool::new("docker").args(["start", &self.name]).run().await.map(|_| ())
    }

    /// Stops everything on it where it stands, as the suspension of a virtual machine does.
    pub(crate) async fn freeze(&self) -> Result<()> {
        Tool::new("docker").args(["pause", &self.name]).run().await.map(|_| ())
    }

    pub(crate) async fn thaw(&self) -> Result<()> {
        Tool::new("docker").args(["unpause", &self.name]).run().await.map(|_| ())
    }

    /// Removes the iptables rules by which a drill cut operator Pods off, wherever they are left.
    pub(crate) async fn mend_network(&self) -> Result<()> {
        let script = "for pid in $(pgrep -x memcached-opera); do \
            nsenter --target $pid --net iptables -w -F OUTPUT; nsenter --target $pid --net iptables -w -F INPUT; done";
        self.shell(script).await.map(|_| ())
    }
}

/// `12.34` seconds, without the detour by a float.
fn nanoseconds(seconds: &str) -> Option<u64> {
    let (whole, part) = seconds.split_once('.')?;
    let part: u64 = format!("{part:0<9}").get(..9)?.parse().ok()?;
    Some(whole.parse::<u64>().ok()? * 1_000_000_000 + part)
}

#[cfg(test)]
mod tests {
    use super::nanoseconds;

    #[test]
    fn uptimes_are_read() {
        assert_eq!(nanoseconds("12.34"), Some(12_340_000_000));
        assert_eq!(nanoseconds("12"), None);
    }
}
