//! The record of a legacy lock: JSON in an annotation, as client-go's `LeaderElectionRecord`.

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// The record as it was read. Fields that this program does not know are kept, and go with the next write.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ElectionRecord(Map<String, Value>);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    holder_identity: Option<String>,
    lease_duration_seconds: Option<i32>,
    acquire_time: Option<Timestamp>,
    renew_time: Option<Timestamp>,
    leader_transitions: Option<i32>,
}

impl ElectionRecord {
    /// Reads the annotation.
    pub(super) fn read(json: &str) -> Result<(Self, LeaseSpec), serde_json::Error> {
        let record: Map<String, Value> = serde_json::from_str(json)?;
        let fields: Fields = serde_json::from_str(json)?;
        let spec = LeaseSpec {
            holder_identity: fields.holder_identity,
            lease_duration_seconds: fields.lease_duration_seconds,
            acquire_time: fields.acquire_time.map(MicroTime),
            renew_time: fields.renew_time.map(MicroTime),
            lease_transitions: fields.leader_transitions,
            ..LeaseSpec::default()
        };
        Ok((Self(record), spec))
    }

    /// The annotation with these values. client-go writes all five fields, even if they are empty.
    pub(super) fn written(mut self, spec: &LeaseSpec) -> String {
        let record = &mut self.0;
        let seconds =
            |time: Option<&MicroTime>| time.map(|time| time.0.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
        record
            .insert("holderIdentity".to_owned(), json!(spec.holder_identity.as_deref().unwrap_or_default()));
        record.insert(
            "leaseDurationSeconds".to_owned(),
            json!(spec.lease_duration_seconds.unwrap_or_default()),
        );
        record.insert("acquireTime".to_owned(), json!(seconds(spec.acquire_time.as_ref())));
        record.insert("renewTime".to_owned(), json!(seconds(spec.renew_time.as_ref())));
        record.insert("leaderTransitions".to_owned(), json!(spec.lease_transitions.unwrap_or_default()));
        Value::Object(self.0).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As client-go 0.23 wrote it.
    const HELD: &str = r#"{"holderIdentity":"go_1","leaseDurationSeconds":15,"acquireTime":"2026-01-02T03:04:05Z","renewTime":"2026-01-02T03:04:07Z","leaderTransitions":3}"#;
    const RELEASED: &str = r#"{"holderIdentity":"","leaseDurationSeconds":1,"acquireTime":"2026-01-02T03:04:05Z","renewTime":"2026-01-02T03:04:05Z","leaderTransitions":3}"#;
    const ZERO: &str = r#"{"holderIdentity":"","leaseDurationSeconds":0,"acquireTime":null,"renewTime":null,"leaderTransitions":0}"#;

    fn again(json: &str) -> String {
        let (record, spec) = ElectionRecord::read(json).expect("a record");
        record.written(&spec)
    }

    fn same(one: &str, other: &str) -> bool {
        let value = |json: &str| serde_json::from_str::<Value>(json).expect("JSON");
        value(one) == value(other)
    }

    #[test]
    fn what_client_go_wrote_is_written_as_it_was() {
        for json in [HELD, RELEASED, ZERO] {
            assert!(same(&again(json), json), "{}", again(json));
        }
        let (_, spec) = ElectionRecord::read(HELD).expect("a record");
        assert_eq!(spec.holder_identity.as_deref(), Some("go_1"));
        assert_eq!((spec.lease_duration_seconds, spec.lease_transitions), (Some(15), Some(3)));
        assert_eq!(spec.renew_time.expect("a time").0.to_string(), "2026-01-02T03:04:07Z");
    }

    #[test]
    fn fields_that_are_not_known_are_kept() {
        let json = HELD
            .replace("{\"", r#"{"strategy":"OldestEmulationVersion","preferredHolder":"x","later":[1],""#);
        assert!(same(&again(&json), &json), "{}", again(&json));
    }

    #[test]
    fn times_are_whole_seconds_and_finer_ones_are_read() {
        let finer = HELD.replace("07Z", "07.999999Z");
        assert!(same(&again(&finer), HELD), "{}", again(&finer));
    }

    #[test]
    fn a_record_that_cannot_be_read_is_no_record() {
        for json in
            ["", "{", "[]", "null", r#"{"leaseDurationSeconds":"15"}"#, r#"{"renewTime":"yesterday"}"#]
        {
            assert!(ElectionRecord::read(json).is_err(), "{json}");
        }
    }
}
