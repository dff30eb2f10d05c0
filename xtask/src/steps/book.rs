//! The book: `docs/SUMMARY.md` and what it links to, built with mdbook; every link in it leads somewhere.
//!
//! The pages are read on a code host as well as in the book. So they link to each other, to the READMEs of the crates and to source files by relative
//! paths, and the book is built from a copy that contains all of these.

mod diffs;
mod links;
mod pages;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::StepContext;
use crate::cargo::{is_installed, root};
use crate::status::StepStatus;

/// The first chapter in HTML.
const FIRST: &str = "docs/introduction.html";

const CONFIG: &str = r#"[book]
title = "Highly available, sharded Kubernetes operators in Rust"
language = "en"
src = "src"

[build]
create-missing = false

[output.html]
default-theme = "light"
no-section-label = true
"#;

/// Checks the pages, and builds the book if mdbook is there.
pub(super) fn check(_: &mut StepContext) -> Result<StepStatus> {
    diffs::check(root())?;
    let pages = pages::Pages::read(root())?;
    if !is_installed("mdbook") {
        let how = "mdbook is not installed; `cargo install --locked mdbook` installs it (the links between the pages are fine)";
        return Ok(StepStatus::Skipped(how.to_owned()));
    }
    let html = build(&pages)?;
    let links = links::check(&html)?;
    Ok(StepStatus::Passed(format!("{} pages, {links} links", pages.chapters())))
}

/// Writes what is generated in the pages, and builds the book.
pub(crate) fn write() -> Result<()> {
    diffs::write(root())?;
    let html = build(&pages::Pages::read(root())?)?;
    let links = links::check(&html)?;
    println!("{} ({links} links)", html.join("index.html").display());
    Ok(())
}

/// Returns the directory of the pages in HTML.
fn build(pages: &pages::Pages) -> Result<std::path::PathBuf> {
    let book = root().join("target/book");
    if book.exists() {
        fs::remove_dir_all(&book).with_context(|| format!("{} could not be removed", book.display()))?;
    }
    pages.copy(root(), &book.join("src"))?;
    fs::write(book.join("book.toml"), CONFIG).context("book.toml could not be written")?;
    mdbook(&book)?;
    // mdbook puts the first chapter here, too, with links that are relative to another directory.
    let html = book.join("book");
    let start =
        format!("<meta http-equiv=\"refresh\" content=\"0; url={FIRST}\"><a href=\"{FIRST}\">The book</a>\n");
    fs::write(html.join("index.html"), start).context("index.html could not be written")?;
    Ok(html)
}

fn mdbook(book: &Path) -> Result<()> {
    let output =
        Command::new("mdbook").arg("build").arg(book).output().context("mdbook could not be started")?;
    let said = String::from_utf8_lossy(&output.stderr);
    // What it cannot include, it leaves out with a line in the log.
    if !output.status.success() || said.contains("ERROR") {
        bail!("mdbook failed:\n{said}");
    }
    Ok(())
}
