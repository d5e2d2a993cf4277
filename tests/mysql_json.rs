//! Binary JSON and partial updates as a MySQL logs them, against the text that the same server
//! prints.

mod documents;
mod log;
mod updates;

use std::sync::OnceLock;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, OptsBuilder};
use trueup::demo::servers::{MysqlServer, Options};

/// The MySQL of these tests. It ends with this process.
fn server() -> &'static MysqlServer {
    static SERVER: OnceLock<MysqlServer> = OnceLock::new();
    SERVER.get_or_init(|| match MysqlServer::start(&Options::default().version(Some("9"))) {
        Ok(server) => server,
        Err(error) => panic!("{}; {:?}", error.chain(), error.remedy()),
    })
}

/// A session in a database of its own, with `t (id, n, j)`.
async fn session(database: &str) -> Conn {
    server().create_database(database).unwrap_or_else(|error| panic!("{}", error.chain()));
    let mut session = connect(Some(database)).await;
    let table = "CREATE TABLE t (id int PRIMARY KEY AUTO_INCREMENT, n int NOT NULL DEFAULT 0,
                 j json) AUTO_INCREMENT = 1";
    session.query_drop(table).await.unwrap();
    session
}

async fn connect(database: Option<&str>) -> Conn {
    let options = OptsBuilder::default()
        .ip_or_hostname("127.0.0.1")
        .tcp_port(server().port())
        .user(Some("root"))
        .pass(Some(server().password()))
        .prefer_socket(false)
        .db_name(database);
    Conn::new(options).await.unwrap()
}
