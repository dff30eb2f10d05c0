//! The parts of the schema that a derive cannot say.
//!
//! Optional fields are spelt out here because a derived one is `nullable`, and CEL's `has()` is true of an explicit
//! null. Every string and list has a bound: the API server estimates the cost of CEL rules from them.

use kube::core::{Rule, validate};
use schemars::{Schema, SchemaGenerator, json_schema};

/// The memory for items has to be smaller than what the container may use. Compared as numbers: a quantity made of a
/// number's digits has no known length, and so no known cost. Text is what equals itself as text: `type()` would say it more
/// directly, but not every CEL library has it.
pub(super) const MEMORY_FITS: &str = "!has(self.resources) || !has(self.resources.limits) || \
    !has(self.resources.limits.memory) || (string(self.resources.limits.memory) == self.resources.limits.memory ? \
    (!isQuantity(self.resources.limits.memory) || \
    quantity(self.resources.limits.memory).asApproximateFloat() > double(self.memoryLimitMegabytes) * 1048576.0) : \
    double(self.resources.limits.memory) > double(self.memoryLimitMegabytes) * 1048576.0)";

/// Short options without a value may share a word with the option after them, so that `-vm512` is `-v -m 512`.
/// Abbreviated long options are left to the operator, which knows them all.
const NOT_MANAGED: &str = r"self.all(a, !a.matches('^-[AMkrvdLCSFXWZhiV]*[AadhilmcpstuPUVZ]') && !a.matches('^--(port|udp-port|listen|unix-socket|unix-mask|memory-limit|conn-limit|threads|user|pidfile|daemon|enable-shutdown|enable-ssl|help|license|version)(=|$)'))";

pub(super) fn image(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "minLength": 1, "maxLength": 512, "pattern": r"^[^\s]+$"})
}

pub(super) fn version(_: &mut SchemaGenerator) -> Schema {
    let mut schema = json_schema!({"type": "string", "maxLength": 64});
    let rule = Rule::new(r"self.matches('^[0-9]+\\.[0-9]+(\\.[0-9]+)?(-[A-Za-z0-9][A-Za-z0-9._-]*)?$')")
        .message(
            "version must look like 1.6.39 or 1.6.39-alpine: for any other tag or registry set image instead",
        );
    validate(&mut schema, rule).expect("a rule is plain JSON");
    schema
}

pub(super) fn extra_args(_: &mut SchemaGenerator) -> Schema {
    let mut schema = json_schema!({
        "type": "array",
        "maxItems": 32,
        "items": {"type": "string", "minLength": 1, "maxLength": 256},
    });
    let rule = Rule::new(NOT_MANAGED).message(
        "extraArgs may not set what the operator manages (-a -A -c -d -h -i -l -m -p -P -s -t -u -U -V -Z and their \
         long forms): use memoryLimitMegabytes, maxConnections and threads; ports, users and sockets are fixed",
    );
    validate(&mut schema, rule).expect("a rule is plain JSON");
    schema
}

/// `limits` and `requests` of the core type, for the resources that a cache uses. A Pod takes a number with a fraction as well (`cpu:
/// 0.5`); a definition has no way to permit integers, fractions and text in one field, so the descriptions say how to write it.
pub(super) fn resources(_: &mut SchemaGenerator) -> Schema {
    let quantity = |description: &str| json_schema!({"x-kubernetes-int-or-string": true, "maxLength": 32, "pattern": QUANTITY, "description": description});
    let quantities = json_schema!({
        "type": "object",
        "properties": {
            "cpu": quantity("Cores: 2, 500m or \"0.5\". A fraction must be a string, in quotes."),
            "ephemeral-storage": quantity("Bytes: 1Gi, 500M or 1000000000."),
            "memory": quantity("Bytes: 512Mi, 1G or 536870912."),
        },
    });
    json_schema!({"type": "object", "properties": {"limits": quantities, "requests": quantities}})
}

/// A quantity above or equal to zero.
const QUANTITY: &str = r"^\+?([0-9]+(\.[0-9]*)?|\.[0-9]+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)?$";

/// The status of a resource that no replica has processed yet. Without it, tools that wait for a resource with kstatus (`helm --wait`, Flux, Argo
/// CD) would treat a resource without a status as ready.
pub(super) fn status_before_the_first_look() -> serde_json::Value {
    serde_json::json!({"conditions": [{
        "type": "Ready", "status": "Unknown", "reason": "Pending", "message": "Waiting for the operator.",
        "lastTransitionTime": "1970-01-01T00:00:00Z",
    }]})
}

pub(super) fn bucket(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int32", "minimum": 0, "maximum": 255})
}

pub(super) fn optional_integer(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "format": "int64"})
}

pub(super) fn optional_string(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "maxLength": 1024})
}
