//! One field of an object that is wrong.

use serde_json::Value;

/// One field that is wrong, as `field.Error` of apimachinery.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    pub(super) reason: &'static str,
    pub(super) field: String,
    pub(super) detail: String,
}

impl Fault {
    /// The field has to be there.
    pub(crate) fn required(field: impl Into<String>, detail: &str) -> Self {
        let detail =
            if detail.is_empty() { "Required value".to_owned() } else { format!("Required value: {detail}") };
        Self { reason: "FieldValueRequired", field: field.into(), detail }
    }

    /// The value must not be this one.
    pub(crate) fn invalid(field: impl Into<String>, value: &Value, detail: &str) -> Self {
        Self::of("FieldValueInvalid", field, format!("Invalid value: {value}: {detail}"))
    }

    /// The field must not be set, or not so.
    pub(crate) fn forbidden(field: impl Into<String>, detail: &str) -> Self {
        Self::of("FieldValueForbidden", field, format!("Forbidden: {detail}"))
    }

    /// Whether rules cannot be checked on an object with this fault.
    pub(crate) fn blocks_rules(&self) -> bool {
        const BLOCKING: [&str; 5] = [
            "FieldValueNotSupported",
            "FieldValueRequired",
            "FieldValueTooLong",
            "FieldValueTooMany",
            "FieldValueTypeInvalid",
        ];
        BLOCKING.contains(&self.reason)
    }

    /// The same of a field of this field. What the detail calls it stays as it is.
    pub(crate) fn under(mut self, field: &str) -> Self {
        self.field = if self.field.is_empty() { field.to_owned() } else { format!("{field}.{}", self.field) };
        self
    }

    /// Any other, whose detail begins with the words that go with the reason.
    pub(crate) fn of(reason: &'static str, field: impl Into<String>, detail: String) -> Self {
        Self { reason, field: field.into(), detail }
    }
}
