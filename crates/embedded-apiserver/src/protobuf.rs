//! Bodies in protobuf, as `kubectl create namespace` and `kubectl create configmap` send them.
//!
//! Objects come in an envelope, `runtime.Unknown` of apimachinery. Of the messages in it only the fields are known that
//! these commands set. A body with any other is refused and not read in part: what is read has to be written back as the
//! same bytes.

use bytes::Bytes;
use prost::Message;
use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::refusal::Refusal;

/// The media type.
pub(crate) const MEDIA: &str = "application/vnd.kubernetes.protobuf";

/// What every body begins with.
const MAGIC: &[u8] = b"k8s\0";

/// The object in a body, in the form in which JSON would have it.
pub(crate) fn object(body: &[u8]) -> Result<Value, Refusal> {
    let unreadable = |why: &str| {
        Refusal::bad_request(&format!("the body of the request is no protobuf of Kubernetes: {why}"))
    };
    let envelope = body.strip_prefix(MAGIC).ok_or_else(|| unreadable("it does not begin with k8s"))?;
    let envelope = Envelope::decode(envelope).map_err(|error| unreadable(&error.to_string()))?;
    let Identity { api_version, kind } = envelope.identity;
    let read = match (api_version.as_str(), kind.as_str()) {
        ("v1", "Namespace") => whole::<Namespace>(&envelope.raw),
        ("v1", "ConfigMap") => whole::<ConfigMap>(&envelope.raw),
        _ => Ok(None),
    };
    let Some(mut object) = read.map_err(|error| unreadable(&error.to_string()))? else {
        return Err(Refusal::not_supported(&format!(
            "this {kind} of {api_version} as {MEDIA}; send it as JSON, as `kubectl apply` does"
        )));
    };
    object["apiVersion"] = json!(api_version);
    object["kind"] = json!(kind);
    Ok(object)
}

/// The message as JSON, unless there is more in it than is known here.
fn whole<M: Message + Default + Serialize>(raw: &Bytes) -> Result<Option<Value>, prost::DecodeError> {
    let message = M::decode(raw.clone())?;
    let is_whole = message.encode_to_vec() == *raw;
    Ok(is_whole.then(|| serde_json::to_value(&message).expect("these messages are plain data")))
}

#[derive(Clone, PartialEq, Message)]
struct Envelope {
    #[prost(message, required, tag = "1")]
    identity: Identity,
    #[prost(bytes = "bytes", required, tag = "2")]
    raw: Bytes,
}

#[derive(Clone, PartialEq, Message)]
struct Identity {
    #[prost(string, required, tag = "1")]
    api_version: String,
    #[prost(string, required, tag = "2")]
    kind: String,
}

#[derive(Clone, PartialEq, Message, Serialize)]
struct Namespace {
    #[prost(message, required, tag = "1")]
    metadata: Metadata,
    #[prost(message, required, tag = "2")]
    #[serde(skip)]
    spec: Nothing,
    #[prost(message, required, tag = "3")]
    #[serde(skip)]
    status: NamespaceStatus,
}

#[derive(Clone, PartialEq, Message)]
struct NamespaceStatus {
    #[prost(string, optional, tag = "1")]
    phase: Option<String>,
}

#[derive(Clone, PartialEq, Message, Serialize)]
struct ConfigMap {
    #[prost(message, required, tag = "1")]
    metadata: Metadata,
    #[prost(message, repeated, tag = "2")]
    #[serde(serialize_with = "as_map", skip_serializing_if = "Vec::is_empty")]
    data: Vec<Entry>,
}

/// `ObjectMeta`. Go writes the fields that are empty, too; as JSON they are dropped when the object is read.
#[derive(Clone, PartialEq, Message, Serialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(string, optional, tag = "2")]
    generate_name: Option<String>,
    #[prost(string, optional, tag = "3")]
    namespace: Option<String>,
    #[prost(string, optional, tag = "4")]
    self_link: Option<String>,
    #[prost(string, optional, tag = "5")]
    uid: Option<String>,
    #[prost(string, optional, tag = "6")]
    resource_version: Option<String>,
    #[prost(int64, optional, tag = "7")]
    generation: Option<i64>,
    #[prost(message, optional, tag = "8")]
    #[serde(skip)]
    creation_timestamp: Option<Nothing>,
    #[prost(message, repeated, tag = "11")]
    #[serde(serialize_with = "as_map", skip_serializing_if = "Vec::is_empty")]
    labels: Vec<Entry>,
    #[prost(message, repeated, tag = "12")]
    #[serde(serialize_with = "as_map", skip_serializing_if = "Vec::is_empty")]
    annotations: Vec<Entry>,
    #[prost(string, repeated, tag = "14")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    finalizers: Vec<String>,
}

/// An entry of a map.
#[derive(Clone, PartialEq, Message)]
struct Entry {
    #[prost(string, required, tag = "1")]
    key: String,
    #[prost(string, required, tag = "2")]
    value: String,
}

/// A message without a field in it.
#[derive(Clone, PartialEq, Message)]
struct Nothing {}

fn as_map<S: Serializer>(entries: &[Entry], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(entries.iter().map(|entry| (&entry.key, &entry.value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What kubectl 1.37 sends for `kubectl create configmap c --from-literal=a=b`.
    const SENT: &[u8] = b"k8s\0\n\x0f\n\x02v1\x12\tConfigMap\x12\x1b\n\x11\n\x01c\x12\0\x1a\0\"\0*\x002\x008\0B\0\x12\x06\n\x01a\x12\x01b\x1a\0\"\0";

    #[test]
    fn what_kubectl_sends_is_read() {
        let object = object(SENT).expect("a ConfigMap");
        assert_eq!(object["metadata"]["name"], "c");
        assert_eq!(object["data"], json!({"a": "b"}));
        assert_eq!((&object["apiVersion"], &object["kind"]), (&json!("v1"), &json!("ConfigMap")));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        // The last field of the message is now `immutable`.
        let mut sent = SENT.to_vec();
        let at = sent.iter().position(|byte| *byte == 0x1b).expect("the length of the message");
        sent[at] += 2;
        let end = at + 1 + usize::from(sent[at]) - 2;
        sent.splice(end..end, [0x20, 1]);
        assert_eq!(object(&sent).expect_err("a field that is not known").code, 501);
        assert_eq!(object(b"{}").expect_err("JSON").code, 400);
    }
}
