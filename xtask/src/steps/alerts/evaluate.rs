//! Whether an expression returns anything from what was scraped, by Prometheus' own engine: promtool is given the scraped
//! series and asked how many each expression returns.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::json;

use super::expressions::Expression;
use super::scrape::{self, Sample};
use super::{promtool, read};

/// Longer than any range that an expression looks back on.
const MINUTES: u32 = 40;

/// Says for each expression whether it returns anything; fails if one does not.
pub(super) fn all(promtool: &Path, expressions: &[Expression], files: &[PathBuf]) -> Result<()> {
    let mut samples = Vec::new();
    for (file, number) in files.iter().zip(0..) {
        let pod = file
            .file_stem()
            .map_or_else(|| format!("replica-{number}"), |stem| stem.to_string_lossy().into());
        samples.extend(scrape::read(&read(file)?, &pod)?);
    }
    let mut missing = 0;
    for expression in expressions {
        let text = prepared(&expression.text);
        match returns_something(promtool, &samples, &text) {
            Ok(()) => println!("ok       {}", expression.whose),
            Err(error) => {
                missing += 1;
                println!("MISSING  {}: {text}\n{error:#}", expression.whose);
            }
        }
    }
    if missing > 0 {
        bail!("{missing} of {} expressions return nothing from what was scraped", expressions.len());
    }
    println!("all {} expressions return something from {} series", expressions.len(), samples.len());
    Ok(())
}

/// The expression without what hides it as long as all is well: a comparison says 0 or 1 instead of leaving out what it
/// does not hold for, and what asks for an absence asks for the presence. The dashboard's variables stand for everything.
fn prepared(expression: &str) -> String {
    let mut text = expression.split_whitespace().collect::<Vec<_>>().join(" ");
    for (variable, value) in [("$__rate_interval", "5m"), ("$namespace", ".+"), ("$job", ".+")] {
        text = text.replace(variable, value);
    }
    for comparison in ["==", "!=", ">=", "<=", ">", "<"] {
        text = text.replace(&format!(" {comparison} "), &format!(" {comparison} bool "));
    }
    text.replace(" bool bool ", " bool ").replace("absent(", "count(")
}

fn returns_something(promtool: &Path, samples: &[Sample], expression: &str) -> Result<()> {
    let series: Vec<_> = samples
        .iter()
        .map(|sample| json!({"series": sample.series, "values": format!("{}x{MINUTES}", sample.value)}))
        .collect();
    let question = json!({
        "expr": format!("count({expression}) > bool 0"),
        "eval_time": format!("{MINUTES}m"),
        "exp_samples": [{"labels": "{}", "value": 1}],
    });
    let test = json!({"tests": [{"interval": "1m", "input_series": series, "promql_expr_test": [question]}]});
    // JSON is YAML.
    let file =
        tempfile::Builder::new().suffix(".yaml").tempfile().context("no file could be made for promtool")?;
    std::fs::write(file.path(), test.to_string()).context("the question to promtool could not be written")?;
    promtool::run(promtool, &["test", "rules"], &[file.path()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_an_expression_while_all_is_well_is_taken_away() {
        let cases = [
            ("max by (a) (x) == 0", "max by (a) (x) == bool 0"),
            ("sum(x == bool 0)", "sum(x == bool 0)"),
            ("absent(x)", "count(x)"),
            (
                r#"rate(x{a!="ok", job=~"$job"}[$__rate_interval]) > 1"#,
                r#"rate(x{a!="ok", job=~".+"}[5m]) > bool 1"#,
            ),
        ];
        for (expression, expected) in cases {
            assert_eq!(prepared(expression), expected);
        }
    }
}
