//! Bodies in protobuf, from a notation in JSON: `apiVersion`, `kind`, and the object's message as a list of
//! `[field number, value]`. A list is a message in the message, and an empty one an empty message.
//!
//! Written without the server's own reader, so that no mistake of that one is made here, too.

use bytes::Bytes;
use serde_json::Value;

pub(crate) const MEDIA: &str = "application/vnd.kubernetes.protobuf";

/// The body that a Go client sends for this object.
pub(crate) fn encode(text: &str) -> Bytes {
    let object: Value = serde_json::from_str(text).expect("the notation is JSON");
    let mut identity = Vec::new();
    field(&mut identity, 1, &object["apiVersion"]);
    field(&mut identity, 2, &object["kind"]);
    let mut body = b"k8s\0".to_vec();
    bytes(&mut body, 1, &identity);
    bytes(&mut body, 2, &message(&object["fields"]));
    bytes(&mut body, 3, b"");
    bytes(&mut body, 4, b"");
    body.into()
}

fn message(fields: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    for pair in fields.as_array().expect("a message is a list") {
        let number = pair[0].as_u64().expect("a field has a number");
        field(&mut out, number, &pair[1]);
    }
    out
}

fn field(out: &mut Vec<u8>, number: u64, value: &Value) {
    match value {
        Value::String(text) => bytes(out, number, text.as_bytes()),
        Value::Array(_) => bytes(out, number, &message(value)),
        number_only => {
            varint(out, number << 3);
            varint(out, number_only.as_u64().expect("a text, a message or a number"));
        }
    }
}

fn bytes(out: &mut Vec<u8>, number: u64, content: &[u8]) {
    varint(out, (number << 3) | 2);
    varint(out, u64::try_from(content.len()).expect("a short body"));
    out.extend(content);
}

fn varint(out: &mut Vec<u8>, value: u64) {
    let low = u8::try_from(value & 0x7f).expect("seven bits");
    if value < 0x80 {
        return out.push(low);
    }
    out.push(low | 0x80);
    varint(out, value >> 7);
}
