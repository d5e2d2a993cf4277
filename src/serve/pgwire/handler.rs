//! What the protocol asks of us: startup, simple and prepared statements, cancelling.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{Sink, stream};
use pgwire::api::auth::StartupHandler;
use pgwire::api::cancel::{CancelHandler, DefaultCancelHandler};
use pgwire::api::portal::{Format, Portal};
use pgwire::api::query::{ExtendedQueryHandler, SimpleQueryHandler};
use pgwire::api::results::{
    DescribePortalResponse, DescribeStatementResponse, FieldInfo, QueryResponse, Response, Tag,
};
use pgwire::api::stmt::{QueryParser, StoredStatement};
use pgwire::api::store::{MemPortalStore, PortalStore};
use pgwire::api::{
    ClientInfo, ClientPortalStore, ConnectionManager, ErrorHandler, METADATA_DATABASE,
    METADATA_USER, PgWireServerHandlers, Type,
};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use pgwire::messages::data::DataRow;

use super::access::{Startup, Users};
use super::answer::{Answers, refused};
use super::cursor::Portals;
use super::text::{self, Token};
use super::word::{Word, word};
use super::{catalog, cell, parameter};
use crate::error::{Error, ErrorKind};
use crate::store::answer::{Kind, Session};

/// What all connections share.
pub(super) struct Handlers {
    pub(super) users: Arc<Users>,
    pub(super) is_encrypted: bool,
    pub(super) answering: Arc<Answering>,
    pub(super) connections: Arc<ConnectionManager>,
}

impl PgWireServerHandlers for Handlers {
    fn simple_query_handler(&self) -> Arc<impl SimpleQueryHandler> {
        Arc::clone(&self.answering)
    }

    fn extended_query_handler(&self) -> Arc<impl ExtendedQueryHandler> {
        Arc::clone(&self.answering)
    }

    fn startup_handler(&self) -> Arc<impl StartupHandler> {
        let connections = Arc::clone(&self.connections);
        Arc::new(Startup::new(Arc::clone(&self.users), self.is_encrypted, connections))
    }

    fn cancel_handler(&self) -> Arc<impl CancelHandler> {
        Arc::new(DefaultCancelHandler::new(Arc::clone(&self.connections)))
    }

    fn error_handler(&self) -> Arc<impl ErrorHandler> {
        Arc::new(Watch)
    }
}

/// Failed logins are written down.
struct Watch;

impl ErrorHandler for Watch {
    fn on_error<C>(&self, client: &C, error: &mut PgWireError)
    where
        C: ClientInfo,
    {
        if let PgWireError::InvalidPassword(user) = error {
            tracing::warn!(user, from = %client.socket_addr(), "a login to the sql listener failed");
        }
    }
}

/// Answers statements.
pub(super) struct Answering {
    pub(super) answers: Answers,
}

/// Who asks, on one connection.
pub(super) struct Client<'a> {
    answers: &'a Answers,
    session: Session,
    /// The answers that wait for them.
    pub(super) portals: &'a Portals,
}

impl<'a> Client<'a> {
    fn new<C: ClientInfo>(answers: &'a Answers, client: &C, portals: &'a Portals) -> Self {
        let said = |key: &str| client.metadata().get(key).cloned();
        let user = said(METADATA_USER).unwrap_or_default();
        let database = said(METADATA_DATABASE).unwrap_or_else(|| user.clone());
        Self { answers, session: Session { user, database }, portals }
    }

    /// Asks the store one SELECT.
    pub(super) async fn ask(&self, sql: &str, format: &Format) -> PgWireResult<Response> {
        self.answers.ask(self.session.clone(), catalog::understood(sql), format).await
    }

    /// The columns that one SELECT would answer with.
    pub(super) async fn describe(
        &self,
        sql: &str,
        format: &Format,
    ) -> PgWireResult<Vec<FieldInfo>> {
        self.answers.describe(self.session.clone(), catalog::understood(sql), format).await
    }

    async fn run(&self, sql: &str, format: &Format) -> PgWireResult<Response> {
        match word(sql) {
            Word::Begin => Ok(Response::TransactionStart(Tag::new("BEGIN"))),
            Word::Back => Ok(Response::TransactionStart(Tag::new("ROLLBACK"))),
            Word::End(tag) => {
                self.portals.clear_portals();
                Ok(Response::TransactionEnd(Tag::new(tag)))
            }
            Word::Cursor(cursor) => cursor.run(self, format).await,
            Word::Setting(tag) => Ok(Response::Execution(Tag::new(tag))),
            Word::Show(name, value) => shown(name, &value),
            Word::Nothing => Ok(Response::EmptyQuery),
            Word::Select => self.ask(sql, format).await,
        }
    }

    async fn fields(&self, sql: &str, format: &Format) -> PgWireResult<Vec<FieldInfo>> {
        match word(sql) {
            Word::Begin | Word::Back | Word::End(_) | Word::Setting(_) | Word::Nothing => {
                Ok(Vec::new())
            }
            Word::Cursor(cursor) => cursor.fields(self).await,
            Word::Show(name, _) => Ok(vec![text_field(name)]),
            Word::Select => self.describe(sql, format).await,
        }
    }
}

fn text_field(name: String) -> FieldInfo {
    FieldInfo::new(name, None, None, Type::TEXT, pgwire::api::results::FieldFormat::Text)
}

