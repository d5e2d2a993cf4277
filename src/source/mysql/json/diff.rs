//! Partial updates: what a sequence of diffs makes of a document.
//!
//! Only the containers on the way to what changes are taken apart; all else is printed from the
//! bytes it was stored in.

use std::borrow::Cow;

use super::super::reader::Reader;
use super::binary::{Budget, Form, Value};
use super::path::{self, Leg};
use super::text;

/// Operations by number.
const REPLACE: u8 = 0;
const INSERT: u8 = 1;
const REMOVE: u8 = 2;

/// A value of a document that changes.
#[derive(Debug)]
enum Node<'a> {
    /// As it was stored.
    Stored(Value<'a>),
    /// In the order of keys, see [`place_of`].
    Object(Vec<Member<'a>>),
    Array(Vec<Node<'a>>),
}

type Member<'a> = (Cow<'a, [u8]>, Node<'a>);

/// Appends the text of the document that `diffs` make of `before`.
pub(super) fn apply(before: &[u8], diffs: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut budget = Budget::of(before.len().saturating_add(diffs.len()));
    let mut root = Node::Stored(Value::document(before));
    let mut reader = Reader(diffs);
    while !reader.is_empty() {
        let operation = reader.u8()?;
        let legs = path::parse(reader.text()?)?;
        // The document itself is never replaced: its column would be told in full.
        let (last, parents) = legs.split_last()?;
        let mut value = || Some(Node::Stored(Value::document(reader.text()?)));
        let mut parent = &mut root;
        for leg in parents {
            parent = parent.child(leg, &mut budget)?;
        }
        match operation {
            REPLACE => *parent.child(last, &mut budget)? = value()?,
            INSERT => parent.insert(last, value()?, &mut budget)?,
            REMOVE => parent.remove(last, &mut budget)?,
            _ => return None,
        }
    }
    root.write(0, &mut budget, out)
}

impl<'a> Node<'a> {
    /// Takes a stored container apart, but not its members.
    fn open(&mut self, budget: &mut Budget) -> Option<&mut Self> {
        let Node::Stored(value) = self else { return Some(self) };
        match value.read(budget)? {
            Form::Object(object) => {
                let mut members: Vec<Member<'a>> = Vec::with_capacity(object.count());
                for place in 0..object.count() {
                    let key = object.key(place, budget)?;
                    // Else a search would not find it.
                    if members.last().is_some_and(|(last, _)| rank(last) >= rank(key)) {
                        return None;
                    }
                    members.push((Cow::Borrowed(key), Node::Stored(object.value(place)?)));
                }
                *self = Node::Object(members);
            }
            Form::Array(array) => {
                let members = (0..array.count()).map(|place| array.value(place).map(Node::Stored));
                *self = Node::Array(members.collect::<Option<_>>()?);
            }
            // A path does not lead through a scalar.
            _ => return None,
        }
        Some(self)
    }

    /// The member that is there.
    fn child(&mut self, leg: &Leg<'_>, budget: &mut Budget) -> Option<&mut Self> {
        match (self.open(budget)?, leg) {
            (Node::Object(members), Leg::Member(key)) => {
                let place = place_of(members, key).ok()?;
                members.get_mut(place).map(|(_, node)| node)
            }
            (Node::Array(members), Leg::Cell { index, from_end }) => {
                let place = cell_of(members.len(), *index, *from_end).ok()?;
                members.get_mut(place)
            }
            _ => None,
        }
    }

    fn insert(&mut self, leg: &Leg<'a>, value: Node<'a>, budget: &mut Budget) -> Option<()> {
        match (self.open(budget)?, leg) {
            (Node::Object(members), Leg::Member(key)) => {
                // The server refuses to insert what is there.
                let place = place_of(members, key).err()?;
                members.insert(place, (key.clone(), value));
            }
            (Node::Array(members), Leg::Cell { index, from_end }) => {
                let place = cell_of(members.len(), *index, *from_end);
                members.insert(place.unwrap_or_else(|nearest| nearest), value);
            }
            _ => return None,
        }
        Some(())
    }

    fn remove(&mut self, leg: &Leg<'_>, budget: &mut Budget) -> Option<()> {
        match (self.open(budget)?, leg) {
            (Node::Object(members), Leg::Member(key)) => {
                members.remove(place_of(members, key).ok()?);
            }
            (Node::Array(members), Leg::Cell { index, from_end }) => {
                members.remove(cell_of(members.len(), *index, *from_end).ok()?);
            }
            _ => return None,
        }
        Some(())
    }

    fn write(&self, depth: usize, budget: &mut Budget, out: &mut Vec<u8>) -> Option<()> {
        match self {
            Node::Stored(value) => text::write(*value, depth, budget, out)?,
            Node::Object(members) => {
                let depth = text::deeper(depth)?;
                out.push(b'{');
                for (place, (key, node)) in members.iter().enumerate() {
                    text::write_key(place, key, out);
                    node.write(depth, budget, out)?;
                }
                out.push(b'}');
            }
            Node::Array(members) => {
                let depth = text::deeper(depth)?;
                out.push(b'[');
                for (place, node) in members.iter().enumerate() {
                    text::write_comma(place, out);
                    node.write(depth, budget, out)?;
                }
                out.push(b']');
            }
        }
        Some(())
    }
}

/// The server's order of keys: by length, then by bytes.
fn rank(key: &[u8]) -> (usize, &[u8]) {
    (key.len(), key)
}

/// Where a key is, or else where it would be.
fn place_of(members: &[Member<'_>], key: &[u8]) -> Result<usize, usize> {
    members.binary_search_by(|(other, _)| rank(other).cmp(&rank(key)))
}

/// Where a cell of an array is, or else which end is nearest to it.
fn cell_of(count: usize, index: usize, from_end: bool) -> Result<usize, usize> {
    match (index < count, from_end) {
        (true, false) => Ok(index),
        (true, true) => Ok(count - 1 - index),
        (false, false) => Err(count),
        (false, true) => Err(0),
    }
}
