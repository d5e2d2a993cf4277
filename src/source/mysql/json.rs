//! MySQL's binary JSON, as row images of its log carry it, to the text that the server prints.
//!
//! | file | what |
//! |---|---|
//! | `binary` | where the values of a document lie in its bytes |
//! | `text` | a value as the server spells it |
//! | `diff`, `path` | what a partial update does to a document |
//!
//! It knows nothing of events and columns: who calls has cut the bytes out of a row.

mod binary;
mod diff;
mod path;
#[cfg(test)]
mod tests;
mod text;

use binary::{Budget, Value};

/// The server accepts no document with more containers around each other.
const DEPTH_MAX: usize = 100;

/// Appends a document's text, byte for byte what the server prints (`CAST(j AS CHAR)`). Empty
/// bytes are `null`, as for the server.
///
/// `None` if the bytes are malformed; `out` is then as it was.
#[must_use]
pub fn write_text(binary: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let mut budget = Budget::of(binary.len());
    or_as_it_was(out, |out| text::write(Value::document(binary), 0, &mut budget, out))
}

/// Appends the text of what a partial update made of a document. `before` is the binary document of
/// the image before; `diffs` the value of the column in the image after, without its length.
///
/// `None` if one of them is malformed or they do not fit each other; `out` is then as it was.
#[must_use]
pub fn apply_diffs(before: &[u8], diffs: &[u8], out: &mut Vec<u8>) -> Option<()> {
    or_as_it_was(out, |out| diff::apply(before, diffs, out))
}

fn or_as_it_was(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Option<()>) -> Option<()> {
    let begin = out.len();
    let written = write(out);
    if written.is_none() {
        out.truncate(begin);
    }
    written
}