fn shown(name: String, value: &str) -> PgWireResult<Response> {
    let mut row = bytes::BytesMut::new();
    cell::write(&mut row, Kind::Text, false, Some(value)).map_err(refused)?;
    let rows = stream::iter([Ok(DataRow::new(row, 1))]);
    Ok(Response::Query(QueryResponse::new(Arc::new(vec![text_field(name)]), rows)))
}

/// One statement at a time: what comes after a semicolon is never run, and never passed over.
fn single(sql: &str) -> PgWireResult<String> {
    let one = text::single(sql).ok_or_else(|| {
        refused(
            Error::new(ErrorKind::Usage, "there is more than one statement")
                .hint("send one at a time"),
        )
    })?;
    Ok(one.to_owned())
}

#[async_trait]
impl SimpleQueryHandler for Answering {
    async fn do_query<C>(&self, client: &mut C, query: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        C::PortalStore: PortalStore,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let sql = single(query)?;
        let portals = client.portal_store().as_any().downcast_ref::<MemPortalStore<String>>();
        let portals = portals.ok_or_else(|| {
            refused(Error::new(ErrorKind::Bug, "a connection keeps its portals elsewhere"))
        })?;
        let client = Client::new(&self.answers, client, portals);
        Ok(vec![client.run(&sql, &Format::UnifiedText).await?])
    }
}

/// Takes a statement apart no further than its text.
pub(super) struct Parser;

#[async_trait]
impl QueryParser for Parser {
    type Statement = String;

    async fn parse_sql<C>(
        &self,
        _client: &C,
        sql: &str,
        _types: &[Option<Type>],
    ) -> PgWireResult<Option<String>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        single(sql).map(Some)
    }

    fn get_parameter_types(&self, sql: &String) -> PgWireResult<Vec<Type>> {
        Ok(types(sql, &[]))
    }

    fn get_result_schema(&self, _: &String, _: Option<&Format>) -> PgWireResult<Vec<FieldInfo>> {
        // Described by asking the store, which this cannot wait for.
        Ok(Vec::new())
    }
}

/// The types of the parameters: as the client says, as the statement casts them, or text.
fn types(sql: &str, said: &[Option<Type>]) -> Vec<Type> {
    let mut types: Vec<Option<Type>> = said.to_vec();
    for (_, token) in text::tokens(sql) {
        let Token::Parameter(number, cast) = token else { continue };
        // The protocol counts parameters in 16 bits.
        let place = number.min(usize::from(u16::MAX)) - 1;
        if types.len() <= place {
            types.resize(place + 1, None);
        }
        if let Some(known @ None) = types.get_mut(place) {
            *known = cast.as_deref().and_then(parameter::named);
        }
    }
    types.into_iter().map(|known| known.unwrap_or(Type::TEXT)).collect()
}

fn too_long() -> Error {
    Error::new(ErrorKind::Usage, "the statement is too long with its parameters filled in")
        .hint("use each large parameter once")
}

/// The statement with its parameters filled in.
fn bound(portal: &Portal<String>) -> PgWireResult<String> {
    let sql = &portal.statement.statement;
    let types = types(sql, &portal.statement.parameter_types);
    let mut literals = Vec::with_capacity(types.len());
    for (place, kind) in types.iter().enumerate() {
        let value = portal.parameters.get(place).ok_or_else(|| {
            let what = format!("parameter ${} has no value", place + 1);
            refused(Error::new(ErrorKind::Usage, what))
        })?;
        let is_binary = match &portal.parameter_format {
            Format::UnifiedText => false,
            Format::UnifiedBinary => true,
            Format::Individual(codes) => codes.get(place) == Some(&1),
        };
        literals.push(parameter::literal(kind, is_binary, value.as_ref()).map_err(refused)?);
    }
    let of = |number: usize| literals.get(number - 1).cloned().unwrap_or_default();
    text::filled(sql, of).ok_or_else(|| refused(too_long()))
}

#[async_trait]
impl ExtendedQueryHandler for Answering {
    type Statement = String;
    type QueryParser = Parser;

    fn query_parser(&self) -> Arc<Parser> {
        Arc::new(Parser)
    }

    async fn do_describe_statement<C>(
        &self,
        client: &mut C,
        target: &StoredStatement<String>,
    ) -> PgWireResult<DescribeStatementResponse>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = String>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let types = types(&target.statement, &target.parameter_types);
        // A text that is put out must be a text; one that is compared may mean anything. (A NULL of
        // type text that is put together with others is none any more to the store.)
        let client = Client::new(&self.answers, client, client.portal_store());
        let mut fields = Ok(Vec::new());
        for of_text in ["''", "NULL"] {
            let sql = text::filled(&target.statement, |number| match types.get(number - 1) {
                Some(kind) => parameter::null(kind, of_text),
                None => of_text.to_owned(),
            });
            let sql = sql.ok_or_else(|| refused(too_long()))?;
            fields = client.fields(&sql, &Format::UnifiedText).await;
            if fields.is_ok() {
                break;
            }
        }
        Ok(DescribeStatementResponse::new(types, fields?))
    }

    async fn do_describe_portal<C>(
        &self,
        client: &mut C,
        target: &Portal<String>,
    ) -> PgWireResult<DescribePortalResponse>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = String>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let client = Client::new(&self.answers, client, client.portal_store());
        let fields = client.fields(&bound(target)?, &target.result_column_format).await?;
        Ok(DescribePortalResponse::new(fields))
    }

    async fn do_query<C>(
        &self,
        client: &mut C,
        portal: &Portal<String>,
        _max_rows: usize,
    ) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = String>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let client = Client::new(&self.answers, client, client.portal_store());
        client.run(&bound(portal)?, &portal.result_column_format).await
    }
}
