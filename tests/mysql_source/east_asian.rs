//! Tables of firms in East Asia, as old as their character sets: keys, texts and labels in them, through log, copy,
//! store and comparison. What the bytes are is told code by code in `tests/mariadb_source/charsets.rs`.

use trueup::demo::servers::BinlogServer;

use super::{agrees, mirrored};
use crate::support::require::require;
use crate::support::servers;

/// A set, and texts in it; the first has a code whose last byte is a backslash, if the set has any.
const TEXTS: [(&str, [&str; 3]); 9] = [
    ("big5", ["許功蓋", "中文", "a\\\\b"]),
    ("gbk", ["誠", "中文", "漢字"]),
    ("gb2312", ["中文", "汉字", "～"]),
    ("euckr", ["한글", "똠", "漢字"]),
    ("sjis", ["表示能", "日本", "ｱｲ~"]),
    ("cp932", ["表①", "纊", "ｱｲ"]),
    ("ujis", ["日本", "丂", "ｱｲ"]),
    ("eucjpms", ["①", "ⅰ", "ｱｲ"]),
    ("gb18030", ["誠😀", "丂", "é"]),
];

async fn agree(kind: &str, server: &BinlogServer) {
    let database = servers::binlog_database(server, "asian");
    let sets = || TEXTS.into_iter().filter(|(set, _)| kind == "mysql" || *set != "gb18030");
    let run = |sql: &str| server.sql(&database, sql).unwrap();
    for (set, [first, second, third]) in sets() {
        run(&format!(
            "CREATE TABLE t_{set} (k varchar(9), n int, v text, e enum('{first}','x'), s set('y','{second}'),
                 c char(9), PRIMARY KEY (k, n)) CHARACTER SET {set};
             INSERT INTO t_{set} VALUES ('{first}', 1, '{third}', '{first}', 'y,{second}', '{first} '),
                 ('{second}', 1, NULL, 'x', '', '{second}'), ('{third}', 1, '', NULL, NULL, ''),
                 ('{first}', 2, '{first}{second}{third}', 'x', 'y', 'z')"
        ));
    }
    let installation = mirrored(server, &database, "copy_chunk_rows = 1");
    let file = installation.state_folder().with_file_name("trueup.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    installation
        .write("trueup.toml", &text.replace("kind = \"mysql\"", &format!("kind = \"{kind}\"")));
    let _daemon = installation.start(&["run"], &[]);
    assert_eq!(agrees(&installation, server, &database).await, sets().count());
    for (set, [first, second, third]) in sets() {
        run(&format!(
            "UPDATE t_{set} SET v = concat(v, '{second}'), e = 'x', s = '{second}' WHERE k = '{first}';
             UPDATE t_{set} SET k = '{second}{third}' WHERE k = '{second}';
             DELETE FROM t_{set} WHERE k = '{third}';
             INSERT INTO t_{set} VALUES ('{third}{first}', 3, '{third}', '{first}', 'y', '{third}')"
        ));
    }
    assert_eq!(agrees(&installation, server, &database).await, sets().count());
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_in_east_asian_character_sets_of_a_mysql_agree() {
    if require("mysql") {
        agree("mysql", servers::mysql()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_in_east_asian_character_sets_of_a_mariadb_agree() {
    if require("mariadb") {
        agree("mariadb", servers::mariadb()).await;
    }
}
