//! The API server's own metrics.

use anyhow::{Context as _, Result};
use kube::Client;

/// The sum of a counter over all series that have this label.
pub(crate) async fn sum(client: &Client, name: &str, label: (&str, &str)) -> Result<f64> {
    let request = http::Request::get("/metrics").body(Vec::new()).context("a request could not be made")?;
    let text = client.request_text(request).await.context("the API server's metrics could not be read")?;
    Ok(summed(&text, name, label))
}

fn summed(text: &str, name: &str, (label, value): (&str, &str)) -> f64 {
    let label = format!("{label}=\"{value}\"");
    let series =
        text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix('{')?.rsplit_once("} "));
    series
        .filter(|(labels, _)| labels.split(',').any(|found| found == label))
        .filter_map(|(_, value)| value.trim().parse::<f64>().ok())
        .sum()
}

#[cfg(test)]
mod tests {
    use super::summed;

    #[test]
    fn only_the_named_series_count() {
        let text = "# TYPE a counter\na{group=\"x\",kind=\"y\"} 2\na{group=\"xx\"} 3\na{kind=\"z\",group=\"x\"} 4e1\nab{group=\"x\"} 5\n";
        assert!((summed(text, "a", ("group", "x")) - 42.0).abs() < f64::EPSILON);
    }
}
