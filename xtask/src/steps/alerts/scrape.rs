//! What a replica answered at /metrics, as Prometheus would store it.

use anyhow::{Result, ensure};

/// One sample.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sample {
    /// Name and labels, those of the target among them.
    pub(super) series: String,
    pub(super) value: String,
}

/// Reads the text format, and puts on each series the labels that a ServiceMonitor gives it.
pub(super) fn read(text: &str, pod: &str) -> Result<Vec<Sample>> {
    let target = format!(r#"namespace="scraped", job="memcached-operator", pod="{pod}""#);
    let mut samples = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (name, labels, rest) = split(line);
        let value = rest.split_whitespace().next().unwrap_or_default();
        ensure!(value.parse::<f64>().is_ok(), "of {pod}, this line is no sample: {line}");
        let comma = if labels.is_empty() { "" } else { ", " };
        samples
            .push(Sample { series: format!("{name}{{{target}{comma}{labels}}}"), value: value.to_owned() });
    }
    ensure!(!samples.is_empty(), "{pod} holds no metrics");
    Ok(samples)
}

/// Name, what stands in braces, and what follows. A label's value may contain braces and blanks.
fn split(line: &str) -> (&str, &str, &str) {
    let end_of_name = line.find(['{', ' ']).unwrap_or(line.len());
    let (name, rest) = line.split_at(end_of_name);
    let Some(labels) = rest.strip_prefix('{') else { return (name, "", rest) };
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in labels.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            '}' if !quoted => return (name, &labels[..at], &labels[at + 1..]),
            _ => {}
        }
    }
    (name, "", "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_get_the_labels_of_their_target() {
        let text =
            "# TYPE a gauge\na 1\nb_total{x=\"} \\\" {\",y=\"2\"} 0.5 1700000000 # {t=\"e\"} 1\n# EOF\n";
        let samples = read(text, "p").unwrap();
        let target = r#"namespace="scraped", job="memcached-operator", pod="p""#;
        assert_eq!(samples[0], Sample { series: format!("a{{{target}}}"), value: "1".into() });
        let labels = r#"x="} \" {",y="2""#;
        assert_eq!(
            samples[1],
            Sample { series: format!("b_total{{{target}, {labels}}}"), value: "0.5".into() }
        );
    }

    #[test]
    fn what_is_no_scrape_is_refused() {
        assert!(read("<html>", "p").is_err());
        assert!(read("# EOF\n", "p").is_err());
        assert!(read("a{x=\"1\" 1", "p").is_err());
    }
}
