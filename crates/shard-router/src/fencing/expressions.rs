//! The CEL of the policies, as named variables: each is one rule.

use k8s_openapi::api::admissionregistration::v1::Variable;

use super::row_key::RowKey;

/// A label value that names a bucket, in its only spelling.
const BUCKET: &str = "^(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])$";

pub(super) fn variable(name: &str, expression: impl Into<String>) -> Variable {
    Variable { name: name.to_owned(), expression: expression.into() }
}

/// `podName` and `podUid`: which Pod the request comes from, as the API server knows from its token; empty if the token is not bound to a Pod.
pub(super) fn writer() -> [Variable; 2] {
    let of_token = |key: &str| {
        let key = format!("'authentication.kubernetes.io/{key}'");
        format!(
            "has(request.userInfo.extra) && {key} in request.userInfo.extra ? request.userInfo.extra[{key}][0] : ''"
        )
    };
    [variable("podName", of_token("pod-name")), variable("podUid", of_token("pod-uid"))]
}

/// `oldBucket` and `newBucket`: what the label says before and after the write; empty if it names no bucket.
pub(super) fn buckets(label: &str) -> [Variable; 2] {
    let of = |object: &str| {
        let labels = format!("{object}.metadata.labels");
        format!(
            "{object} != null && has({labels}) && '{label}' in {labels} && {labels}['{label}'].matches('{BUCKET}') ? \
             {labels}['{label}'] : ''"
        )
    };
    [variable("oldBucket", of("oldObject")), variable("newBucket", of("object"))]
}

/// `sharded` and `unsharded`: whether the request is for a resource of such a kind. All others are children.
pub(super) fn kinds(sharded: &[String], unsharded: &[String]) -> [Variable; 2] {
    let list = |kinds: &[String]| {
        let quoted: Vec<_> = kinds.iter().map(|kind| format!("'{kind}'")).collect();
        format!("(request.resource.resource + '.' + request.resource.group) in [{}]", quoted.join(", "))
    };
    [variable("sharded", list(sharded)), variable("unsharded", list(unsharded))]
}

/// `parts`: the rows that the writer has to own.
///
/// - A resource of a sharded kind belongs to the bucket of its label before the write. If somebody has edited the label, the holder of the shard that it names restores it.
///   Without a label that names a bucket, the resource belongs to whoever stamps.
/// - A child belongs to the bucket of its label before the write, and to the one after it: otherwise a label could be put on it, or taken off it, by another Pod.
/// - What has no bucket belongs to the coordinator.
pub(super) fn parts() -> Variable {
    let (stamping, coordinator) = (RowKey::STAMPING, RowKey::COORDINATOR);
    variable(
        "parts",
        format!(
            "variables.unsharded ? ['{coordinator}'] : \
             variables.sharded ? [request.operation == 'CREATE' ? \
             (variables.newBucket != '' ? variables.newBucket : '{stamping}') : \
             (variables.oldBucket != '' ? variables.oldBucket : '{stamping}')] : \
             variables.oldBucket == '' && variables.newBucket == '' ? ['{coordinator}'] : \
             [variables.oldBucket, variables.newBucket].filter(bucket, bucket != '')"
        ),
    )
}

/// `refused`: the parts that belong to another Pod; and those that belong to nobody, if that is not open.
pub(super) fn refused() -> Variable {
    variable(
        "refused",
        "variables.parts.filter(part, part in params.spec.rows ? \
         !(params.spec.rows[part].uid == variables.podUid && params.spec.rows[part].pod == variables.podName) : \
         variables.required)",
    )
}

/// Why, as a sentence.
pub(super) fn refusal(prefix: &str, table: &str) -> String {
    format!(
        "'{prefix}' + variables.refused[0] + (variables.refused[0] in params.spec.rows ? \
         ' belongs to Pod ' + params.spec.rows[variables.refused[0]].pod + ' (uid ' + \
         params.spec.rows[variables.refused[0]].uid + ')' : ' belongs to no Pod, and fencing is required') + \
         ' by OwnershipTable {table}; this request comes from ' + (variables.podUid == '' ? \
         'no Pod: its token is not bound to one' : 'Pod ' + variables.podName + ' (uid ' + variables.podUid + ')')"
    )
}

/// `foreignRows`: the rows of the table that a write changes and that do not name the writer.
pub(super) fn foreign_rows() -> Variable {
    variable(
        "foreignRows",
        "object == null ? [] : object.spec.rows.filter(key, \
         !(oldObject != null && key in oldObject.spec.rows && oldObject.spec.rows[key] == object.spec.rows[key]) && \
         !(object.spec.rows[key].uid == variables.podUid && object.spec.rows[key].pod == variables.podName))",
    )
}
