//! What the replicas of a real installation export is enough for every alert and every panel of the chart.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use kube::Client;

use crate::harness::Harness;
use crate::tool::Tool;

/// The chart's default for `metrics.port`.
const PORT: u16 = 8080;
/// What `cargo xtask alerts` says where it can have no promtool.
const NO_PROMTOOL: &str = "promtool is not in the cache";

/// Scrapes every replica through the API server, and lets Prometheus' own engine look for a series behind each expression.
pub(super) async fn answer_every_question(harness: &mut Harness) -> Result<()> {
    let dir = harness.dir.join("metrics");
    std::fs::create_dir_all(&dir).with_context(|| format!("{} could not be made", dir.display()))?;
    let mut files: Vec<PathBuf> = Vec::new();
    for pod in harness.pods().await?.into_iter().filter(|pod| pod.ready && !pod.ending) {
        let text = scrape(&harness.client, &harness.release.namespace, &pod.name).await?;
        let file = dir.join(format!("{}.prom", pod.name));
        std::fs::write(&file, text).with_context(|| format!("{} could not be written", file.display()))?;
        files.push(file);
    }
    ensure!(!files.is_empty(), "no replica is ready");
    let evaluated = Tool::new("cargo").args(["xtask", "alerts", "--metrics"]).args(&files).attempt().await?;
    let said = String::from_utf8_lossy(&evaluated.stdout);
    if !evaluated.ok && evaluated.stderr.contains(NO_PROMTOOL) {
        harness.note(format!("scraped, and not evaluated: {}", evaluated.stderr.trim()));
        return Ok(());
    }
    let missing: Vec<_> = said.lines().filter(|line| line.starts_with("MISSING")).collect();
    ensure!(evaluated.ok, "{}; {}", evaluated.stderr.trim(), missing.join("; "));
    let sum = said.lines().rfind(|line| line.starts_with("all ")).context("nothing was evaluated")?;
    harness.note(format!("{} replicas were scraped: {sum}", files.len()));
    Ok(())
}

async fn scrape(client: &Client, namespace: &str, pod: &str) -> Result<String> {
    let path = format!("/api/v1/namespaces/{namespace}/pods/{pod}:{PORT}/proxy/metrics");
    let request = http::Request::get(path).body(Vec::new())?;
    client.request_text(request).await.with_context(|| format!("{pod} does not answer at /metrics"))
}
