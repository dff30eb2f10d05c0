//! What the documentation promises to somebody with kubectl.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::harness::Harness;
use crate::operator::{ID, shard_leases, spread};
use crate::resources::NAMESPACE;
use crate::tool::Tool;
use crate::wait::{WaitStatus, until};

const STATUS: &str = "$ kubectl -n $NS exec deploy/<deployment> -- /memcached-operator status";
const WATCHED_NAMESPACES: &str =
    "$ kubectl -n $NS get leases -l cache.example.com/election=$ID -o custom-columns=";
const RENEW_TIME: &str = "$ kubectl -n $NS get lease $ID -o jsonpath='{.spec.renewTime}'";
const EVENTS: &str = "$ kubectl -n $NS events --for lease/";

pub(super) async fn settles(harness: &mut Harness) -> Result<()> {
    harness.settle().await?;
    let leases = shard_leases(&harness.client, &harness.release.namespace).await?;
    let spread = spread(&leases);
    harness.note(format!("the shards are spread {spread}"));
    ensure!(spread == "3/3/2", "8 shards of 3 replicas are spread {spread} instead of 3/3/2");
    Ok(())
}

/// The commands of docs/operations.md as they are written there, and of the README, pipes included.
pub(super) async fn commands(harness: &mut Harness) -> Result<()> {
    status(harness).await?;
    watched_namespaces(harness).await?;
    renew_time(harness).await?;
    holder(harness).await?;
    events(harness).await?;
    memcached(harness).await
}

/// The first look: who holds which shard. Its headings are those that the page shows.
async fn status(harness: &Harness) -> Result<()> {
    let command = documented(STATUS)?;
    let shown = shell(harness, &command).await?;
    for heading in ["LAYOUT ", "SHARD ", "MEMBER "] {
        let columns = columns(&documented(heading)?);
        ensure!(
            shown.lines().any(|line| self::columns(line) == columns),
            "`{command}` does not show the columns {columns:?}: {shown}"
        );
    }
    let shown_shards = shard_rows(&shown);
    let pods = harness.pods().await?;
    for shard in 0..harness.release.shards {
        let row = shown_shards.iter().find(|row| row.first() == Some(&shard.to_string()));
        let Some([_, state, pod, ..]) = row.map(Vec::as_slice) else {
            bail!("`{command}` shows no shard {shard}: {shown}");
        };
        ensure!(state == "Held", "`{command}` shows that shard {shard} is {state} instead of Held");
        ensure!(
            pods.iter().any(|one| one.name == *pod),
            "`{command}` shows the holder {pod} of shard {shard}, which is none of the operator's Pods"
        );
    }
    Ok(())
}

/// One line for each replica, with the namespaces that it watches.
async fn watched_namespaces(harness: &Harness) -> Result<()> {
    let command = documented(WATCHED_NAMESPACES)?;
    let shown = shell(harness, &command).await?;
    let mut lines = shown.lines().map(columns);
    let heading = lines.next().unwrap_or_default();
    ensure!(heading == ["HOLDER", "WATCHES"], "`{command}` shows the columns {heading:?}");
    let lines: Vec<_> = lines.collect();
    for pod in harness.pods().await? {
        let replica = format!("{}_", pod.name);
        ensure!(
            lines.iter().any(
                |line| line[0].starts_with(&replica) && line.get(1).is_some_and(|watched| watched == "*")
            ),
            "`{command}` does not show that {} watches all namespaces: {shown}",
            pod.name
        );
    }
    Ok(())
}

async fn renew_time(harness: &Harness) -> Result<()> {
    let command = documented(RENEW_TIME)?;
    let shown = shell(harness, &command).await?;
    shown
        .trim()
        .parse::<jiff::Timestamp>()
        .with_context(|| format!("`{command}` shows {shown:?}, which is no time"))?;
    Ok(())
}

/// The Pod is the part of the holder before the `_`.
async fn holder(harness: &mut Harness) -> Result<()> {
    let command =
        "kubectl -n $NS get lease $ID-shard-0 -o jsonpath='{.spec.holderIdentity}' | awk -F_ '{print $1}'";
    let pod = shell(harness, command).await?.trim().to_owned();
    let pods = harness.pods().await?;
    ensure!(
        pods.iter().any(|one| one.name == pod),
        "`{command}` gives {pod:?}, which is none of the operator's Pods"
    );
    harness.note(format!("the holder of shard 0 is Pod {pod}"));
    Ok(())
}

