//! Documents made by hand, and damaged ones. `tests/mysql_json.rs` holds the text against a server.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn text(binary: &[u8]) -> Option<String> {
    let mut out = b"before:".to_vec();
    let written = write_text(binary, &mut out);
    said(written, &out)
}

fn applied(before: &[u8], diffs: &[u8]) -> Option<String> {
    let mut out = b"before:".to_vec();
    let written = apply_diffs(before, diffs, &mut out);
    said(written, &out)
}

fn said(written: Option<()>, out: &[u8]) -> Option<String> {
    let rest = out.strip_prefix(b"before:").unwrap();
    assert!(written.is_some() || rest.is_empty(), "nothing is left of what failed");
    written.map(|()| String::from_utf8_lossy(rest).into_owned())
}

/// A small array or object of members: key, type, and the 2 bytes inside of the entry or the value
/// behind the entries.
fn container(kind: u8, members: &[(&str, u8, &[u8])]) -> Vec<u8> {
    let has_keys = kind == 0;
    let header = 4 + members.len() * if has_keys { 7 } else { 3 };
    let u16 = |size: usize| u16::try_from(size).unwrap().to_le_bytes();
    let (mut key_entries, mut value_entries) = (Vec::new(), Vec::new());
    let mut heap = Vec::new();
    for (key, ..) in members.iter().filter(|_| has_keys) {
        key_entries.extend(u16(header + heap.len()));
        key_entries.extend(u16(key.len()));
        heap.extend(key.as_bytes());
    }
    for (_, kind, value) in members {
        value_entries.push(*kind);
        if (4..=6).contains(kind) {
            value_entries.extend(*value);
        } else {
            value_entries.extend(u16(header + heap.len()));
            heap.extend(*value);
        }
    }
    let size = u16(header + heap.len());
    [&[kind][..], &u16(members.len()), &size, &key_entries, &value_entries, &heap].concat()
}

/// `{"a": 1, "b": ["x", -2.5], "cc": null}`
fn document() -> Vec<u8> {
    let double = (-2.5_f64).to_le_bytes();
    let array = container(2, &[("", 12, b"\x01x"), ("", 11, &double)]);
    container(0, &[("a", 5, &[1, 0]), ("b", 2, &array[1..]), ("cc", 4, &[0, 0])])
}

fn diff(operation: u8, path: &str, value: &[u8]) -> Vec<u8> {
    let counted = |bytes: &[u8]| {
        let length = u16::try_from(bytes.len()).unwrap();
        let [low, high] = length.to_le_bytes();
        let length = if length < 251 { vec![low] } else { vec![0xfc, low, high] };
        [&length, bytes].concat()
    };
    let value = if operation == 2 { Vec::new() } else { counted(value) };
    [&[operation][..], &counted(path.as_bytes()), &value].concat()
}

#[test]
fn documents_are_printed_with_blanks_and_in_their_order() {
    let expected = r#"{"a": 1, "b": ["x", -2.5], "cc": null}"#;
    assert_eq!(text(&document()).unwrap(), expected);
    assert_eq!(text(b"").unwrap(), "null");
    assert_eq!(text(&container(0, &[])).unwrap(), "{}");
    assert_eq!(text(&[2, 0, 0, 4, 0]).unwrap(), "[]");
    assert_eq!(text(&[4, 1]).unwrap(), "true");
    assert_eq!(text(&[5, 0, 0x80]).unwrap(), "-32768");
    assert_eq!(text(&[6, 0xff, 0xff]).unwrap(), "65535");
    assert_eq!(text(&[7, 0, 0, 0, 0x80]).unwrap(), "-2147483648");
    assert_eq!(text(&[8, 255, 255, 255, 255]).unwrap(), "4294967295");
    assert_eq!(text(&[9, 0, 0, 0, 0, 0, 0, 0, 0x80]).unwrap(), "-9223372036854775808");
    assert_eq!(text(&[10, 255, 255, 255, 255, 255, 255, 255, 255]).unwrap(), u64::MAX.to_string());
    // A large array of one value of 4 bytes, which lies in its entry.
    assert_eq!(text(&[3, 1, 0, 0, 0, 13, 0, 0, 0, 7, 254, 255, 255, 255]).unwrap(), "[-2]");
}

