//! Texts: positions, values to compare, mappings and configurations.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::Input;
use crate::canon::entity::Entity;
use crate::canon::mapping::{Mapping, MappingSet, Pack};
use crate::change::{Position, TransactionId, Visibility};
use crate::digest::{Family, lanes, row_text};
use crate::error::Result;
use crate::kpi::Definition;
use crate::source;

/// Positions and transaction ids (between `|`), witnesses, snapshots: what is read is written so that it
/// reads the same.
pub fn position(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let positions: Vec<Position> = text.split('|').filter_map(same_again).collect();
    let ids: Vec<TransactionId> = text.split('|').filter_map(same_again).collect();
    for mine in &positions {
        assert!(mine.covers(mine).unwrap());
        for theirs in &positions {
            let is_one_kind = std::mem::discriminant(mine) == std::mem::discriminant(theirs);
            assert_eq!(mine.covers(theirs).is_ok(), is_one_kind);
        }
        for id in &ids {
            let mut after = mine.clone();
            after.advance(*id);
            match after.includes(*id) {
                // (Where one ends that is known by where it begins, nobody says here.)
                Some(is_in) => {
                    assert!(is_in || matches!(after, Position::File(_)), "{id} is in {after}");
                }
                None => assert_eq!(&after, mine),
            }
            same_again::<Position>(&after.to_string()).unwrap();
            Visibility::UpTo(after).sees(*id).ok();
        }
    }
    let snapshot = Visibility::parse_snapshot(text);
    for id in &ids {
        snapshot.as_ref().map(|snapshot| snapshot.sees(*id).ok());
    }
    let is_witness =
        source::mysql::fuzzing::witness(text) | source::postgres::fuzzing::witness(text);
    !positions.is_empty() || !ids.is_empty() || snapshot.is_some() || is_witness
}

/// Reads a text, and what it is written as.
pub(crate) fn same_again<T: FromStr + ToString + PartialEq + std::fmt::Debug>(
    text: &str,
) -> Option<T> {
    let read: T = text.parse().ok()?;
    let written = read.to_string();
    let Ok(again) = written.parse::<T>() else { panic!("`{written}` of `{text}` does not read") };
    assert_eq!(again, read, "{written}");
    Some(read)
}

/// A family of values and a value: its canonical text is a value of the family, and canonical.
pub fn digest(data: &[u8]) -> bool {
    let mut input = Input(data);
    let family = Family::ALL[usize::from(input.byte()) % Family::ALL.len()];
    let Ok(value) = std::str::from_utf8(input.0) else { return false };
    let Some(text) = family.canonical(value) else { return false };
    // (Bytes and moments lose what tells them from texts.)
    let again = match family {
        Family::Bytes => family.canonical(&format!("\\x{text}")),
        Family::Stamp => Some(text.clone()),
        _ => family.canonical(&text),
    };
    assert_eq!(again.as_deref(), Some(text.as_str()), "{family:?} of {value}");
    assert!(text.len() <= value.len() + 32);
    let row = row_text([Some(text.as_str()), None, Some(value)]);
    assert!(lanes(&row).iter().all(|lane| *lane < 1 << 60));
    true
}

/// A mapping (0), an entity (1), a key figure (2), or an entity with a mapping to it (3).
pub fn mapping(data: &[u8]) -> bool {
    let mut input = Input(data);
    let kind = input.byte() % 4;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match kind {
        0 => judged(Mapping::parse("a.sql", &text(input.0)), |mapping| {
            assert!(!mapping.select.is_empty() && mapping.select_line > 0);
            assert!(mapping.watch.keys().all(|alias| !mapping.affects.contains_key(alias)));
        }),
        1 => judged(Entity::parse("a.sql", &text(input.0)), |entity| {
            assert!(entity.key.iter().all(|key| entity.attribute(key).is_some()));
            assert!(entity.key.iter().all(|key| entity.nearest(key) == Some(key)));
        }),
        2 => judged(Definition::parse("kpi/a.sql", &text(input.0)), |definition| {
            assert!(definition.metric.starts_with("trueup_") && !definition.sql.is_empty());
            assert!(!definition.at(jiff::Timestamp::UNIX_EPOCH).contains("$as_of"));
        }),
        _ => {
            let (entity, mapping) = (text(input.piece()), text(input.piece()));
            set(entity, mapping)
        }
    }
}

fn set(entity: String, mapping: String) -> bool {
    let wiring = serde_json::json!({"packs": {"erp": Pack::utc("p")}, "owners": {}});
    let files = [
        ("canonical/a.sql", entity),
        ("mappings/p/a.sql", mapping),
        ("set.json", wiring.to_string()),
    ];
    let files: BTreeMap<String, String> =
        files.into_iter().map(|(path, text)| (path.to_owned(), text)).collect();
    judged(MappingSet::from_files(files), |set| {
        let again = MappingSet::from_files(set.files().clone()).unwrap();
        assert_eq!(&again, set);
    })
}

/// What is refused says what to do, and where.
fn judged<T>(parsed: Result<T>, judge: impl FnOnce(&T)) -> bool {
    match &parsed {
        Ok(parsed) => judge(parsed),
        Err(error) => assert!(!error.chain().is_empty()),
    }
    parsed.is_ok()
}

/// A configuration: all of it is judged, and every problem has a line that there is.
pub fn config(data: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(data) else { return false };
    let lines = text.lines().count() + 1;
    let check = |error: &crate::error::Error| {
        let problems = std::error::Error::source(error)
            .and_then(|cause| cause.downcast_ref::<crate::config::Problems>())
            .expect("the cause lists the problems");
        assert!(!problems.0.is_empty());
        for problem in &problems.0 {
            assert!((1..=lines).contains(&problem.line), "{problem} of {lines} lines");
        }
    };
    let parsed = crate::config::parse(text);
    let judged = crate::config::judge_text(text);
    parsed.as_ref().err().into_iter().chain(judged.as_ref().err()).for_each(check);
    if let Ok(judged) = &judged {
        let parsed = parsed.as_ref().expect("what is valid together is valid alone");
        assert_eq!(format!("{parsed:?}"), format!("{judged:?}"));
    }
    judged.is_ok()
}
