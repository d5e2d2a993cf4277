//! Cursors: DECLARE, FETCH and CLOSE, which are portals with a name of the client's.
//!
//! A cursor is an answer that waits: it counts as a statement until its last row or its deadline.

use std::sync::Arc;

use futures_util::stream;
use pgwire::api::portal::{Format, Portal};
use pgwire::api::results::{FieldInfo, QueryResponse, Response, Tag};
use pgwire::api::stmt::StoredStatement;
use pgwire::api::store::{Entry, PortalStore};
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};

use super::answer::refused;
use super::handler::Client;
use super::text::{self, Kind};
use crate::error::{Error, ErrorKind};

/// Where a connection's portals are.
pub(super) type Portals = dyn PortalStore<Statement = String>;

/// What a statement does with a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cursor {
    /// Opens it on a SELECT.
    Declare(String, String),
    /// Gives its next rows, so many at most; all if 0.
    Fetch(String, usize),
    /// Forgets it; all of them without a name.
    Close(Option<String>),
}

impl Cursor {
    /// `None` if the statement is in none of the forms that are known here.
    pub(super) fn of(sql: &str) -> Option<Self> {
        let mut end = 0;
        let placed = text::pieces(sql).into_iter().map(|(kind, text)| {
            end += text.len();
            (end - text.len(), kind, text)
        });
        let solid: Vec<_> = placed.filter(|(_, kind, _)| *kind != Kind::Blank).collect();
        let word =
            |at: usize| solid.get(at).map_or(String::new(), |(.., text)| text.to_uppercase());
        let name = |at: usize| solid.get(at).map(|(_, kind, text)| named(*kind, text));
        match word(0).as_str() {
            "DECLARE" => {
                let cursor = (2..solid.len()).find(|at| word(*at) == "CURSOR")?;
                let start = (cursor..solid.len()).find(|at| word(*at) == "FOR")?;
                let (place, ..) = solid.get(start + 1)?;
                Some(Self::Declare(name(1)?, sql.get(*place..)?.to_owned()))
            }
            "FETCH" => {
                let mut at = 1;
                let is_forward = word(at) == "FORWARD";
                at += usize::from(is_forward);
                let rows = match word(at).as_str() {
                    "ALL" => Some(0),
                    "NEXT" if !is_forward => Some(1),
                    digits => digits.parse().ok().filter(|rows| *rows > 0),
                };
                at += usize::from(rows.is_some());
                at += usize::from(matches!(word(at).as_str(), "FROM" | "IN"));
                (at + 1 == solid.len()).then_some(())?;
                Some(Self::Fetch(name(at)?, rows.unwrap_or(1)))
            }
            "CLOSE" if solid.len() == 2 && word(1) == "ALL" => Some(Self::Close(None)),
            "CLOSE" if solid.len() == 2 => Some(Self::Close(name(1))),
            _ => None,
        }
    }

    /// Does what the statement says.
    pub(super) async fn run(self, client: &Client<'_>, format: &Format) -> PgWireResult<Response> {
        let portals = client.portals;
        match self {
            Self::Declare(name, select) => {
                let asked = client.ask(&select, &Format::UnifiedText).await?;
                let Response::Query(rows) = asked else { return Ok(asked) };
                let statement = StoredStatement::new(name.clone(), select, Vec::new());
                let portal = Portal::new_cursor(name, Arc::new(statement));
                portal.start(rows).await;
                portals.put_portal(Arc::new(portal));
                Ok(Response::Execution(Tag::new("DECLARE CURSOR")))
            }
            Self::Fetch(name, rows) => {
                if matches!(format, Format::UnifiedBinary) {
                    let what = "rows of a cursor come as text only";
                    return Err(refused(Error::new(ErrorKind::Usage, what)));
                }
                let portal = portal(portals, &name)?;
                let mut fetched = portal.fetch(rows).await?.response;
                if fetched.row_schema().is_empty() {
                    // It had come to its end before.
                    let select = &portal.statement.statement;
                    let fields = client.describe(select, &Format::UnifiedText).await?;
                    fetched = QueryResponse::new(Arc::new(fields), stream::empty());
                }
                fetched.set_command_tag("FETCH");
                Ok(Response::Query(fetched))
            }
            Self::Close(name) => {
                match name {
                    Some(name) => portals.rm_portal(&portal(portals, &name)?.name),
                    None => portals.clear_portals(),
                }
                Ok(Response::Execution(Tag::new("CLOSE CURSOR")))
            }
        }
    }

    /// The columns that the statement answers with.
    pub(super) async fn fields(&self, client: &Client<'_>) -> PgWireResult<Vec<FieldInfo>> {
        let Self::Fetch(name, _) = self else { return Ok(Vec::new()) };
        let portal = portal(client.portals, name)?;
        client.describe(&portal.statement.statement, &Format::UnifiedText).await
    }
}

fn portal(portals: &Portals, name: &str) -> PgWireResult<Arc<Portal<String>>> {
    match portals.get_portal(name) {
        Some(Entry::Value(portal)) => Ok(portal),
        _ => {
            let what = format!("cursor \"{name}\" does not exist");
            let info = ErrorInfo::new("ERROR".to_owned(), "34000".to_owned(), what);
            Err(PgWireError::UserError(Box::new(info)))
        }
    }
}

/// A name as it is meant: without its quotes, or in lower case.
fn named(kind: Kind, text: &str) -> String {
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(text) if kind == Kind::Name => text.replace("\"\"", "\""),
        _ => text.to_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_understood_as_drivers_say_them() {
        let declare = |name: &str, sql: &str| Some(Cursor::Declare(name.into(), sql.into()));
        let fetch = |name: &str, rows| Some(Cursor::Fetch(name.into(), rows));
        for (sql, expected) in [
            ("DECLARE \"A \"\"b\" CURSOR FOR SELECT 1", declare("A \"b", "SELECT 1")),
            (
                "declare C no scroll cursor WITHOUT HOLD FOR /* x */ SELECT 1",
                declare("c", "SELECT 1"),
            ),
            ("FETCH FORWARD 30 FROM \"c\"", fetch("c", 30)),
            ("FETCH 5 IN c", fetch("c", 5)),
            ("FETCH c", fetch("c", 1)),
            ("FETCH NEXT FROM c", fetch("c", 1)),
            ("FETCH FORWARD ALL FROM c", fetch("c", 0)),
            ("FETCH ALL c", fetch("c", 0)),
            ("FETCH FORWARD c", fetch("c", 1)),
            ("FETCH BACKWARD 2 FROM c", None),
            ("FETCH 0 FROM c", None),
            ("CLOSE \"C\"", Some(Cursor::Close(Some("C".into())))),
            ("CLOSE ALL", Some(Cursor::Close(None))),
            ("SELECT 1", None),
            ("DECLARE c CURSOR FOR", None),
            ("", None),
        ] {
            assert_eq!(Cursor::of(sql), expected, "{sql}");
        }
    }
}
