//! Business events: what changed about one canonical row, as a CloudEvent 1.0.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

/// A canonical row as JSON: attribute → value. Decimals and dates are strings, so nothing is
/// rounded on the way.
pub type Row = Map<String, Value>;

/// What happened to a canonical row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EventOp {
    /// The key is new.
    Created,
    /// An attribute changed.
    Updated,
    /// The key is gone.
    Deleted,
}

impl EventOp {
    /// The word in the event's type.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            EventOp::Created => "created",
            EventOp::Updated => "updated",
            EventOp::Deleted => "deleted",
        }
    }
}

/// A business event. `sequence` orders all events of an install and is never used twice; it is
/// also the version of its key (see docs/decisions.md), so the id can never collide.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Place in the outbox.
    pub sequence: u64,
    /// The canonical entity.
    pub entity: String,
    /// The canonical key, as text; parts of a composite key joined by `|`.
    pub key: String,
    /// What happened.
    pub op: EventOp,
    /// The source's commit time, microseconds since 1970-01-01 UTC, of the last transaction
    /// that went into it.
    pub time_micros: i64,
    /// Ties the events of one business chain together.
    pub correlation: String,
    /// The row before; `None` if the key is new.
    pub old: Option<Row>,
    /// The row now; `None` if the key is gone.
    pub new: Option<Row>,
}

impl Event {
    /// UUIDv5 over install, entity, key and sequence.
    #[must_use]
    pub fn id(&self, install: Uuid) -> Uuid {
        let name = format!("{}\n{}\n{}", self.entity, self.key, self.sequence);
        Uuid::new_v5(&install, name.as_bytes())
    }

    /// `trueup.<entity>.<created|updated|deleted>`
    #[must_use]
    pub fn kind(&self) -> String {
        format!("trueup.{}.{}", self.entity, self.op.word())
    }

    /// Names of the attributes whose value differs, in the order of the row.
    #[must_use]
    pub fn changed(&self) -> Vec<&str> {
        let (Some(old), Some(new)) = (&self.old, &self.new) else { return Vec::new() };
        new.iter().filter(|(name, v)| old.get(*name) != Some(*v)).map(|(n, _)| n.as_str()).collect()
    }

    /// The CloudEvent 1.0 envelope, structured mode.
    #[must_use]
    pub fn cloud_event(&self, install: Uuid) -> Value {
        let time = jiff::Timestamp::from_microsecond(self.time_micros).unwrap_or_default();
        serde_json::json!({
            "specversion": "1.0",
            "id": self.id(install).to_string(),
            "source": format!("urn:trueup:{install}"),
            "type": self.kind(),
            "subject": format!("{}/{}", self.entity, self.key),
            "time": time.to_string(),
            "datacontenttype": "application/json",
            "correlationid": self.correlation,
            "sequence": format!("{:020}", self.sequence),
            "data": { "old": self.old, "new": self.new, "changed": self.changed() },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event() -> Event {
        let row = |status: &str| {
            serde_json::json!({"worker_no": "W1", "status": status}).as_object().cloned()
        };
        Event {
            sequence: 7,
            entity: "worker".to_owned(),
            key: "W1".to_owned(),
            op: EventOp::Updated,
            time_micros: 1_700_000_000_000_000,
            correlation: "worker/W1".to_owned(),
            old: row("active"),
            new: row("terminated"),
        }
    }

    #[test]
    fn an_id_is_stable_and_differs_by_sequence() {
        let install = Uuid::from_u128(1);
        let (a, mut b) = (event(), event());
        assert_eq!(a.id(install), b.id(install));
        b.sequence = 8;
        assert_ne!(a.id(install), b.id(install));
    }

    #[test]
    fn the_envelope_names_what_changed() {
        let envelope = event().cloud_event(Uuid::from_u128(1));
        assert_eq!(envelope["type"], "trueup.worker.updated");
        assert_eq!(envelope["data"]["changed"], serde_json::json!(["status"]));
        assert_eq!(envelope["time"], "2023-11-14T22:13:20Z");
    }
}
