//! Answers of the store as protocol rows: bounded in number and time, and given up when nobody
//! listens.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::{Stream, stream};
use pgwire::api::portal::Format;
use pgwire::api::results::{FieldFormat, FieldInfo, QueryResponse, Response};
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::data::DataRow;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::cell;
use crate::error::{Error, ErrorKind, Result};
use crate::store::Reader;
use crate::store::answer::{Column, Kind, Row, Session};
use crate::store::reader::{Statement, Stop};

/// Gives the reading side of the store; `None` until it is open.
pub type Readers = dyn Fn() -> Option<Arc<Reader>> + Send + Sync;

/// Pieces of a result that wait for the client.
const PIECES_WAITING_MAX: usize = 2;

/// Where answers come from, and their bounds.
#[derive(Clone)]
pub struct Answers {
    /// The store.
    pub readers: Arc<Readers>,
    /// Statements at once, whoever asks.
    pub statements: Arc<Semaphore>,
    /// Rows of one answer.
    pub rows_max: usize,
    /// How long one may take, from the question to the last row.
    pub time_max: Duration,
}

/// What comes from the store.
enum Piece {
    Columns(Vec<Column>),
    Rows(Vec<Row>),
    Failed(Error),
    End,
}

/// What the stream of an answer needs.
struct Flow {
    pieces: mpsc::Receiver<Piece>,
    rows: VecDeque<Row>,
    shape: Vec<(Kind, bool)>,
    given: usize,
    answers: Answers,
    /// When this is dropped, nobody listens any more and the statement is stopped.
    _listening: oneshot::Sender<()>,
}

impl Answers {
    /// Runs one SELECT.
    pub(super) async fn ask(
        &self,
        session: Session,
        sql: String,
        format: &Format,
    ) -> PgWireResult<Response> {
        let (statement, place) = self.statement().map_err(refused)?;
        let deadline = Instant::now() + self.time_max;
        let listening = stop_at(deadline, statement.stop());
        let (sending, mut pieces) = mpsc::channel(PIECES_WAITING_MAX);
        tokio::task::spawn_blocking(move || {
            let runtime = tokio::runtime::Handle::current();
            let send = |piece| {
                let sent = timeout_at(deadline, sending.send(piece));
                matches!(runtime.block_on(sent), Ok(Ok(())))
            };
            let open = |columns| send(Piece::Columns(columns));
            let done = statement.answer(&session, &sql, open, |rows| send(Piece::Rows(rows)));
            // Before the last word: whoever has it may ask again at once.
            drop(place);
            send(done.map_or_else(Piece::Failed, |()| Piece::End));
        });
        let columns = match pieces.recv().await {
            Some(Piece::Columns(columns)) => columns,
            Some(Piece::Failed(error)) => return Err(self.failed(error, deadline)),
            _ => return Err(refused(self.too_long())),
        };
        let fields = fields(&columns, format)?;
        let is_binary = |field: &FieldInfo| field.format() == FieldFormat::Binary;
        let kinds = columns.iter().map(|column| column.kind);
        let shape = kinds.zip(fields.iter().map(is_binary)).collect();
        let flow = Flow {
            pieces,
            rows: VecDeque::new(),
            shape,
            given: 0,
            answers: self.clone(),
            _listening: listening,
        };
        Ok(Response::Query(QueryResponse::new(Arc::new(fields), rows(flow, deadline))))
    }

    /// The columns that one SELECT would answer with.
    pub(super) async fn describe(
        &self,
        session: Session,
        sql: String,
        format: &Format,
    ) -> PgWireResult<Vec<FieldInfo>> {
        let (statement, place) = self.statement().map_err(refused)?;
        let deadline = Instant::now() + self.time_max;
        let _listening = stop_at(deadline, statement.stop());
        let asked = tokio::task::spawn_blocking(move || {
            let columns = statement.columns(&session, &sql);
            drop(place);
            columns
        });
        let columns = asked.await.map_err(|cause| {
            refused(Error::new(ErrorKind::Bug, "a statement ended badly").caused_by(cause))
        })?;
        fields(&columns.map_err(|error| self.failed(error, deadline))?, format)
    }

