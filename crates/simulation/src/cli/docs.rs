//! The measured tables of docs/simulation.md.

use std::fmt::Display;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::Args;
use comfy_table::presets::ASCII_MARKDOWN;

use super::attempt::Attempt;
use super::mutants::{self, MUTANTS};
use super::summary::Summary;
use super::{commit, fixed, pool, tables};

/// Where they are.
#[derive(Args)]
pub(crate) struct DocsOptions {
    /// The file whose tables are written anew
    #[arg(long, value_name = "FILE", default_value = "docs/simulation.md")]
    file: PathBuf,
}

/// Runs the fixed schedules and the mutants, and writes down what came of it.
pub(super) async fn run(options: &DocsOptions) -> Result<bool> {
    mutants::require_feature()?;
    let file = options.file.display();
    let mut text = fs::read_to_string(&options.file).with_context(|| format!("{file} could not be read"))?;
    let jobs = pool::default_jobs();
    let started = Instant::now();
    let attempts = fixed::seeds().map(|seed| Attempt::of_seed(seed, None)).collect();
    let reports = pool::run_all(attempts, jobs, "the fixed schedules").await?;
    let summary = Summary::of(&reports, commit::describe(), started.elapsed());
    let first = fixed::FIRST;
    let found = mutants::find_all(&MUTANTS.iter().collect::<Vec<_>>(), first, jobs).await?;
    let clean = mutants::run_clean(&found, first, jobs).await?;

    let commit = format!("Measured at commit {}.", summary.commit);
    let faults = format!(
        "{commit} {} schedules, {:.1} h of virtual time.\n\n{}",
        summary.schedules,
        summary.virtual_seconds / 3_600.0,
        tables::faults(&summary, ASCII_MARKDOWN)
    );
    replace(&mut text, "faults", faults)?;
    replace(&mut text, "judged", tables::judged(&summary, ASCII_MARKDOWN))?;
    replace(&mut text, "mutants", format!("{commit}\n\n{}", mutants::shown(&found, ASCII_MARKDOWN)))?;
    fs::write(&options.file, text).with_context(|| format!("{file} could not be written"))?;
    tables::print(&summary);
    Ok(clean && summary.passed())
}

/// Puts a table between its markers.
fn replace(text: &mut String, table: &str, new: impl Display) -> Result<()> {
    let (begin, end) = (format!("<!-- begin: {table} -->"), format!("<!-- end: {table} -->"));
    let (Some(from), Some(to)) = (text.find(&begin), text.find(&end)) else {
        bail!("the file has no lines {begin:?} and {end:?}; put them where the table belongs");
    };
    text.replace_range(from + begin.len()..to, &format!("\n{new}\n"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_put_between_its_markers() {
        let mut text = "a\n<!-- begin: x -->\nold\n<!-- end: x -->\nb\n".to_owned();
        replace(&mut text, "x", "new").unwrap();
        assert_eq!(text, "a\n<!-- begin: x -->\nnew\n<!-- end: x -->\nb\n");
        assert!(replace(&mut text, "y", "new").is_err());
    }
}
