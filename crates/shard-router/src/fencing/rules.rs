//! The rules about tokens, in the definition of the table.

/// CEL rules of the rows, with their messages. They are transition rules: the API server checks them against the very state that a write replaces. They hold for
/// everybody, administrators included. To start over, delete the table as a whole; the replicas make a new one.
pub(super) const TOKEN_RULES: [(&str, &str); 2] = [
    (
        "oldSelf.all(key, key in self)",
        "a row is never removed, because a removed row could come back with a smaller token; delete the table as a whole",
    ),
    (
        "oldSelf.all(key, !(key in self) || self[key].token > oldSelf[key].token || self[key] == oldSelf[key])",
        "a row changes only to a larger token",
    ),
];
