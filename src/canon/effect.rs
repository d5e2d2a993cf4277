//! What a batch does to each entity, in numbers: for a person to say whether it is meant.

use std::collections::BTreeMap;

use super::event::{Event, EventOp, Row};

/// Keys that are named, for a person to look at.
const KEYS_SHOWN: usize = 10;

/// What happens, or would, to one entity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effect {
    /// The entity.
    pub entity: String,
    /// Its rows before; whoever makes an effect of changes alone does not know them.
    pub rows: u64,
    /// Rows that get other values.
    pub updated: u64,
    /// Rows that go.
    pub deleted: u64,
    /// Rows that come.
    pub created: u64,
    /// How many rows get another value, by attribute.
    pub attributes: BTreeMap<String, u64>,
    /// Some keys of rows that are there and do not stay as they are; else of new ones.
    pub keys: Vec<String>,
}

/// One canonical row that changes.
#[derive(Debug, Clone, Copy)]
pub struct RowChange<'a> {
    /// The entity.
    pub entity: &'a str,
    /// The canonical key.
    pub key: &'a str,
    /// What happens.
    pub op: EventOp,
    /// The row before.
    pub old: Option<&'a Row>,
    /// The row after.
    pub new: Option<&'a Row>,
}

impl<'a> From<&'a Event> for RowChange<'a> {
    fn from(event: &'a Event) -> Self {
        Self {
            entity: &event.entity,
            key: &event.key,
            op: event.op,
            old: event.old.as_ref(),
            new: event.new.as_ref(),
        }
    }
}

impl Effect {
    /// Sums changes up, by entity in order of name.
    pub fn of<'a>(changes: impl Iterator<Item = RowChange<'a>>) -> Vec<Self> {
        let mut entities: BTreeMap<&str, Self> = BTreeMap::new();
        let mut new_keys: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for change in changes {
            let effect = entities.entry(change.entity).or_default();
            let keys = match change.op {
                EventOp::Created => {
                    effect.created += 1;
                    new_keys.entry(change.entity).or_default()
                }
                EventOp::Deleted => {
                    effect.deleted += 1;
                    &mut effect.keys
                }
                EventOp::Updated => {
                    effect.updated += 1;
                    &mut effect.keys
                }
            };
            if keys.len() < KEYS_SHOWN {
                keys.push(change.key.to_owned());
            }
            let (Some(old), Some(new)) = (change.old, change.new) else { continue };
            for (attribute, value) in new {
                if old.get(attribute) != Some(value) {
                    *effect.attributes.entry(attribute.clone()).or_default() += 1;
                }
            }
        }
        let named = entities.into_iter().map(|(entity, mut effect)| {
            effect.entity = entity.to_owned();
            if effect.keys.is_empty() {
                effect.keys = new_keys.remove(entity).unwrap_or_default();
            }
            effect
        });
        named.collect()
    }

    /// Rows that are there and do not stay as they are.
    #[must_use]
    pub fn changed(&self) -> u64 {
        self.updated + self.deleted
    }

    /// The rows before, from those after.
    #[must_use]
    pub fn after(self, rows_now: u64) -> Self {
        Self { rows: (rows_now + self.deleted).saturating_sub(self.created), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_counted_by_entity_and_attribute() {
        let row = |name: &str| -> Row {
            [("no", "1"), ("name", name)]
                .map(|(a, v)| (a.to_owned(), v.into()))
                .into_iter()
                .collect()
        };
        let (old, new) = (row("old"), row("new"));
        let keys: Vec<String> = (0..99).map(|n| n.to_string()).collect();
        let of = |entity, number: usize, op| RowChange {
            entity,
            key: &keys[number],
            op,
            old: (op != EventOp::Created).then_some(&old),
            new: (op != EventOp::Deleted).then_some(&new),
        };
        let mut changes: Vec<RowChange<'_>> =
            (0..30).map(|n| of("a", n, EventOp::Updated)).collect();
        changes.extend((30..36).map(|n| of("a", n, EventOp::Deleted)));
        changes.extend((36..99).map(|n| of("a", n, EventOp::Created)));
        changes.extend((0..5).map(|n| of("b", n, EventOp::Created)));
        let effects = Effect::of(changes.into_iter());
        let [a, b] = effects.as_slice() else { panic!("{effects:?}") };
        assert_eq!((a.updated, a.deleted, a.created, a.changed()), (30, 6, 63, 36));
        assert_eq!(a.attributes, BTreeMap::from([("name".to_owned(), 30)]));
        assert_eq!(a.keys, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
        assert_eq!((b.changed(), b.keys.len()), (0, 5));
        assert_eq!(a.clone().after(100).rows, 43);
    }
}
