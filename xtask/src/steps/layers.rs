//! No modules import each other in a circle.
//!
//! A circle means that neither module can be read, tested or moved without the other. Parent and child may import each other, as may
//! modules in the tests; all others are compared below their common parent, each with everything that is in it.

mod circle;
mod imports;
mod modules;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use self::circle::shortest;
use self::modules::{ModulePath, Modules};
use super::StepContext;
use crate::cargo::{Cargo, root};
use crate::status::StepStatus;

pub(super) fn run(_: &mut StepContext) -> Result<StepStatus> {
    let sources = sources()?;
    let mut circles = Vec::new();
    let mut count = 0;
    for source in &sources {
        let modules = Modules::read(source)?;
        count += modules.len();
        let name = source.strip_prefix(root()).unwrap_or(source).display().to_string();
        circles.extend(find(&modules).into_iter().map(|circle| format!("{name}: {circle}")));
    }
    if !circles.is_empty() {
        bail!(
            "these modules import each other in a circle; move what both need into a module of its own:\n{}",
            circles.join("\n")
        );
    }
    Ok(StepStatus::Passed(format!("{count} modules, {} crates", sources.len())))
}

/// The folder of each library or program of the workspace: `src`, and each folder in `src/bin`.
fn sources() -> Result<Vec<PathBuf>> {
    let metadata = Cargo::new(["metadata", "--no-deps", "--format-version", "1"]).output()?;
    let metadata: serde_json::Value = serde_json::from_str(&metadata).context("cargo metadata is no JSON")?;
    let mut sources = Vec::new();
    for package in metadata["packages"].as_array().context("cargo metadata names no packages")? {
        let manifest = package["manifest_path"].as_str().context("a package without a manifest")?;
        let source = Path::new(manifest).with_file_name("src");
        let programs = source.join("bin");
        if programs.is_dir() {
            for entry in
                fs::read_dir(&programs).with_context(|| format!("{} is unreadable", programs.display()))?
            {
                let path = entry?.path();
                if path.is_dir() {
                    sources.push(path);
                }
            }
        }
        sources.push(source);
    }
    sources.sort();
    Ok(sources)
}

/// An import that crosses from one child of a common parent into another.
struct Crossing {
    from: ModulePath,
    to: ModulePath,
}

/// The shortest circle below each parent, as a sentence.
fn find(modules: &Modules) -> Vec<String> {
    // By parent, then from which of its children to which.
    let mut below: BTreeMap<ModulePath, BTreeMap<(String, String), Crossing>> = BTreeMap::new();
    for (from, to) in modules.imports() {
        let common = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
        let (Some(one), Some(other)) = (from.get(common), to.get(common)) else { continue };
        let key = (one.clone(), other.clone());
        below.entry(from[..common].to_vec()).or_default().entry(key).or_insert(Crossing { from, to });
    }
    let circles = below.values().filter_map(|crossings| {
        let edges: BTreeSet<(&str, &str)> =
            crossings.keys().map(|(one, other)| (one.as_str(), other.as_str())).collect();
        let circle = shortest(&edges)?;
        let steps = circle.iter().zip(circle.iter().cycle().skip(1)).filter_map(|(one, other)| {
            let Crossing { from, to } = crossings.get(&((*one).to_owned(), (*other).to_owned()))?;
            Some(format!("{} imports {}", from.join("::"), to.join("::")))
        });
        Some(steps.collect::<Vec<_>>().join(", "))
    });
    circles.collect()
}

#[cfg(test)]
mod tests;
