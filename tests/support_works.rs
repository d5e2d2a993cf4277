//! The helpers of `support/` do what they say: a broken helper makes other tests worthless.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use rand::Rng;

use crate::support::process::{Installation, Running};
use crate::support::proxy::{Proxy, Towards};
use crate::support::random::seeded;
use crate::support::require::{data_file, require};
use crate::support::servers;
use crate::support::wait::wait_until;

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn each_test_has_a_database_of_its_own_on_the_shared_postgres() {
    if !require("postgres") {
        return;
    }
    let [one, two] = [(), ()].map(|()| servers::postgres_database("own"));
    assert_ne!(one, two);
    let server = servers::postgres();
    server.sql(&one, "CREATE TABLE t (a int)").unwrap();
    assert!(server.sql(&two, "SELECT * FROM t").is_err(), "a table of another test is visible");
}

#[test]
fn each_test_has_a_database_of_its_own_on_the_shared_mysql() {
    if !require("mysql") {
        return;
    }
    let server = servers::mysql();
    let [one, two] = [(), ()].map(|()| servers::binlog_database(server, "own"));
    server.sql(&one, "CREATE TABLE t (a int)").unwrap();
    assert!(server.sql(&two, "SELECT * FROM t").is_err(), "a table of another test is visible");
}

#[test]
fn a_gzipped_dump_loads_into_the_shared_mariadb() {
    if !require("mariadb") || !require("data") {
        return;
    }
    let name = servers::mariadb_database("employees");
    let server = servers::mariadb();
    servers::load_gzipped(server.client(&name), &data_file("employees-10k.sql.gz"));
    assert_eq!(server.sql(&name, "SELECT count(*) FROM employees").unwrap(), "10000\n");
}

#[test]
#[should_panic(expected = "waited 0.1 s for rain; last seen: sun")]
fn waiting_ends_and_says_what_was_seen() {
    wait_until("rain", Duration::from_millis(100), || Err::<(), _>("sun".to_owned()));
}

#[test]
fn chance_differs_from_run_to_run_unless_a_seed_is_set() {
    let drawn = [seeded().random::<u64>(), seeded().random::<u64>()];
    assert_eq!(drawn[0] == drawn[1], std::env::var_os("TRUEUP_SEED").is_some());
}

#[test]
fn the_built_binary_runs_with_a_configuration_of_its_own() {
    let installation = Installation::new("");
    let written = std::fs::read_to_string(installation.write("note", "text")).unwrap();
    assert_eq!(written, "text");
    assert!(!installation.state_folder().exists());
    assert_ne!(installation.http_port(), Installation::new("").http_port());
    assert!(installation.output(&["--help"]).status.success());
    let mut running = installation.start(&["--help"], &[("TRUEUP_FAILPOINT", "")]);
    assert!(running.wait(PATIENCE).success());
}

#[test]
fn a_running_process_can_be_asked_to_end_and_killed() {
    let folder = tempfile::tempdir().unwrap();
    let start = || {
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.02; done"]);
        let running = Running::start(shell, folder.path());
        let up = || if running.output() == "up\n" { Ok(()) } else { Err(running.output()) };
        wait_until("the process to be up", PATIENCE, up);
        running
    };
    let mut asked = start();
    asked.terminate();
    assert_eq!(asked.wait(PATIENCE).code(), Some(3));
    assert_eq!(asked.output(), "up\nbye\n");
    let mut killed = start();
    assert!(killed.ended().is_none());
    killed.kill();
    assert!(killed.ended().is_some_and(|status| status.code().is_none()));
}

#[test]
fn a_wire_forwards_until_it_is_cut_and_again_for_new_connections() {
    let proxy = Proxy::to(echo());
    let mut stream = connect(&proxy);
    assert_eq!(ask(&mut stream, b"one"), Some(*b"one"));
    proxy.cut();
    assert_eq!(ask(&mut stream, b"two"), None);
    assert_eq!(ask(&mut connect(&proxy), b"new"), Some(*b"new"));
}

