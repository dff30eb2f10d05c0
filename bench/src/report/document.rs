//! The page that has the tables.

use anyhow::{Context as _, Result};

/// From the workspace's root, where this runs.
pub(super) const PATH: &str = "docs/performance.md";

/// Puts a table between the markers of its name.
pub(super) fn replace(name: &str, table: &str) -> Result<()> {
    let page = std::fs::read_to_string(PATH).with_context(|| format!("{PATH} cannot be read"))?;
    let page = replaced(&page, name, table)
        .with_context(|| format!("{PATH} has no markers <!-- {name} --> and <!-- /{name} -->"))?;
    std::fs::write(PATH, page).with_context(|| format!("{PATH} cannot be written"))
}

fn replaced(page: &str, name: &str, table: &str) -> Option<String> {
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{}\n\n{end}{after}", table.trim()))
}

#[cfg(test)]
mod tests {
    use super::replaced;

    #[test]
    fn only_what_is_between_the_markers_changes() {
        let page = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n";
        let expected = "a\n<!-- x -->\n\nnew\n\n<!-- /x -->\nb\n";
        assert_eq!(replaced(page, "x", "new\n").as_deref(), Some(expected));
        assert_eq!(replaced(page, "y", "new"), None);
    }
}
