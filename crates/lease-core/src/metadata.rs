//! Validation of labels and annotations before they are written with a Lease.
//!
//! The rules are those of `k8s.io/apimachinery/pkg/api/validation`. The API server would refuse every renewal with an
//! invalid value, and the Lease would be lost.

use std::collections::BTreeMap;

use crate::name::dns1123_problem;

/// The maximum size of all annotations of an object together, keys and values, in bytes.
pub const MAX_ANNOTATIONS: usize = 256 * 1024;

/// The maximum length of a label value, and of the name part of a key, in characters.
pub(crate) const MAX_LABEL_VALUE: usize = 63;

const MAX_PREFIX: usize = 253;

/// A label or annotation that the API server would refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMetadata {
    /// The key is not of the form `[prefix/]name`.
    #[error(
        "the {what} key {key:?} is invalid because of {problem}; use at most 63 letters, digits, '-', '_' and '.', with a \
         letter or digit at both ends, optionally after a DNS name and '/'"
    )]
    Key {
        /// "label" or "annotation".
        what: &'static str,
        /// The key.
        key: String,
        /// What is wrong with it, as a phrase.
        problem: String,
    },
    /// Not a valid label value.
    #[error(
        "the value {value:?} of label {key} is invalid because of {problem}; use at most 63 letters, digits, '-', '_' and \
         '.', with a letter or digit at both ends, or put it into an annotation"
    )]
    LabelValue {
        /// The label's key.
        key: String,
        /// The value.
        value: String,
        /// What is wrong with it, as a phrase.
        problem: String,
    },
    /// The annotations are larger than [`MAX_ANNOTATIONS`].
    #[error(
        "the annotations of the Lease would have {size} bytes, and the maximum is {MAX_ANNOTATIONS}; write less, or remove \
         annotations that others wrote"
    )]
    TooLarge {
        /// The size of all keys and values together, in bytes.
        size: usize,
    },
    /// A key that the leader election itself uses.
    #[error("the key {key:?} is reserved for leader election; choose another")]
    Reserved {
        /// The key.
        key: String,
    },
}

/// Checks labels as the API server does.
///
/// # Errors
///
/// The first label that the API server would refuse, if there is one.
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

/// Checks an annotation's key as the API server does. Unlike that of a label's key, its prefix may contain upper-case letters.
///
/// # Errors
///
/// If the API server would refuse it.
pub fn check_annotation_key(key: &str) -> Result<(), InvalidMetadata> {
    check_key("annotation", key, &key.to_lowercase())
}

/// Checks the annotations of one object as the API server does.
///
/// # Errors
///
/// The first key that the API server would refuse, or [`InvalidMetadata::TooLarge`] for all annotations together.
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
/// [`InvalidMetadata::TooLarge`] if they are larger than [`MAX_ANNOTATIONS`].
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

/// Why this is not a valid prefix of a key (the part before the `/`).
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
            assert!(error.to_string().contains("label a is invalid"), "{error}");
        }
    }

    #[test]
    fn all_annotations_together_have_a_limit() {
        assert_eq!(check_annotations(&map("a", &"x".repeat(MAX_ANNOTATIONS - 1))), Ok(()));
        let error = check_annotations(&map("ab", &"x".repeat(MAX_ANNOTATIONS - 1))).expect_err("too large");
        assert_eq!(error, InvalidMetadata::TooLarge { size: MAX_ANNOTATIONS + 1 });
    }
}
