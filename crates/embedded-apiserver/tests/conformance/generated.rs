//! Committed files that these tests know the contents of. With `KUBE_TESTKIT_GENERATE=1` they are written, else compared.

use std::path::Path;

/// Whether the files are to be written.
pub(crate) fn wanted() -> bool {
    std::env::var_os("KUBE_TESTKIT_GENERATE").is_some()
}

/// Compares the file with what it should hold, or writes it.
pub(crate) fn check(path: &str, expected: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if wanted() {
        std::fs::write(&file, expected).expect("a committed file can be written");
        println!("wrote {path}");
        return;
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    let (missing, stale) = (beyond(expected, &committed), beyond(&committed, expected));
    assert!(
        committed == expected,
        "{path} is out of date; run this test with KUBE_TESTKIT_GENERATE=1 and commit the file\nmissing:\n{}\nno \
         longer so:\n{}",
        missing.join("\n"),
        stale.join("\n"),
    );
}

/// The lines of the first that are not in the second.
fn beyond<'a>(text: &'a str, other: &str) -> Vec<&'a str> {
    let other: std::collections::BTreeSet<&str> = other.lines().collect();
    text.lines().filter(|line| !other.contains(line)).collect()
}