#[test]
fn a_refusing_wire_lets_nobody_in_until_it_is_restored() {
    let proxy = Proxy::to(echo());
    let mut stream = connect(&proxy);
    proxy.refuse();
    assert_eq!(ask(&mut stream, b"one"), None);
    let refused = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    proxy.restore();
    assert_eq!(ask(&mut connect(&proxy), b"two"), Some(*b"two"));
}

#[test]
fn a_slow_wire_holds_back_what_it_is_given() {
    let proxy = Proxy::to(echo());
    let mut stream = connect(&proxy);
    proxy.delay(Duration::from_millis(100));
    let begin = Instant::now();
    assert_eq!(ask(&mut stream, b"one"), Some(*b"one"));
    // Once in each direction.
    assert!(begin.elapsed() >= Duration::from_millis(200), "{:?}", begin.elapsed());
    proxy.delay(Duration::MAX);
    stream.write_all(b"two").unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    assert!(stream.read(&mut [0]).is_err(), "a dead wire must be silent");
    proxy.restore();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut answer = [0; 3];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"two");
}

#[test]
fn a_wire_that_is_reset_breaks_without_an_end() {
    let proxy = Proxy::to(echo());
    let mut stream = connect(&proxy);
    assert_eq!(ask(&mut stream, b"one"), Some(*b"one"));
    proxy.reset();
    let broken = stream.read(&mut [0]).unwrap_err();
    assert_eq!(broken.kind(), std::io::ErrorKind::ConnectionReset);
    // As well while it holds something back.
    let mut stream = connect(&proxy);
    assert_eq!(ask(&mut stream, b"two"), Some(*b"two"));
    proxy.delay(Duration::MAX);
    stream.write_all(b"new").unwrap();
    std::thread::sleep(Duration::from_millis(50));
    proxy.reset();
    assert!(stream.read(&mut [0]).is_err());
    proxy.restore();
    assert_eq!(ask(&mut connect(&proxy), b"new"), Some(*b"new"));
}

#[test]
fn a_wire_that_is_closed_in_one_direction_goes_on_in_the_other() {
    // GIVEN a server that notes when its client ends, and speaks on
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = Proxy::to(listener.local_addr().unwrap().port());
    let mut client = connect(&proxy);
    let (mut server, _) = listener.accept().unwrap();
    // What was carried once is known to the proxy.
    client.write_all(b"?").unwrap();
    server.read_exact(&mut [0]).unwrap();
    proxy.half_close(Towards::Server);
    assert_eq!(server.read(&mut [0]).unwrap(), 0, "the server must see an end");
    client.write_all(b"unheard").unwrap();
    let mut heard = [0; 2];
    server.write_all(b"go").unwrap();
    client.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"go");
    // and the other way round
    let mut client = connect(&proxy);
    let (mut server, _) = listener.accept().unwrap();
    // What was carried once is known to the proxy.
    client.write_all(b"?").unwrap();
    server.read_exact(&mut [0]).unwrap();
    proxy.half_close(Towards::Client);
    assert_eq!(client.read(&mut [0]).unwrap(), 0, "the client must see an end");
    server.write_all(b"unheard").unwrap();
    client.write_all(b"on").unwrap();
    server.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"on");
}

/// A server that says back what it hears; it ends with the test process.
fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            std::thread::spawn(move || {
                let mut back = stream.try_clone().unwrap();
                std::io::copy(&mut &stream, &mut back).ok();
            });
        }
    });
    port
}

fn connect(proxy: &Proxy) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Three bytes there and back, or `None` if the wire is broken.
fn ask(stream: &mut TcpStream, question: &[u8; 3]) -> Option<[u8; 3]> {
    let mut answer = [0; 3];
    stream.write_all(question).ok()?;
    stream.read_exact(&mut answer).ok()?;
    Some(answer)
}
