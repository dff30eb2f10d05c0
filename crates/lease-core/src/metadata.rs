//! What the API server takes as labels and annotations, so that a mistake is found before it rides on a Lease write.
//!
//! The rules are those of `k8s.io/apimachinery/pkg/api/validation`: a value that is refused there would be refused with
//! every renewal that carries it, and cost the Lease.

use std::collections::BTreeMap;

use crate::name::dns1123_problem;

/// All keys and values of an object's annotations together may have this many bytes.
pub const MAX_ANNOTATIONS: usize = 256 * 1024;

/// A label value, and the name part of a key, may have this many characters.
pub(crate) const MAX_LABEL_VALUE: usize = 63;

const MAX_PREFIX: usize = 253;

/// Something that was to be written on a Lease, and that the API server would refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMetadata {
    /// Not `[prefix/]name`.
    #[error(
        "the {what} key {key:?} will not do because of {problem}; use at most 63 letters, digits, '-', '_' and '.', with a \
         letter or digit at both ends, and before it, if need be, a DNS name and '/'"
    )]
    Key {
        /// "label" or "annotation".
        what: &'static str,
        /// What was given.
        key: String,
        /// What is wrong with it, as a phrase.
        problem: String,
    },
    /// No label value.
    #[error(
        "the value {value:?} of label {key} will not do because of {problem}; use at most 63 letters, digits, '-', '_' and \
         '.', with a letter or digit at both ends, or put it into an annotation"
    )]
    LabelValue {
        /// Its label.
        key: String,
        /// What was given.
        value: String,
        /// What is wrong with it, as a phrase.
        problem: String,
    },
    /// The annotations take more than [`MAX_ANNOTATIONS`].
    #[error(
        "the annotations of the Lease would take {size} bytes, and an object may have {MAX_ANNOTATIONS}; write less, or take \
         off what others wrote there"
    )]
    TooLarge {
        /// Of all keys and values together.
        size: usize,
    },
    /// A key that the election writes itself.
    #[error("the key {key:?} belongs to the election itself; choose another")]
    Reserved {
        /// What was given.
        key: String,
    },
}

/// Checks labels as the API server does.
///
/// # Errors
///
/// The first label that the API server would refuse.
pub fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), InvalidMetadata> {
    for (key, value) in labels {
        check_key("label", key, key)?;
        if !value.is_empty()
            && let Some(problem) = name_problem(value)
        {
            return Err(InvalidMetadata::LabelValue { key: key.clone(), value: value.clone(), problem });
        }
    }
    Ok(())
}

/// Checks an annotation's key as the API server does: unlike a label's, its prefix may have capitals.
///
/// # Errors
///
/// The API server would refuse it.
pub fn check_annotation_key(key: &str) -> Result<(), InvalidMetadata> {
    check_key("annotation", key, &key.to_lowercase())
}

/// Checks the annotations of one object as the API server does.
///
/// # Errors
///
/// The first annotation that the API server would refuse, or all of them if they are too large together.
pub fn check_annotations(annotations: &BTreeMap<String, String>) -> Result<(), InvalidMetadata> {
    for key in annotations.keys() {
        check_annotation_key(key)?;
    }
    check_annotations_size(annotations)
}

/// Checks only the size of an object's annotations.
///
/// # Errors
///
/// They are too large together.
pub fn check_annotations_size(annotations: &BTreeMap<String, String>) -> Result<(), InvalidMetadata> {
    let size = annotations.iter().map(|(key, value)| key.len() + value.len()).sum();
    if size > MAX_ANNOTATIONS { Err(InvalidMetadata::TooLarge { size }) } else { Ok(()) }
}

fn check_key(what: &'static str, key: &str, judged: &str) -> Result<(), InvalidMetadata> {
    let (prefix, name) = match judged.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, judged),
    };
    match prefix.and_then(prefix_problem).or_else(|| name_problem(name)) {
        Some(problem) => Err(InvalidMetadata::Key { what, key: key.to_owned(), problem }),
        None => Ok(()),
    }
}

/// Why this cannot stand before the `/` of a key.
pub(crate) fn prefix_problem(prefix: &str) -> Option<String> {
    if prefix.len() > MAX_PREFIX {
        return Some(format!("its prefix of {} characters, {MAX_PREFIX} being the most", prefix.len()));
    }
    dns1123_problem(prefix)
}

fn name_problem(name: &str) -> Option<String> {
    let stray = name.chars().find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')));
    if let Some(stray) = stray {
        return Some(format!("the character {stray:?}"));
    }
    let at_an_end = |c: Option<char>| c.filter(|c| !c.is_ascii_alphanumeric());
    if let Some(odd) = at_an_end(name.chars().next()).or_else(|| at_an_end(name.chars().last())) {
        return Some(format!("the {odd:?} at an end"));
    }
    match name.len() {
        0 => Some("its empty name".to_owned()),
        1..=MAX_LABEL_VALUE => None,
        length => Some(format!("its length of {length} characters")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(key: &str, value: &str) -> BTreeMap<String, String> {
        [(key.to_owned(), value.to_owned())].into()
    }

    /// Each was sent to a kube-apiserver: see `what_is_refused_here_is_refused_there` of the tests on a real one.
    #[test]
    fn keys_and_values_are_taken_as_the_api_server_takes_them() {
        let longest = "a".repeat(63);
        for key in ["a", "A.b_c-d", "example.com/a", &format!("example.com/{longest}"), "9"] {
            assert_eq!(check_annotation_key(key), Ok(()), "{key}");
            assert_eq!(check_labels(&map(key, "")), Ok(()), "{key}");
        }
        assert_eq!(check_annotation_key("Example.com/a"), Ok(()));
        assert!(check_labels(&map("Example.com/a", "")).is_err());
        for key in ["", "/a", "a/", "a/b/c", "a b", "-a", "a_", "a_b/c", &"a".repeat(64), "ä"] {
            assert!(check_annotation_key(key).is_err(), "{key}");
            assert!(check_labels(&map(key, "")).is_err(), "{key}");
        }
        assert_eq!(check_labels(&map("a", "A.b_c-9")), Ok(()));
        for value in ["a b", "-a", "a.", &"a".repeat(64), "a/b"] {
            let error = check_labels(&map("a", value)).expect_err(value);
            assert!(error.to_string().contains("label a will not do"), "{error}");
        }
    }

    #[test]
    fn all_annotations_together_have_a_limit() {
        assert_eq!(check_annotations(&map("a", &"x".repeat(MAX_ANNOTATIONS - 1))), Ok(()));
        let error = check_annotations(&map("ab", &"x".repeat(MAX_ANNOTATIONS - 1))).expect_err("too large");
        assert_eq!(error, InvalidMetadata::TooLarge { size: MAX_ANNOTATIONS + 1 });
    }
}
