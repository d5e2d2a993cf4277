//! The door of the fuzz target to blocks of events: see [`crate::fuzzing`].

use super::outbox::Block;
use crate::canon::Event;
use crate::fuzzing::Input;

/// A block as it lies in the ledger (0), or lines to make one of (1).
pub fn outbox(data: &[u8]) -> bool {
    let mut input = Input(data);
    let bytes = match input.byte() % 2 {
        0 => input.0.to_vec(),
        _ => zstd::encode_all(input.0, 1).unwrap(),
    };
    let Ok(events) = Block::unpack(1, &bytes) else { return false };
    let block = Block::pack(&events).unwrap();
    let sequence = |event: Option<&Event>| event.map_or(0, |event| event.sequence);
    assert_eq!((block.first, block.last), (sequence(events.first()), sequence(events.last())));
    let again = Block::unpack(1, &block.bytes).unwrap();
    // (Rows have no fractions but as texts: those may come back rounded.)
    if !events.iter().any(has_fractions) {
        assert_eq!(again, events);
    }
    for event in &events {
        assert_eq!(event.cloud_event(uuid::Uuid::nil())["specversion"], "1.0");
        assert!(event.changed().len() <= event.new.as_ref().map_or(0, serde_json::Map::len));
    }
    !events.is_empty()
}

fn has_fractions(event: &Event) -> bool {
    let rows = [&event.old, &event.new].into_iter().flatten();
    rows.flat_map(|row| row.values()).any(is_fraction)
}

fn is_fraction(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Number(number) => number.is_f64(),
        serde_json::Value::Array(list) => list.iter().any(is_fraction),
        serde_json::Value::Object(fields) => fields.values().any(is_fraction),
        _ => false,
    }
}
