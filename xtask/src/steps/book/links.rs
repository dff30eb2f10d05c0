//! The links of the built book: each leads to a file of the book and to an anchor in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Returns how many links there are.
pub(super) fn check(html: &Path) -> Result<usize> {
    let mut pages = BTreeMap::new();
    collect(html, &mut pages)?;
    let anchors: BTreeMap<&PathBuf, BTreeSet<&str>> =
        pages.iter().map(|(path, text)| (path, attributes(text, " id=\"").collect())).collect();
    let mut links = 0;
    let mut problems = BTreeSet::new();
    for (path, text) in &pages {
        // It contains all pages, with links that are relative to them.
        if path.ends_with("print.html") {
            continue;
        }
        for link in attributes(text, "href=\"").filter(|link| !link.contains("://") && !link.is_empty()) {
            links += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match file {
                "" => path.clone(),
                file => path.parent().unwrap_or(html).join(file),
            };
            let target = target.canonicalize().unwrap_or(target);
            let shown = path.strip_prefix(html).unwrap_or(path).display();
            if !target.exists() {
                problems.insert(format!("{shown}: {link} does not exist"));
            } else if !anchor.is_empty()
                && anchors.get(&target).is_some_and(|anchors| !anchors.contains(anchor))
            {
                problems.insert(format!("{shown}: {link} has no such section"));
            }
        }
    }
    if !problems.is_empty() {
        let problems: Vec<_> = problems.into_iter().collect();
        bail!("links of the book lead nowhere:\n  {}", problems.join("\n  "));
    }
    Ok(links)
}

/// All pages, by their path.
fn collect(directory: &Path, pages: &mut BTreeMap<PathBuf, String>) -> Result<()> {
    for entry in
        fs::read_dir(directory).with_context(|| format!("{} could not be read", directory.display()))?
    {
        let path = entry?.path().canonicalize()?;
        if path.is_dir() {
            collect(&path, pages)?;
        } else if path.extension().is_some_and(|extension| extension == "html") {
            pages.insert(path.clone(), fs::read_to_string(&path)?);
        }
    }
    Ok(())
}

/// The values of an attribute.
fn attributes<'a>(text: &'a str, attribute: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(attribute).skip(1).filter_map(|rest| rest.split('"').next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(other: &str) -> Result<usize> {
        let book = tempfile::tempdir().expect("a directory");
        let page = r##"<h1 id="top"><a href="other.html#there">x</a> <a href="#top">y</a> <a href="https://z">z</a>"##;
        fs::write(book.path().join("page.html"), page).expect("written");
        fs::write(book.path().join("other.html"), other).expect("written");
        check(&book.path().canonicalize().expect("it exists"))
    }

    #[test]
    fn a_missing_page_or_section_is_named() {
        assert_eq!(checked(r#"<h1 id="there">"#).expect("fine"), 2);
        let error = checked(r#"<h1 id="elsewhere">"#).expect_err("no such section").to_string();
        assert!(error.contains("other.html#there has no such section"), "{error}");
        let error = checked(r#"<h1 id="there"><a href="gone.html">"#).expect_err("no such page").to_string();
        assert!(error.contains("other.html: gone.html does not exist"), "{error}");
    }
}
