//! The expressions of alerts and panels.

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

use super::{DASHBOARD, RULES};
use crate::cargo::root;

/// One expression, and whose it is.
pub(super) struct Expression {
    /// For people.
    pub(super) whose: String,
    pub(super) text: String,
    /// If it is an alert's.
    pub(super) alert: Option<Alert>,
}

/// What else is to be checked about an alert.
pub(super) struct Alert {
    pub(super) name: String,
    pub(super) runbook: String,
}

/// All of them: the alerts' first.
pub(super) fn read_all(rules: &str, dashboard: &str) -> Result<Vec<Expression>> {
    let rules: Rules =
        serde_saphyr::from_str(rules).with_context(|| format!("{RULES} is no list of rules"))?;
    let dashboard: Value =
        serde_json::from_str(dashboard).with_context(|| format!("{DASHBOARD} is no JSON"))?;
    let mut all: Vec<_> = rules.groups.into_iter().flat_map(|group| group.rules).map(of_alert).collect();
    of_panels(&dashboard, &mut all);
    Ok(all)
}

/// Those of the chart.
pub(super) fn read() -> Result<Vec<Expression>> {
    read_all(&super::read(&root().join(RULES))?, &super::read(&root().join(DASHBOARD))?)
}

#[derive(Deserialize)]
struct Rules {
    groups: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    alert: String,
    expr: String,
    annotations: Annotations,
}

#[derive(Deserialize)]
struct Annotations {
    runbook: String,
}

fn of_alert(rule: Rule) -> Expression {
    let alert = Alert { name: rule.alert.clone(), runbook: rule.annotations.runbook };
    Expression { whose: format!("alert {}", rule.alert), text: rule.expr, alert: Some(alert) }
}

/// Rows have panels of their own.
fn of_panels(parent: &Value, all: &mut Vec<Expression>) {
    for panel in parent["panels"].as_array().into_iter().flatten() {
        let title = panel["title"].as_str().unwrap_or_default();
        for target in panel["targets"].as_array().into_iter().flatten() {
            let text = target["expr"].as_str().unwrap_or_default().to_owned();
            all.push(Expression { whose: format!("panel {title:?}"), text, alert: None });
        }
        of_panels(panel, all);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panels_are_found_in_rows_too() {
        let rules = "groups: [{rules: [{alert: A, expr: x > 1, annotations: {runbook: r}}]}]";
        let dashboard =
            r#"{"panels": [{"panels": [{"title": "t", "targets": [{"expr": "y"}, {"expr": "z"}]}]}]}"#;
        let all = read_all(rules, dashboard).unwrap();
        let texts: Vec<_> = all.iter().map(|expression| expression.text.as_str()).collect();
        assert_eq!(texts, ["x > 1", "y", "z"]);
        assert_eq!(all[2].whose, "panel \"t\"");
    }
}