#[test]
fn strings_are_escaped_where_they_must_be() {
    let binary = [&[12, 20][..], b"\"\\/\x08\x09\x0a\x0c\x0d\x00\x1f\x7f", "é😀".as_bytes()];
    let mut binary = binary.concat();
    binary[1] = u8::try_from(binary.len() - 2).unwrap();
    assert_eq!(text(&binary).unwrap(), "\"\\\"\\\\/\\b\\t\\n\\f\\r\\u0000\\u001f\u{7f}é😀\"");
}

#[test]
fn doubles_have_a_point_or_an_exponent() {
    let cases = [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (0.1, "0.1"),
        (1e-15, "0.000000000000001"),
        (1e-16, "1e-16"),
        (1e14, "100000000000000.0"),
        (1e15, "1e15"),
        (1_234_567_890_123_456.0, "1.234567890123456e15"),
        (1_234_567_890_123_456.8, "1234567890123456.8"),
        // Halfway between …3.2 and …3.3, which both read back as it.
        (4_944_013_316_364_733.0 / 4.0, "1236003329091183.2"),
        (1.5e300, "1.5e300"),
        (5e-324, "5e-324"),
    ];
    for (value, expected) in cases {
        let binary = [&[11][..], &f64::to_le_bytes(value)].concat();
        assert_eq!(text(&binary).unwrap(), expected);
    }
    assert_eq!(text(&[&[11][..], &f64::INFINITY.to_le_bytes()].concat()), None);
}

#[test]
fn types_that_json_has_not_are_printed_as_the_server_does() {
    let opaque = |number: u8, bytes: &[u8]| {
        text(&[&[15, number, u8::try_from(bytes.len()).unwrap()][..], bytes].concat())
    };
    let moment = |days: i64, seconds: i64, micros: i64| {
        ((days << 17 | seconds) << 24 | micros).to_le_bytes()
    };
    let date = (2024 * 13 + 2) << 5 | 29;
    let clock = 23 << 12 | 59 << 6 | 58;
    assert_eq!(opaque(246, &[3, 2, 0x81, 50]).unwrap(), "1.50");
    assert_eq!(opaque(246, &[3, 2, 0x81, 50, 0]), None);
    assert_eq!(opaque(10, &moment(date, 0, 0)).unwrap(), "\"2024-02-29\"");
    let both = "\"2024-02-29 23:59:58.000007\"";
    assert_eq!(opaque(12, &moment(date, clock, 7)).unwrap(), both);
    assert_eq!(opaque(7, &moment(date, clock, 7)).unwrap(), both);
    let time = -i64::from_le_bytes(moment(0, 838 << 12 | 59 << 6, 500_000));
    assert_eq!(opaque(11, &time.to_le_bytes()).unwrap(), "\"-838:59:00.500000\"");
    assert_eq!(opaque(12, &moment(date, clock, 1_000_000)), None);
    assert_eq!(opaque(12, &[0; 7]), None);
    assert_eq!(opaque(253, b"x\n").unwrap(), "\"x\\n\"");
    assert_eq!(opaque(252, &[0, 0xff]).unwrap(), "\"base64:type252:AP8=\"");
    assert_eq!(opaque(16, &[5]).unwrap(), "\"base64:type16:BQ==\"");
    assert_eq!(opaque(252, b"").unwrap(), "\"base64:type252:\"");
    let lines = format!("\"base64:type252:{}\\nAAAA\"", "A".repeat(76));
    assert_eq!(opaque(252, &[0; 60]).unwrap(), lines);
}