    fn statement(&self) -> Result<(Statement, OwnedSemaphorePermit)> {
        let unreachable = |what: &str| Error::new(ErrorKind::Unreachable, what.to_owned());
        let reader = (self.readers)()
            .ok_or_else(|| unreachable("the store is not open yet").hint("try again"))?;
        let place = Arc::clone(&self.statements).try_acquire_owned().map_err(|_| {
            unreachable("as many statements run as may run at once")
                .hint("try again when one of them has ended")
        })?;
        Ok((reader.statement()?, place))
    }

    fn failed(&self, error: Error, deadline: Instant) -> PgWireError {
        refused(if Instant::now() >= deadline { self.too_long() } else { error })
    }

    fn too_long(&self) -> Error {
        let seconds = self.time_max.as_secs();
        Error::new(ErrorKind::Usage, format!("the statement took longer than {seconds} s"))
            .hint("ask for less, or raise sql_timeout_secs in [limits]")
    }
}

/// Stops the statement at the deadline, or when what is returned is dropped.
fn stop_at(deadline: Instant, stop: Stop) -> oneshot::Sender<()> {
    let (listening, gone) = oneshot::channel::<()>();
    tokio::spawn(async move {
        // Whichever comes first: both mean that nobody waits for the rest.
        timeout_at(deadline, gone).await.ok();
        drop(stop);
    });
    listening
}

fn rows(flow: Flow, deadline: Instant) -> impl Stream<Item = PgWireResult<DataRow>> + Send {
    stream::try_unfold(flow, move |mut flow| async move {
        loop {
            if let Some(row) = flow.rows.pop_front() {
                flow.given += 1;
                if flow.given > flow.answers.rows_max {
                    return Err(refused(too_many(flow.answers.rows_max)));
                }
                let row = encoded(&row, &flow.shape).map_err(refused)?;
                return Ok(Some((row, flow)));
            }
            match flow.pieces.recv().await {
                Some(Piece::Rows(rows)) => flow.rows.extend(rows),
                Some(Piece::End) => return Ok(None),
                Some(Piece::Failed(error)) => return Err(flow.answers.failed(error, deadline)),
                Some(Piece::Columns(_)) | None => return Err(refused(flow.answers.too_long())),
            }
        }
    })
}

fn too_many(rows_max: usize) -> Error {
    Error::new(ErrorKind::Usage, format!("the answer has more than {rows_max} rows"))
        .hint("ask for less, or raise sql_rows_max in [limits]")
}

fn encoded(row: &Row, shape: &[(Kind, bool)]) -> Result<DataRow> {
    let mut out = BytesMut::with_capacity(row.len() * 16);
    for (text, (kind, is_binary)) in row.iter().zip(shape) {
        cell::write(&mut out, *kind, *is_binary, text.as_deref())?;
    }
    Ok(DataRow::new(out, i16::try_from(row.len()).unwrap_or(i16::MAX)))
}

fn fields(columns: &[Column], format: &Format) -> PgWireResult<Vec<FieldInfo>> {
    if let Format::Individual(codes) = format
        && codes.len() != columns.len()
    {
        let what = format!("{} formats are asked for {} columns", codes.len(), columns.len());
        return Err(refused(Error::new(ErrorKind::Usage, what)));
    }
    let of = |(place, column): (usize, &Column)| {
        let kind = cell::type_of(column.kind);
        FieldInfo::new(column.name.clone(), None, None, kind, format.format_for(place))
            .with_type_size(cell::width_of(column.kind))
    };
    Ok(columns.iter().enumerate().map(of).collect())
}

/// An error as the protocol shows it.
pub(super) fn refused(error: Error) -> PgWireError {
    let chain = error.chain();
    let code = match error.kind() {
        ErrorKind::Unreachable => "53300",
        _ if chain.contains("took longer") => "57014",
        _ if chain.contains("more than") && chain.contains("rows") => "54000",
        _ if chain.contains("Parser Error") => "42601",
        _ if chain.contains("Catalog Error") => "42P01",
        _ if chain.contains("Binder Error") => "42703",
        _ if chain.contains("Conversion Error") => "22P02",
        _ if chain.contains("Out of Memory") => "53200",
        ErrorKind::Usage => "42000",
        _ => "XX000",
    };
    let mut info = ErrorInfo::new("ERROR".to_owned(), code.to_owned(), chain);
    info.hint = error.remedy().map(str::to_owned);
    PgWireError::UserError(Box::new(info))
}
