//! Many resources at once, and resources that make no sense.

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use crate::harness::Harness;
use crate::resources::{NAMESPACE, empty};

/// Until a burst of a thousand is done, deleted, and collected, on a small machine.
const BURST_WITHIN: Duration = Duration::from_secs(900);

pub(super) async fn burst(harness: &mut Harness) -> Result<()> {
    let count = harness.options.burst;
    let started = Instant::now();
    harness.resources.create((0..count).map(|number| (format!("burst-{number}"), empty()))).await?;
    let created = started.elapsed();
    harness.resources.converged(BURST_WITHIN).await?;
    let converged = started.elapsed();
    harness.note(format!(
        "{count} resources created in {:.1} s, as asked for after {:.1} s",
        created.as_secs_f64(),
        converged.as_secs_f64()
    ));
    harness.resources.delete("burst-", BURST_WITHIN).await
}

/// What is wrong, and what the refusal has to say about it.
const MALFORMED: [(&str, &str, &str); 9] = [
    ("too-many", "replicas: 101", "should be less than or equal to 100"),
    ("negative", "replicas: -1", "should be greater than or equal to 0"),
    ("no-number", "replicas: three", "must be of type integer"),
    ("two-images", "image: a/b:1\n  version: 1.6.39", "set either image or version"),
    ("odd-version", "version: latest", "version must look like"),
    ("no-memory", "memoryLimitMegabytes: 1", "should be greater than or equal to 8"),
    (
        "overcommitted",
        "memoryLimitMegabytes: 512\n  resources: {limits: {memory: 64Mi}}",
        "must be smaller than",
    ),
    ("own-port", "extraArgs: [\"-p\", \"11212\"]", "extraArgs may not set what the operator manages"),
    ("Unnameable", "replicas: 1", "metadata.name"),
];

/// The API server refuses each, and says what to change; nobody has to find out from an operator's log.
pub(super) async fn malformed(harness: &mut Harness) -> Result<()> {
    for (name, spec, reason) in MALFORMED {
        let text = format!(
            "apiVersion: cache.example.com/v1alpha1\nkind: Memcached\nmetadata:\n  name: {name}\n  namespace: {NAMESPACE}\nspec:\n  {spec}\n"
        );
        let tool = harness.cluster.kubectl(["create", "--validate=false", "-f", "-"]).input(text);
        let printed = tool.attempt().await?;
        if printed.ok {
            bail!("the malformed Memcached {name} ({spec}) was accepted");
        }
        ensure!(
            printed.stderr.contains(reason),
            "the refusal of {name} ({spec}) does not say {reason:?}: {}",
            printed.stderr.trim()
        );
    }
    harness.note(format!("{} malformed resources were refused, each with its reason", MALFORMED.len()));
    Ok(())
}
