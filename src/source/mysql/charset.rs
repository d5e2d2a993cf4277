//! Character sets to UTF-8, exactly as the servers do it themselves.
//!
//! Copy and log both hand raw column bytes to this file, so they cannot disagree. The sets of East Asia
//! with several bytes a character have their own ([`super::multibyte`]).

use std::collections::HashMap;
use std::sync::LazyLock;

use super::dialect::Dialect;
use super::multibyte::Multibyte;

/// How text in a column is encoded.
#[derive(Debug, Clone, Copy)]
pub(super) enum Charset {
    /// No text at all: bytes.
    Binary,
    /// utf8mb3 and utf8mb4: taken as they are.
    Utf8,
    /// One byte per character.
    Single(&'static [char; 256]),
    /// utf16 and ucs2.
    Utf16,
    /// utf16le.
    Utf16LittleEndian,
    /// utf32.
    Utf32,
    /// One or several bytes per character; what is no character, each server reads in its own way.
    Multibyte(&'static Multibyte, Dialect),
    /// A set we cannot read.
    Unsupported,
}

struct Catalog {
    by_name: HashMap<&'static str, Charset>,
    by_collation: HashMap<u16, Charset>,
}

static CATALOG: LazyLock<Catalog> = LazyLock::new(read_catalog);

impl Charset {
    /// By name, as `information_schema` spells it.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        // MySQL before 8.0.28 says utf8 for utf8mb3.
        CATALOG.by_name.get(if name == "utf8" { "utf8mb3" } else { name }).copied()
    }

    /// By collation id, as table maps and result sets carry it.
    pub(super) fn of_collation(id: u16) -> Option<Self> {
        let id = if (1024..2048).contains(&id) { id - 1024 } else { id };
        CATALOG.by_collation.get(&id).copied()
    }

    /// As this server reads it.
    pub(super) fn in_dialect(self, dialect: Dialect) -> Self {
        match self {
            Charset::Multibyte(set, _) => Charset::Multibyte(set, dialect),
            other => other,
        }
    }

    /// Whether the server finds these very bytes by their text: a key that it does not find would be passed over,
    /// and another with the same text taken for it.
    pub(super) fn converts_back(self, bytes: &[u8]) -> bool {
        match self {
            Charset::Multibyte(set, _) => set.converts_back(bytes),
            _ => true,
        }
    }

    pub(super) fn is_supported(self) -> bool {
        !matches!(self, Charset::Unsupported)
    }

    /// Appends `bytes` as UTF-8.
    pub(super) fn write_utf8(self, bytes: &[u8], out: &mut Vec<u8>) {
        match self {
            Charset::Binary | Charset::Utf8 | Charset::Unsupported => out.extend_from_slice(bytes),
            Charset::Single(table) => {
                for byte in bytes {
                    match table.get(usize::from(*byte)) {
                        Some(char) if char.is_ascii() => out.push(*char as u8),
                        Some(char) => push(*char, out),
                        None => {}
                    }
                }
            }
            Charset::Multibyte(set, dialect) => set.write_utf8(bytes, dialect, out),
            Charset::Utf16 => write_utf16(bytes, u16::from_be_bytes, out),
            Charset::Utf16LittleEndian => write_utf16(bytes, u16::from_le_bytes, out),
            Charset::Utf32 => {
                for unit in bytes.chunks(4) {
                    let code = unit.iter().fold(0, |code: u32, byte| code << 8 | u32::from(*byte));
                    push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), out);
                }
            }
        }
    }
}

fn write_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16, out: &mut Vec<u8>) {
    let units = bytes.chunks_exact(2).filter_map(|pair| pair.try_into().ok().map(unit));
    for char in char::decode_utf16(units) {
        push(char.unwrap_or(char::REPLACEMENT_CHARACTER), out);
    }
}

fn push(char: char, out: &mut Vec<u8>) {
    out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
}

fn read_catalog() -> Catalog {
    let mut catalog = Catalog { by_name: HashMap::new(), by_collation: HashMap::new() };
    for line in include_str!("charsets.txt").lines().filter(|line| !line.starts_with('#')) {
        let mut parts = line.split(' ');
        let (Some(name), Some(ids), Some(codes)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let charset = match name {
            "binary" => Charset::Binary,
            "utf8mb3" | "utf8mb4" => Charset::Utf8,
            "ucs2" | "utf16" => Charset::Utf16,
            "utf16le" => Charset::Utf16LittleEndian,
            "utf32" => Charset::Utf32,
            _ if codes == "-" => Multibyte::of_name(name)
                .map_or(Charset::Unsupported, |set| Charset::Multibyte(set, Dialect::Mariadb)),
            _ => Charset::Single(Box::leak(Box::new(single(codes)))),
        };
        catalog.by_name.insert(name, charset);
        for range in ids.split(',') {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            if let (Ok(first), Ok(last)) = (first.parse::<u16>(), last.parse::<u16>()) {
                catalog.by_collation.extend((first..=last).map(|id| (id, charset)));
            }
        }
    }
    catalog
}

/// The characters of the last bytes of a set; the others are ASCII.
fn single(codes: &str) -> [char; 256] {
    let mut table: [char; 256] = std::array::from_fn(|byte| char::from(byte.to_le_bytes()[0]));
    let first = 256_usize.saturating_sub(codes.len() / 4);
    for (place, slot) in table.iter_mut().skip(first).enumerate() {
        let code = codes.get(place * 4..place * 4 + 4);
        let code = code.and_then(|code| u32::from_str_radix(code, 16).ok());
        *slot = code.and_then(char::from_u32).unwrap_or(char::REPLACEMENT_CHARACTER);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf8(charset: Charset, bytes: &[u8]) -> String {
        let mut out = Vec::new();
        charset.write_utf8(bytes, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn bytes_become_the_characters_of_their_set() {
        let named = |name| Charset::of_name(name).unwrap();
        assert_eq!(utf8(named("latin1"), b"\x80 h\xe9"), "€ hé");
        assert_eq!(utf8(named("latin2"), b"\xb3\xf3d\xbc"), "łódź");
        assert_eq!(utf8(named("cp1251"), b"\xcc\xe8\xf0"), "Мир");
        assert_eq!(utf8(named("swe7"), b"}r"), "år");
        assert_eq!(utf8(named("ucs2"), b"\0h\0\xe9"), "hé");
        assert_eq!(utf8(named("utf16"), b"\xd8\x3d\xde\0"), "😀");
        assert_eq!(utf8(named("utf16le"), b"h\0\xe9\0"), "hé");
        assert_eq!(utf8(named("utf32"), b"\0\x01\xf6\0"), "😀");
        assert_eq!(utf8(named("gbk"), b"\xd6\xd0"), "中");
    }

    #[test]
    fn collations_name_their_set() {
        let of = |id| Charset::of_collation(id).unwrap();
        // latin1_swedish_ci, latin1_swedish_nopad_ci, utf8mb4_uca1400_ai_ci, binary.
        assert_eq!(utf8(of(8), b"\xe9"), "é");
        assert_eq!(utf8(of(1032), b"\xe9"), "é");
        assert_eq!(utf8(of(2304), "é".as_bytes()), "é");
        assert!(matches!(of(63), Charset::Binary));
        assert!(Charset::of_collation(9999).is_none());
    }
}