#[test]
fn diffs_are_applied_in_their_order() {
    let [one, x] = [&[5, 1, 0][..], &[12, 1, b'x']];
    let cases = [
        (vec![], r#"{"a": 1, "b": ["x", -2.5], "cc": null}"#),
        (vec![diff(0, "$.a", x)], r#"{"a": "x", "b": ["x", -2.5], "cc": null}"#),
        (vec![diff(1, "$.bb", x)], r#"{"a": 1, "b": ["x", -2.5], "bb": "x", "cc": null}"#),
        (vec![diff(1, "$.d", x)], r#"{"a": 1, "b": ["x", -2.5], "d": "x", "cc": null}"#),
        (vec![diff(2, "$.b", x)], r#"{"a": 1, "cc": null}"#),
        (vec![diff(0, "$.b[last]", one)], r#"{"a": 1, "b": ["x", 1], "cc": null}"#),
        (vec![diff(1, "$.b[9]", one)], r#"{"a": 1, "b": ["x", -2.5, 1], "cc": null}"#),
        (vec![diff(1, "$.b[last-9]", one)], r#"{"a": 1, "b": [1, "x", -2.5], "cc": null}"#),
        (vec![diff(2, "$.b[0]", one)], r#"{"a": 1, "b": [-2.5], "cc": null}"#),
        (
            vec![diff(0, "$.a", &document()), diff(2, "$.a.b[1]", &[]), diff(1, "$.a.b[0]", b"")],
            r#"{"a": {"a": 1, "b": [null, "x"], "cc": null}, "b": ["x", -2.5], "cc": null}"#,
        ),
    ];
    for (diffs, expected) in cases {
        assert_eq!(applied(&document(), &diffs.concat()).as_deref(), Some(expected));
    }
}

#[test]
fn diffs_that_do_not_fit_are_refused() {
    let value = &[5, 1, 0][..];
    let wrong = [
        diff(0, "$", value),
        diff(1, "$", value),
        diff(2, "$", value),
        diff(3, "$.a", value),
        diff(0, "$.z", value),
        diff(1, "$.a", value),
        diff(2, "$.z", value),
        diff(0, "$[0]", value),
        diff(0, "$.b.a", value),
        diff(0, "$.b[2]", value),
        diff(2, "$.b[last-2]", value),
        diff(1, "$.a[0]", value),
        diff(1, "$.z.z", value),
        diff(0, "$.a", &[5, 1]),
        diff(0, "$.*", value),
        diff(0, "$.a", value)[..6].to_vec(),
        vec![0, 0xfb],
    ];
    for diffs in wrong {
        assert_eq!(applied(&document(), &diffs), None, "{diffs:?}");
    }
    // Keys out of order, which a search would miss.
    let unsorted = container(0, &[("b", 5, &[1, 0]), ("a", 5, &[2, 0])]);
    assert_eq!(text(&unsorted).unwrap(), r#"{"b": 1, "a": 2}"#);
    assert_eq!(applied(&unsorted, &diff(0, "$.a", value)), None);
}

#[test]
fn documents_are_as_deep_as_the_server_lets_them_be() {
    let nested = |depth: usize| {
        (1..depth).fold(container(2, &[]), |inner, _| container(2, &[("", 2, &inner[1..])]))
    };
    let (open, close) = ("[".repeat(100), "]".repeat(100));
    assert_eq!(text(&nested(100)).unwrap(), format!("{open}{close}"));
    assert_eq!(text(&nested(101)), None);
    let path = format!("${}", "[0]".repeat(60));
    assert_eq!(applied(&nested(100), &diff(0, &path, &nested(40))), text(&nested(100)));
    // Each diff goes deeper than the one before.
    let at = |depth: usize| diff(0, &format!("${}", "[0]".repeat(depth)), &nested(60));
    assert!(applied(&nested(90), &[at(20), at(40)].concat()).is_some());
    assert_eq!(applied(&nested(90), &[at(20), at(40), at(90)].concat()), None);
}

/// All members of each level lie at the same place: printed in full it would fill any memory.
#[test]
fn a_document_costs_no_more_than_it_is_long() {
    let mut inner = container(2, &[]);
    for _ in 0..90 {
        let mut outer = container(2, &[("", 2, &inner[1..]), ("", 2, &[])]);
        let first: [u8; 2] = outer[6..8].try_into().unwrap();
        outer[9..11].copy_from_slice(&first);
        inner = outer;
    }
    assert_eq!(text(&inner), None);
    assert_eq!(applied(&inner, &diff(2, "$[0][0]", &[])), None);
    let shared = container(0, &[("long", 5, &[0, 0]), ("keys", 5, &[0, 0])]);
    assert!(text(&shared).is_some());
    // A count beyond the bytes that are there.
    assert_eq!(text(&[3, 255, 255, 255, 255, 8, 0, 0, 0]), None);
    assert_eq!(text(&[1, 255, 255, 255, 255, 255, 255, 255, 255]), None);
    assert_eq!(text(&[12, 255, 255, 255, 255, 15]), None);
    assert_eq!(text(&[12, 255, 255, 255, 255, 255, 1]), None);
}

#[test]
fn what_is_cut_short_is_refused() {
    let document = document();
    for end in 1..document.len() {
        assert_eq!(text(&document[..end]), None, "{end}");
    }
    for kind in [13, 14, 16, 255] {
        assert_eq!(text(&[kind, 0, 0, 0, 0, 0, 0, 0, 0]), None);
    }
    assert_eq!(text(&[4, 3]), None);
}

/// A document with every type, some of them twice.
fn rich() -> Vec<u8> {
    let inner = document();
    container(
        0,
        &[
            ("dec", 15, &[246, 4, 3, 2, 0x81, 50]),
            ("day", 15, &[10, 8, 0, 0, 0, 0, 0, 0xba, 0xb2, 0x19]),
            ("doc", 0, &inner[1..]),
            ("int", 9, &[0, 1, 2, 3, 4, 5, 6, 7]),
            ("time", 15, &[11, 8, 0, 0, 0, 0, 0, 0, 1, 0]),
            ("bytes", 15, &[252, 3, 1, 2, 3]),
            ("large", 3, &[1, 0, 0, 0, 13, 0, 0, 0, 7, 254, 255, 255, 255]),
        ],
    )
}

proptest! {
    #[test]
    fn garbage_makes_no_panic(
        binary in vec(any::<u8>(), 0..200),
        diffs in vec(any::<u8>(), 0..60),
    ) {
        drop(text(&binary));
        drop(applied(&document(), &diffs));
    }

    #[test]
    fn damage_makes_no_panic_and_no_flood(
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..8),
        path in "\\$([.]([a-c]{1,2}|doc|large|\"[a-c]\")|\\[(last(-1)?|[0-3])\\]){1,4}",
        operation in 0_u8..4,
    ) {
        let mut before = rich();
        let mut diffs = diff(operation, &path, &document());
        for (place, byte) in &damage {
            let place = place.index(before.len() + diffs.len());
            match place.checked_sub(before.len()) {
                None => before[place] = *byte,
                Some(place) => diffs[place] = *byte,
            }
        }
        for text in [text(&before), applied(&before, &diffs)].into_iter().flatten() {
            // A letter of a string at its worst, or two thirds of an empty one.
            prop_assert!(text.len() <= 24 * (before.len() + diffs.len()));
        }
    }
}

#[test]
fn what_is_damaged_in_the_other_test_is_sound() {
    let expected = "{\"dec\": 1.50, \"day\": \"2024-02-29\", \"doc\": ";
    assert!(text(&rich()).unwrap().starts_with(expected), "{:?}", text(&rich()));
}
