//! The serde side of a TOML tree: hands values to the structs and notes what they know.
//!
//! It decides nothing: which faults are mended, and how, is [`super::read`]'s.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde::de::{self, DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess, Visitor};

use super::document::{Entry, Node, Path, Value};
use super::fault::Fault;
use super::read::Instead;

/// What one pass over the tree learnt.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// The keys each table may hold, with `<name>` where the operator chooses.
    pub(super) tables: BTreeMap<Path, &'static [&'static str]>,
    /// Keys that no struct knows.
    pub(super) unknown: BTreeSet<Path>,
}

/// A value at its place, ready to be read.
#[derive(Clone)]
pub(super) struct At<'a> {
    pub(super) node: &'a Node,
    pub(super) path: Path,
    /// What is put in the place of values that cannot be read.
    pub(super) instead: &'a BTreeMap<Path, Instead>,
    pub(super) notes: &'a RefCell<Notes>,
}

impl<'a> At<'a> {
    fn child_path(&self, name: &str) -> Path {
        self.path.iter().cloned().chain([name.to_owned()]).collect()
    }

    /// The entries of a table that are to be read, stand-ins included.
    fn entries(&self, fields: Option<&'static [&'static str]>) -> Vec<(String, Option<&'a Node>)> {
        let stand_ins = fields.unwrap_or(&["<name>"]).iter();
        let mut entries: Vec<(String, Option<&'a Node>)> = match &self.node.value {
            Value::Table(entries) => entries.iter().map(named).collect(),
            // A list of all options wants every key; a stand-in for a missing table, too.
            _ => stand_ins.clone().map(|field| ((*field).to_owned(), None)).collect(),
        };
        entries.retain(|(name, _)| !self.instead.contains_key(&self.child_path(name)));
        for field in stand_ins {
            if self.instead.get(&self.child_path(field)) == Some(&Instead::Any) {
                entries.push(((*field).to_owned(), None));
            }
        }
        entries
    }

    fn table<'de, V: Visitor<'de>>(
        self,
        fields: Option<&'static [&'static str]>,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if !matches!(self.node.value, Value::Table(_) | Value::Any) {
            return self.scalar(visitor);
        }
        let mut entries = self.entries(fields);
        if let Some(fields) = fields {
            let mut notes = self.notes.borrow_mut();
            notes.tables.insert(self.path.clone(), fields);
            entries.retain(|(name, _)| {
                let known = fields.contains(&name.as_str());
                if !known {
                    notes.unknown.insert(self.child_path(name));
                }
                known
            });
        }
        let path = self.path.clone();
        let entries = entries.into_iter();
        visitor.visit_map(Entries { table: self, entries, next: None }).map_err(|f| f.at(&path))
    }

    /// Hands over what stands there; the visitor says if it wanted something else.
    fn scalar<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let path = self.path.clone();
        let result = match &self.node.value {
            Value::Boolean(value) => visitor.visit_bool(*value),
            Value::Integer(value) => visitor.visit_i64(*value),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::Text(value) => visitor.visit_str(value),
            Value::Datetime => Err(de::Error::invalid_type(
                de::Unexpected::Other("a date"),
                &"something else than a date",
            )),
            Value::Array(nodes) => visitor.visit_seq(Items { list: self, nodes: nodes.iter() }),
            Value::Table(_) => return self.table(None, visitor),
            Value::Any => visitor.visit_str(""),
        };
        result.map_err(|fault| fault.at(&path))
    }
}

fn named(entry: &Entry) -> (String, Option<&Node>) {
    (entry.name.clone(), Some(&entry.node))
}

/// A stand-in answers with the simplest value of the asked-for type.
macro_rules! stand_in {
    ($($method:ident => $visit:ident($value:expr);)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            match self.node.value {
                Value::Any => visitor.$visit($value),
                _ => self.scalar(visitor),
            }
        }
    )*};
}

impl<'de> de::Deserializer<'de> for At<'_> {
    type Error = Fault;

    stand_in! {
        deserialize_bool => visit_bool(false);
        deserialize_i8 => visit_i64(0);
        deserialize_i16 => visit_i64(0);
        deserialize_i32 => visit_i64(0);
        deserialize_i64 => visit_i64(0);
        deserialize_u8 => visit_i64(0);
        deserialize_u16 => visit_i64(0);
        deserialize_u32 => visit_i64(0);
        deserialize_u64 => visit_i64(0);
        deserialize_f32 => visit_f64(0.0);
        deserialize_f64 => visit_f64(0.0);
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.scalar(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.node.value {
            Value::Any => visitor.visit_seq(Items { list: self, nodes: [].iter() }),
            _ => self.scalar(visitor),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.table(None, visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.table(Some(fields), visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let word = match &self.node.value {
            Value::Text(word) => word.as_str(),
            Value::Any => variants.first().copied().unwrap_or_default(),
            _ => return self.scalar(visitor),
        };
        visitor.visit_enum(word.into_deserializer()).map_err(|fault: Fault| fault.at(&self.path))
    }

    serde::forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

/// The entries of a table, one by one.
struct Entries<'a> {
    table: At<'a>,
    entries: std::vec::IntoIter<(String, Option<&'a Node>)>,
    next: Option<(String, Option<&'a Node>)>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        self.next = self.entries.next();
        let Some((name, _)) = &self.next else { return Ok(None) };
        seed.deserialize(name.as_str().into_deserializer()).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Fault> {
        let Some((name, node)) = self.next.take() else {
            return Err(de::Error::custom("a value was asked for before its key"));
        };
        let path = self.table.child_path(&name);
        let stand_in = Node::any(self.table.node.line);
        let value = At {
            node: node.unwrap_or(&stand_in),
            path: path.clone(),
            instead: self.table.instead,
            notes: self.table.notes,
        };
        seed.deserialize(value).map_err(|fault| fault.at(&path))
    }
}

/// The items of a list; a fault in one is a fault of the list.
struct Items<'a> {
    list: At<'a>,
    nodes: std::slice::Iter<'a, Node>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        let Some(node) = self.nodes.next() else { return Ok(None) };
        seed.deserialize(At { node, ..self.list.clone() }).map(Some)
    }
}