async fn events(harness: &Harness) -> Result<()> {
    let command = documented(EVENTS)?;
    // Events are written after the Lease, and may be later.
    until("the event of an acquisition", Duration::from_secs(30), || async {
        let events = shell(harness, &command).await?;
        let told = events.contains("LeaderElection") && events.contains("became leader");
        Ok(WaitStatus::when(told, || format!("`{command}` shows {events:?}")))
    })
    .await
}

async fn memcached(harness: &Harness) -> Result<()> {
    for kind in ["memcached", "mc", "memcacheds"] {
        let command = format!("kubectl get {kind} -n {NAMESPACE}");
        let shown = shell(harness, &command).await?;
        let mut lines = shown.lines();
        let heading: Vec<_> = lines.next().unwrap_or_default().split_whitespace().collect();
        ensure!(
            heading == ["NAME", "READY", "REPLICAS", "AVAILABLE", "AGE"],
            "`{command}` shows the columns {heading:?}"
        );
        let served = lines.find(|line| line.starts_with("served-0")).unwrap_or_default();
        let columns: Vec<_> = served.split_whitespace().collect();
        ensure!(
            columns.get(1..4) == Some(&["2/2", "2", "True"]),
            "`{command}` shows {served:?} for served-0"
        );
    }
    Ok(())
}

/// The one line of docs/operations.md that begins so, without the prompt. That several do is an error: the page was changed, and which of them is meant has
/// to be said here.
fn documented(beginning: &str) -> Result<String> {
    let page = include_str!("../../../docs/operations.md");
    let lines: Vec<_> = page.lines().filter(|line| line.starts_with(beginning)).collect();
    let [line] = lines[..] else {
        bail!("docs/operations.md has {} lines that begin with {beginning:?} instead of one", lines.len());
    };
    Ok(line.trim_start_matches("$ ").to_owned())
}

/// The rows of the table of shards, which an empty line ends. The tables before and after it begin with numbers too.
fn shard_rows(status: &str) -> Vec<Vec<String>> {
    let table = status.lines().skip_while(|line| !line.starts_with("SHARD ")).skip(1);
    table.take_while(|line| !line.trim().is_empty()).map(columns).collect()
}

fn columns(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

async fn shell(harness: &Harness, command: &str) -> Result<String> {
    let namespace = &harness.release.namespace;
    let deployment = format!("{}-memcached-operator", harness.release.name);
    let script = format!("NS={namespace} ID={ID}; {}", command.replace("<deployment>", &deployment));
    Tool::new("bash")
        .args(["-o", "pipefail", "-c", &script])
        .kubeconfig(&harness.cluster.kubeconfig)
        .run()
        .await
}

#[cfg(test)]
mod tests {
    use super::{EVENTS, RENEW_TIME, STATUS, WATCHED_NAMESPACES, columns, documented, shard_rows};

    #[test]
    fn each_command_is_documented_once() {
        for beginning in [EVENTS, RENEW_TIME, STATUS, WATCHED_NAMESPACES] {
            documented(beginning).expect("it is documented");
        }
    }

    /// The generation in the first table is a number too.
    #[test]
    fn the_rows_of_shards_are_those_of_their_table() {
        let page = include_str!("../../../docs/operations.md");
        let status = page.split("LAYOUT ").nth(1).expect("it is documented");
        let rows = shard_rows(status);
        let held: Vec<_> = rows.iter().map(|row| (row[0].as_str(), row[1].as_str())).collect();
        assert_eq!(held, [("0", "Held"), ("1", "Held"), ("2", "Held"), ("3", "Held")]);
    }

    #[test]
    fn what_the_drill_expects_of_each_command_is_what_the_page_shows() {
        let shards = columns(&documented("SHARD ").expect("it is documented"));
        assert_eq!(shards[..3], ["SHARD", "STATE", "HOLDER"]);
        let watched = documented(WATCHED_NAMESPACES).expect("it is documented");
        assert!(watched.contains("'HOLDER:") && watched.contains(",WATCHES:"), "{watched}");
    }
}
