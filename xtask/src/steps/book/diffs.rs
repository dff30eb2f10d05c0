//! The differences between the example operators with kube-runtime alone and sharded, in the page about migration.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

const PAGE: &str = "docs/migration/from-kube-rs.md";
const EXAMPLES: &str = "crates/shard-router/examples";

pub(super) fn check(root: &Path) -> Result<()> {
    if fs::read_to_string(root.join(PAGE))? != page(root)? {
        bail!("{PAGE} does not show the examples as they are; run `cargo xtask book --write` and commit it");
    }
    Ok(())
}

pub(super) fn write(root: &Path) -> Result<()> {
    fs::write(root.join(PAGE), page(root)?).with_context(|| format!("{PAGE} could not be written"))
}

/// The page with the differences in it.
fn page(root: &Path) -> Result<String> {
    let text = fs::read_to_string(root.join(PAGE)).with_context(|| format!("{PAGE} could not be read"))?;
    let mut page = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("<!-- diff: ") {
        let (name, after) = after.split_once(" -->").context("a marker ends")?;
        let (_, after) = after.split_once("<!-- /diff -->").with_context(|| format!("{name} has no end"))?;
        let diff = diff(&root.join(EXAMPLES).join(name))?;
        let begin = format!("<!-- diff: {name} -->\n\n```diff\n");
        page.extend([before, &begin, &diff, "```\n\n<!-- /diff -->"]);
        rest = after;
    }
    page.push_str(rest);
    Ok(page)
}

fn diff(example: &Path) -> Result<String> {
    let diff = Command::new("git")
        .args(["diff", "--no-index", "--no-color", "--unified=1", "plain.rs", "sharded.rs"])
        .current_dir(example)
        .output()
        .context("git could not be started")?;
    let text = String::from_utf8(diff.stdout).context("the examples are UTF-8")?;
    // The first lines name the files; behind `@@` git repeats a line of the text.
    let lines = text.lines().skip_while(|line| !line.starts_with("@@"));
    let shown: Vec<String> = lines
        .map(|line| if line.starts_with("@@") { "@@\n".to_owned() } else { format!("{line}\n") })
        .collect();
    if shown.is_empty() {
        bail!("{} has no two variants that differ", example.display());
    }
    Ok(shown.concat())
}
