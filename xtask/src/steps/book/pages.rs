//! The pages of the book, and the files that they link to.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result, bail};

const SUMMARY: &str = "docs/SUMMARY.md";

/// Paths relative to the root of the workspace.
pub(super) struct Pages {
    /// In the summary.
    chapters: BTreeSet<PathBuf>,
    /// Chapters and all files that they link to or include.
    files: BTreeSet<PathBuf>,
}

impl Pages {
    /// Fails with all links that lead nowhere.
    pub(super) fn read(root: &Path) -> Result<Self> {
        let mut problems = Vec::new();
        let mut chapters = BTreeSet::new();
        for link in linked(root, Path::new(SUMMARY))? {
            if root.join(&link).is_file() {
                chapters.insert(link);
            } else {
                problems.push(format!("{SUMMARY}: {} does not exist", link.display()));
            }
        }
        let mut files = chapters.clone();
        for chapter in &chapters {
            for link in linked(root, chapter)? {
                let path = root.join(&link);
                if !path.exists() {
                    problems.push(format!("{}: {} does not exist", chapter.display(), link.display()));
                } else if link.extension().is_some_and(|extension| extension == "md")
                    && !chapters.contains(&link)
                {
                    let page = link.display();
                    problems
                        .push(format!("{}: {page} is no chapter; add it to {SUMMARY}", chapter.display()));
                } else if path.is_file() {
                    files.insert(link);
                }
            }
        }
        if !problems.is_empty() {
            bail!("links lead nowhere:\n  {}", problems.join("\n  "));
        }
        Ok(Self { chapters, files })
    }

    pub(super) fn chapters(&self) -> usize {
        self.chapters.len()
    }

    /// Copies the files, with the summary at the top, where mdbook expects it.
    ///
    /// A README becomes an `index.md`: mdbook would rename the page and not the links to it. A link to a directory, which a code host lists, becomes plain text.
    pub(super) fn copy(&self, root: &Path, to: &Path) -> Result<()> {
        for file in &self.files {
            let target = to.join(in_book(file));
            let directory = target.parent().context("a file is in a directory")?;
            fs::create_dir_all(directory)?;
            let copied = if self.chapters.contains(file) {
                let page = fs::read_to_string(root.join(file))?;
                fs::write(&target, relinked(&page, |link| self.link(root, file, link)))
            } else {
                fs::copy(root.join(file), &target).map(drop)
            };
            copied.with_context(|| format!("{} could not be copied", file.display()))?;
        }
        let summary = fs::read_to_string(root.join(SUMMARY))?;
        let directory = Path::new(SUMMARY).parent().unwrap_or(Path::new(""));
        let absolute =
            |link: &str| Some(in_book(&normalised(&directory.join(link))).to_string_lossy().into_owned());
        fs::write(to.join("SUMMARY.md"), relinked(&summary, absolute))
            .context("the summary could not be written")
    }

    /// The target of a link in the book; `None` if there is none.
    fn link(&self, root: &Path, page: &Path, link: &str) -> Option<String> {
        if link.contains("://") || link.starts_with('#') {
            return Some(link.to_owned());
        }
        let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
        let target = normalised(&page.parent().unwrap_or(Path::new("")).join(path));
        let is_directory = root.join(&target).is_dir();
        let readme = target.join("README.md");
        let path = match is_directory {
            true if self.chapters.contains(&readme) => Path::new(path).join("index.md"),
            true => return None,
            false => in_book(Path::new(path)),
        };
        let path = path.to_string_lossy();
        Some(anchor.map_or_else(|| path.to_string(), |anchor| format!("{path}#{anchor}")))
    }
}

fn in_book(path: &Path) -> PathBuf {
    if path.ends_with("README.md") { path.with_file_name("index.md") } else { path.to_owned() }
}

/// The page with other targets of its links. Where there is no target, the text of the link remains.
fn relinked(page: &str, target: impl Fn(&str) -> Option<String>) -> String {
    let mut done = String::new();
    let mut is_code = false;
    for line in page.split_inclusive('\n') {
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        let mut rest = line;
        while let Some((before, after)) = rest.split_once("](").filter(|_| !is_code) {
            let Some((link, after)) = after.split_once(')') else { break };
            match (target(link), before.rsplit_once('[')) {
                (None, Some((before, text))) => done.extend([before, text]),
                (link_in_book, _) => {
                    done.extend([before, "](", link_in_book.as_deref().unwrap_or(link), ")"]);
                }
            }
            rest = after;
        }
        done.push_str(rest);
    }
    done
}

/// What a page links to or includes in this workspace, without anchors.
fn linked(root: &Path, page: &Path) -> Result<BTreeSet<PathBuf>> {
    let text = fs::read_to_string(root.join(page))
        .with_context(|| format!("{} could not be read", page.display()))?;
    let directory = page.parent().unwrap_or(Path::new(""));
    let links = targets(&text).into_iter().filter(|link| !link.contains("://") && !link.starts_with('#'));
    let paths = links.map(|link| link.split('#').next().unwrap_or_default().to_owned());
    let paths = paths.filter(|path| !path.is_empty() && !path.starts_with("mailto:"));
    Ok(paths.map(|path| normalised(&directory.join(path))).collect())
}

/// The targets of `[…](target)` and `{{#include target}}`, except in code.
fn targets(text: &str) -> Vec<String> {
    let mut targets = Vec::new();
    let mut is_code = false;
    for line in text.lines() {
        if let Some((_, include)) = line.split_once("{{#include ") {
            // Behind a colon is the part of the file to include.
            let file = include.trim_end().trim_end_matches("}}");
            targets.push(file.split(':').next().unwrap_or(file).to_owned());
        }
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
        }
        if is_code {
            continue;
        }
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        // Link texts are often code themselves, so the brackets are searched in the whole line, and ignored where they are within code.
        let searched = if line.contains("](") && !prose.contains("](") { line } else { prose.as_str() };
        for part in searched.split("](").skip(1) {
            if let Some((target, _)) = part.split_once(')') {
                targets.push(target.trim_end_matches('/').to_owned());
            }
        }
    }
    targets
}

/// Without `..`.
fn normalised(path: &Path) -> PathBuf {
    let mut parts = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                parts.pop();
            }
            Component::CurDir => {}
            part => parts.push(part),
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_and_code_is_not() {
        let text = "[a](b.md) and [`c`](d/e.md#f), `x[0](no)`\n```rust\ncall[g](h);\n{{#include ../i.rs:part}}\n```\n[j](https://k)\n";
        assert_eq!(targets(text), ["b.md", "d/e.md#f", "../i.rs", "https://k"]);
    }

    #[test]
    fn links_get_other_targets_and_those_without_one_become_text() {
        let page = "See [a](b/README.md), [`c`](d/) and\n```\n[e](f)\n```\n";
        let target = |link: &str| (!link.ends_with('/')).then(|| link.replace("README", "index"));
        assert_eq!(relinked(page, target), "See [a](b/index.md), `c` and\n```\n[e](f)\n```\n");
    }

    #[test]
    fn paths_are_normalised() {
        assert_eq!(normalised(Path::new("docs/migration/../../crates/./a")), Path::new("crates/a"));
    }
}
