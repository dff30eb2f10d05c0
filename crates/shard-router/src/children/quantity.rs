//! Kubernetes quantities as numbers, as far as comparing them needs.

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;

/// The value of a quantity in thousandths of the base unit (bytes, CPUs), or `None` if it is no quantity or too large to compare.
///
/// Grammar: k8s.io/apimachinery/pkg/api/resource. Parts smaller than a thousandth are cut off.
pub fn thousandths(quantity: &Quantity) -> Option<i128> {
    let text = quantity.0.trim_start_matches('+');
    let number_end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(number_end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
    let (numerator, denominator) = scale(suffix)?;
    let decimals = 10_i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let thousandths = digits.checked_mul(numerator)?.checked_mul(1000)?;
    Some(thousandths / denominator.checked_mul(decimals)?)
}

/// A suffix as a fraction.
fn scale(suffix: &str) -> Option<(i128, i128)> {
    let kibi = |power: u32| (1024_i128.pow(power), 1);
    let kilo = |power: u32| (1000_i128.pow(power), 1);
    Some(match suffix {
        "" => (1, 1),
        "n" => (1, 1_000_000_000),
        "u" => (1, 1_000_000),
        "m" => (1, 1000),
        "k" => kilo(1),
        "M" => kilo(2),
        "G" => kilo(3),
        "T" => kilo(4),
        "P" => kilo(5),
        "E" => kilo(6),
        "Ki" => kibi(1),
        "Mi" => kibi(2),
        "Gi" => kibi(3),
        "Ti" => kibi(4),
        "Pi" => kibi(5),
        "Ei" => kibi(6),
        _ => return exponent(suffix),
    })
}

fn exponent(suffix: &str) -> Option<(i128, i128)> {
    let power: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    let factor = 10_i128.checked_pow(power.unsigned_abs())?;
    Some(if power < 0 { (1, factor) } else { (factor, 1) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_grammar() {
        for (text, expected) in [
            ("0", Some(0)),
            ("1", Some(1000)),
            ("1.5", Some(1500)),
            (".5", Some(500)),
            ("250m", Some(250)),
            ("1Ki", Some(1_024_000)),
            ("1.5Gi", Some(1_610_612_736_000)),
            ("2k", Some(2_000_000)),
            ("1e3", Some(1_000_000)),
            ("1E-1", Some(100)),
            ("+3", Some(3000)),
            ("1500n", Some(0)),
            ("-1", None),
            ("", None),
            ("Mi", None),
            ("12MiB", None),
            ("1e99", None),
        ] {
            assert_eq!(thousandths(&Quantity(text.into())), expected, "{text:?}");
        }
    }
}
