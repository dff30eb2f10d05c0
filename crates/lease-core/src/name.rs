//! LeaderElectionID and the names of Leases.

use std::fmt;

/// The API server refuses longer names.
const MAX_NAME: usize = 253;

/// The length that is reserved for the longest suffix of a LeaderElectionID (`-member-` and a short unique part).
pub const LONGEST_SUFFIX: usize = 24;

/// LeaderElectionID: common to all replicas of an operator, and different for every other operator in the namespace.
///
/// It is used as the name of a Lease, alone and with a suffix, so it has to be a DNS-1123 subdomain that leaves room for
/// the suffix. It should contain the API group of the operator, for example `backup.example.com`: two operators in the same
/// namespace that share an ID would treat each other as replicas.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LeaderElectionId(String);

/// The full name of one Lease.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseName(String);

/// Why a name is invalid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name is empty. Fatal.
    #[error("the LeaderElectionID is empty; set one such as \"backup.example.com\"")]
    Empty,
    /// The name is too long: the API server would refuse every Lease. Fatal.
    #[error(
        "the LeaderElectionID {id:?} is {length} characters long, and {max} is the most that leaves room for the \
         suffix of a Lease; choose a shorter one"
    )]
    TooLong {
        /// The name.
        id: String,
        /// Its length.
        length: usize,
        /// The maximum length.
        max: usize,
    },
    /// Not a DNS name: the API server would refuse every Lease. Fatal.
    #[error(
        "the LeaderElectionID {id:?} is no DNS-1123 subdomain because of {problem}; use lower-case letters, digits, \
         '-' and '.', with a letter or digit at both ends of each part, such as \"backup.example.com\""
    )]
    NotDns1123 {
        /// The name.
        id: String,
        /// What is wrong with it, as a phrase.
        problem: String,
    },
}

impl LeaderElectionId {
    /// Checks an ID.
    ///
    /// # Errors
    ///
    /// If it is empty, too long for the suffixes of Lease names, or not a DNS subdomain.
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

    /// Whether the ID contains something like an API group. Without one, another operator may well use the same ID.
    pub fn has_group(&self) -> bool {
        self.0.contains('.')
    }

    /// The name of the Lease without a suffix.
    pub fn lease_name(&self) -> LeaseName {
        LeaseName(self.0.clone())
    }

    /// The name of the Lease `<id>-<suffix>`.
    ///
    /// # Errors
    ///
    /// If the result is too long or not a DNS subdomain.
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
    /// Uses a name without a check, because the API server sent it.
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
