//! LeaderElectionID and the names of Leases.

use std::fmt;

/// A name longer than this is refused by the API server.
const MAX_NAME: usize = 253;

/// Room kept for the longest suffix that is put behind a LeaderElectionID (`-member-` and a short unique part).
pub const LONGEST_SUFFIX: usize = 24;

/// LeaderElectionID: what the replicas of one operator have in common, and no other operator has.
///
/// It becomes the name of a Lease, alone and with a suffix, so it has to be a DNS-1123 subdomain that leaves room for
/// the suffix. Like `backup.example.com`, it should carry the API group of its operator: two operators of the same
/// namespace that share an ID take each other for replicas.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LeaderElectionId(String);

/// The full name of one Lease.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseName(String);

/// Why a name will not do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Fatal: nothing can be named so.
    #[error("the LeaderElectionID is empty; set one such as \"backup.example.com\"")]
    Empty,
    /// Fatal: the API server would refuse every Lease.
    #[error(
        "the LeaderElectionID {id:?} is {length} characters long, and {max} is the most that leaves room for the \
         suffix of a Lease; choose a shorter one"
    )]
    TooLong {
        /// What was given.
        id: String,
        /// Its length.
        length: usize,
        /// The longest that will do.
        max: usize,
    },
    /// Fatal: the API server would refuse every Lease.
    #[error(
        "the LeaderElectionID {id:?} is no DNS-1123 subdomain because of {problem}; use lower-case letters, digits, \
         '-' and '.', with a letter or digit at both ends of each part, such as \"backup.example.com\""
    )]
    NotDns1123 {
        /// What was given.
        id: String,
        /// What is wrong with it, as a phrase.
        problem: String,
    },
}

impl LeaderElectionId {
    /// Checks and takes an ID.
    ///
    /// # Errors
    ///
    /// It is empty, too long for the suffixes that names of Leases get, or no DNS subdomain.
    pub fn new(id: impl Into<String>) -> Result<Self, NameError> {
        let id = id.into();
        let max = MAX_NAME - LONGEST_SUFFIX;
        if id.is_empty() {
            return Err(NameError::Empty);
        }
        if let Some(problem) = dns1123_problem(&id) {
            return Err(NameError::NotDns1123 { id, problem });
        }
        if id.len() > max {
            return Err(NameError::TooLong { length: id.len(), max, id });
        }
        Ok(Self(id))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the ID carries something like an API group. Without one, a clash with another operator is likely.
    pub fn has_group(&self) -> bool {
        self.0.contains('.')
    }

    /// The un-suffixed Lease.
    pub fn lease_name(&self) -> LeaseName {
        LeaseName(self.0.clone())
    }

    /// The Lease `<id>-<suffix>`.
    ///
    /// # Errors
    ///
    /// The name is no DNS subdomain with this suffix.
    pub fn suffixed(&self, suffix: &str) -> Result<LeaseName, NameError> {
        let id = format!("{}-{suffix}", self.0);
        if let Some(problem) = dns1123_problem(&id) {
            return Err(NameError::NotDns1123 { id, problem });
        }
        if id.len() > MAX_NAME {
            return Err(NameError::TooLong { length: id.len(), max: MAX_NAME, id });
        }
        Ok(LeaseName(id))
    }
}

impl fmt::Display for LeaderElectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl LeaseName {
    /// A name that is known to be good, because the API server sent it.
    pub fn from_server(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LeaseName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// RFC 1123 as Kubernetes reads it: `[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*`.
pub(crate) fn dns1123_problem(name: &str) -> Option<String> {
    let stray = name.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-' | '.'));
    if let Some(stray) = stray {
        return Some(match stray {
            '_' => "the underscore".to_owned(),
            'A'..='Z' => format!("the capital {stray:?}"),
            _ => format!("the character {stray:?}"),
        });
    }
    name.split('.').find_map(|part| {
        if part.is_empty() {
            Some("an empty part between dots".to_owned())
        } else if part.starts_with('-') || part.ends_with('-') {
            Some(format!("the hyphen at an end of {part:?}"))
        } else {
            None
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_the_api_server_takes() {
        for id in ["a", "backup.example.com", "0-0.x", "memcached.cache.example.com"] {
            assert!(LeaderElectionId::new(id).is_ok(), "{id}");
        }
        let longest = "a".repeat(MAX_NAME - LONGEST_SUFFIX);
        let id = LeaderElectionId::new(longest).expect("just fits");
        assert_eq!(id.suffixed("member-0123456789abcdef").expect("room was kept").as_str().len(), MAX_NAME);
    }

    #[test]
    fn refuses_the_rest_with_a_remedy() {
        for (id, phrase) in [
            ("my_operator", "the underscore"),
            ("Operator", "the capital 'O'"),
            ("a..b", "an empty part"),
            ("a.-b", "the hyphen at an end of \"-b\""),
            ("a b", "the character ' '"),
            ("", "is empty"),
        ] {
            let message = LeaderElectionId::new(id).expect_err(id).to_string();
            assert!(message.contains(phrase), "{id}: {message}");
        }
        let message = LeaderElectionId::new("a".repeat(230)).expect_err("too long").to_string();
        assert!(message.contains("230 characters") && message.contains("shorter"), "{message}");
    }
}
