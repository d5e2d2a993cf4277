//! Who may connect: users of the configuration, by SCRAM-SHA-256, encrypted if there is a key.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use futures_util::Sink;
use pgwire::api::auth::sasl::SASLAuthStartupHandler;
use pgwire::api::auth::sasl::scram::{SCRAM_ITERATIONS, ScramAuth, gen_salted_password};
use pgwire::api::auth::{
    AuthSource, DefaultServerParameterProvider, LoginInfo, Password, StartupHandler,
};
use pgwire::api::{ClientInfo, ConnectionManager};
use pgwire::error::{ErrorInfo, PgWireError, PgWireResult};
use pgwire::messages::{PgWireBackendMessage, PgWireFrontendMessage};

use crate::config::Secret;

/// What clients take us for: the oldest release whose catalog queries they still send.
pub(super) const SERVER_VERSION: &str = "15.0";

/// Users and their passwords.
#[derive(Debug)]
pub(super) struct Users(BTreeMap<String, Secret>);

impl Users {
    pub(super) fn new(users: BTreeMap<String, Secret>) -> Self {
        Self(users)
    }
}

#[async_trait]
impl AuthSource for Users {
    /// Of an unknown user nobody knows the password, which takes as long to find out.
    async fn get_password(&self, login: &LoginInfo) -> PgWireResult<Password> {
        let secret = login.user().and_then(|user| self.0.get(user));
        let password = match secret.map(Secret::read) {
            Some(Ok(password)) => password,
            Some(Err(error)) => {
                tracing::error!(error = %error.chain(), "the password of a user cannot be read");
                unguessable()
            }
            None => unguessable(),
        };
        let salt: [u8; 16] = rand::random();
        let salted = gen_salted_password(&password, &salt, SCRAM_ITERATIONS);
        Ok(Password::new(Some(salt.to_vec()), salted))
    }
}

fn unguessable() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// The startup of one connection.
pub(super) struct Startup {
    scram: SASLAuthStartupHandler<DefaultServerParameterProvider>,
    is_encrypted: bool,
}

impl Startup {
    pub(super) fn new(
        users: Arc<Users>,
        is_encrypted: bool,
        connections: Arc<ConnectionManager>,
    ) -> Self {
        let mut parameters = DefaultServerParameterProvider::default();
        SERVER_VERSION.clone_into(&mut parameters.server_version);
        parameters.is_superuser = false;
        parameters.default_transaction_read_only = true;
        "main".clone_into(&mut parameters.search_path);
        "UTC".clone_into(&mut parameters.time_zone);
        let scram = SASLAuthStartupHandler::new(Arc::new(parameters))
            .with_scram(ScramAuth::new(users))
            .with_connection_manager(connections);
        Self { scram, is_encrypted }
    }
}

#[async_trait]
impl StartupHandler for Startup {
    async fn on_startup<C>(
        &self,
        client: &mut C,
        message: PgWireFrontendMessage,
    ) -> PgWireResult<()>
    where
        C: ClientInfo + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        if self.is_encrypted && !client.is_secure() {
            let what = "this listener takes encrypted connections only: set sslmode=require";
            let info = ErrorInfo::new("FATAL".to_owned(), "28000".to_owned(), what.to_owned());
            return Err(PgWireError::UserError(Box::new(info)));
        }
        self.scram.on_startup(client, message).await
    }
}
