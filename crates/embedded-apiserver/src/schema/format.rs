//! What a `format` in the schema of a custom resource takes, which is not always what its name says.

use std::sync::LazyLock;

use regex::Regex;

/// Whether kube-apiserver takes this text where `format: date-time` is asked for.
///
/// The date is computed. The rest is only matched: there is no offset that is refused for being too large, `.` stands for any character
/// before the fraction, and what follows a second `t` is not looked at (`IsDateTime` in kube-openapi's `strfmt`). So there are times that
/// the API server takes and that no client can decode.
pub(super) fn is_date_time(text: &str) -> bool {
    static TIME: LazyLock<Option<Regex>> = LazyLock::new(|| {
        Regex::new("^([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](.[0-9]+)?(z|[+-][0-9]{2}:[0-9]{2})$").ok()
    });
    let text = text.to_lowercase();
    let mut parts = text.split('t');
    let (Some(date), Some(time)) = (parts.next(), parts.next()) else { return false };
    is_date(date) && TIME.as_ref().is_some_and(|pattern| pattern.is_match(time))
}

/// Four digits, two, and two, and the day exists.
fn is_date(text: &str) -> bool {
    let number = |digits: &str, length: usize| {
        let plain = digits.len() == length && digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse::<i16>().ok()).flatten()
    };
    let mut parts = text.splitn(3, '-');
    let mut next = |length| parts.next().and_then(|digits| number(digits, length));
    let (Some(year), Some(month), Some(day)) = (next(4), next(2), next(2)) else { return false };
    let (Ok(month), Ok(day)) = (i8::try_from(month), i8::try_from(day)) else { return false };
    jiff::civil::Date::new(year, month, day).is_ok()
}
