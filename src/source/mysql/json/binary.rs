//! The bytes of a document: types of values, and where the members of containers lie.
//!
//! ```text
//! document   type value
//! array      count size value-entry* values        size: of all of it
//! object     count size key-entry* value-entry* keys values
//! key-entry  offset length                         offsets count from the container's begin
//! value-entry type (offset | the value itself, if it is small enough)
//! ```
//!
//! Counts, sizes and offsets have 2 bytes, in large containers 4.

use super::super::reader::Reader;

/// How many bytes may still be looked at. No two values of a server's document share bytes, so that
/// it never costs more than its length; one of which all members lie at the same place would take
/// twice the time and space for each level.
#[derive(Debug)]
pub(super) struct Budget(usize);

impl Budget {
    pub(super) fn of(bytes: usize) -> Self {
        Self(bytes)
    }

    fn spend(&mut self, bytes: usize) -> Option<()> {
        self.0 = self.0.checked_sub(bytes)?;
        Some(())
    }
}

/// Types by number.
mod kind {
    pub(super) const SMALL_OBJECT: u8 = 0;
    pub(super) const LARGE_OBJECT: u8 = 1;
    pub(super) const SMALL_ARRAY: u8 = 2;
    pub(super) const LARGE_ARRAY: u8 = 3;
    pub(super) const LITERAL: u8 = 4;
    pub(super) const INT16: u8 = 5;
    pub(super) const UINT16: u8 = 6;
    pub(super) const INT32: u8 = 7;
    pub(super) const UINT32: u8 = 8;
    pub(super) const INT64: u8 = 9;
    pub(super) const UINT64: u8 = 10;
    pub(super) const DOUBLE: u8 = 11;
    pub(super) const STRING: u8 = 12;
    pub(super) const OPAQUE: u8 = 15;
}

/// A value that was not looked at yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Value<'a> {
    kind: u8,
    /// It begins here; what follows may be other values.
    bytes: &'a [u8],
}

/// A value.
#[derive(Debug)]
pub(super) enum Form<'a> {
    Object(Container<'a>),
    Array(Container<'a>),
    Null,
    Bool(bool),
    Int(i64),
    Unsigned(u64),
    Double(f64),
    Text(&'a [u8]),
    /// A value of another SQL type: the number of that, and bytes.
    Opaque(u8, &'a [u8]),
}

impl<'a> Value<'a> {
    pub(super) fn document(binary: &'a [u8]) -> Self {
        match binary.split_first() {
            Some((kind, bytes)) => Self { kind: *kind, bytes },
            // What INSERT IGNORE leaves where NULL is not allowed.
            None => Self { kind: kind::LITERAL, bytes: &[0] },
        }
    }

    pub(super) fn read(self, budget: &mut Budget) -> Option<Form<'a>> {
        let mut reader = Reader(self.bytes);
        Some(match self.kind {
            kind::SMALL_OBJECT => Form::Object(Container::read(self.bytes, 2, true, budget)?),
            kind::LARGE_OBJECT => Form::Object(Container::read(self.bytes, 4, true, budget)?),
            kind::SMALL_ARRAY => Form::Array(Container::read(self.bytes, 2, false, budget)?),
            kind::LARGE_ARRAY => Form::Array(Container::read(self.bytes, 4, false, budget)?),
            kind::LITERAL => match reader.u8()? {
                0 => Form::Null,
                1 => Form::Bool(true),
                2 => Form::Bool(false),
                _ => return None,
            },
            // Numbers cost nothing: the entry that leads to each was paid for.
            kind::INT16 => Form::Int(reader.u16()?.cast_signed().into()),
            kind::INT32 => Form::Int(reader.u32()?.cast_signed().into()),
            kind::INT64 => Form::Int(reader.le(8)?.cast_signed()),
            kind::UINT16 => Form::Unsigned(reader.le(2)?),
            kind::UINT32 => Form::Unsigned(reader.le(4)?),
            kind::UINT64 => Form::Unsigned(reader.le(8)?),
            kind::DOUBLE => Form::Double(f64::from_bits(reader.le(8)?)),
            kind::STRING => Form::Text(counted(&mut reader, budget)?),
            kind::OPAQUE => Form::Opaque(reader.u8()?, counted(&mut reader, budget)?),
            _ => return None,
        })
    }
}

/// An object or an array.
#[derive(Debug, Clone, Copy)]
pub(super) struct Container<'a> {
    bytes: &'a [u8],
    count: usize,
    /// Bytes of a count, size or offset.
    width: usize,
    has_keys: bool,
}

impl<'a> Container<'a> {
    fn read(bytes: &'a [u8], width: usize, has_keys: bool, budget: &mut Budget) -> Option<Self> {
        let mut reader = Reader(bytes);
        let count = usize::try_from(reader.le(width)?).ok()?;
        let size = usize::try_from(reader.le(width)?).ok()?;
        let container = Self { bytes: bytes.get(..size)?, count, width, has_keys };
        let header_bytes = container.header_bytes();
        if header_bytes > size {
            return None;
        }
        budget.spend(header_bytes)?;
        Some(container)
    }

    /// How many members it has; their entries are there.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// The key of a member of an object.
    pub(super) fn key(&self, place: usize, budget: &mut Budget) -> Option<&'a [u8]> {
        let entry = self.keys_begin().checked_add(place.checked_mul(self.key_entry_bytes())?)?;
        let mut reader = Reader(self.bytes.get(entry..)?);
        let offset = reader.le(self.width)?;
        let length = usize::from(reader.u16()?);
        budget.spend(length)?;
        self.below(offset)?.get(..length)
    }

    /// A member, without its key.
    pub(super) fn value(&self, place: usize) -> Option<Value<'a>> {
        let entry = self.values_begin().checked_add(place.checked_mul(1 + self.width)?)?;
        let mut reader = Reader(self.bytes.get(entry..)?);
        let kind = reader.u8()?;
        let field = reader.take(self.width)?;
        let is_inline = match kind {
            kind::LITERAL | kind::INT16 | kind::UINT16 => true,
            kind::INT32 | kind::UINT32 => self.width == 4,
            _ => false,
        };
        let bytes = match is_inline {
            true => field,
            false => self.below(Reader(field).le(self.width)?)?,
        };
        Some(Value { kind, bytes })
    }

    /// What lies from `offset` on, which never is a part of the header.
    fn below(&self, offset: u64) -> Option<&'a [u8]> {
        let offset = usize::try_from(offset).ok()?;
        if offset < self.header_bytes() {
            return None;
        }
        self.bytes.get(offset..)
    }

    fn keys_begin(&self) -> usize {
        2 * self.width
    }

    fn key_entry_bytes(&self) -> usize {
        if self.has_keys { self.width + 2 } else { 0 }
    }

    fn values_begin(&self) -> usize {
        self.count.saturating_mul(self.key_entry_bytes()).saturating_add(self.keys_begin())
    }

    fn header_bytes(&self) -> usize {
        self.count.saturating_mul(1 + self.width).saturating_add(self.values_begin())
    }
}

/// A length of up to 5 bytes with 7 bits each, the lowest first, then that many bytes.
fn counted<'a>(reader: &mut Reader<'a>, budget: &mut Budget) -> Option<&'a [u8]> {
    let mut length = 0_u64;
    for shift in [0, 7, 14, 21, 28] {
        let byte = reader.u8()?;
        length |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            let length = usize::try_from(length).ok()?;
            budget.spend(length)?;
            return reader.take(length);
        }
    }
    None
}
