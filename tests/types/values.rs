//! Values of PostgreSQL's types: random ones, and those at which others break.

use rand::Rng;
use rand::rngs::StdRng;

use crate::support::versions::Version;

/// A column, its type, and SQL for a value of it.
pub(crate) type Case = (&'static str, &'static str, fn(&mut StdRng) -> String);

fn pick(random: &mut StdRng, values: &[&str]) -> String {
    values[random.random_range(0..values.len())].to_owned()
}

/// One of the extremes at times, else what `other` makes.
fn or(random: &mut StdRng, extremes: &[&str], other: fn(&mut StdRng) -> String) -> String {
    if random.random_bool(0.35) { pick(random, extremes) } else { other(random) }
}

fn whole(random: &mut StdRng, bits: u32) -> String {
    let (least, most) = (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1);
    let value = match random.random_range(0..5) {
        0 => least,
        1 => most,
        _ => random.random_range(least..=most) >> random.random_range(0..bits),
    };
    format!("'{value}'")
}

fn decimal(random: &mut StdRng, whole: usize, part: usize) -> String {
    let sign = if random.random_bool(0.4) { "-" } else { "" };
    let mut digits = |most: usize| -> String {
        let count = if random.random_bool(0.3) { most } else { random.random_range(0..=most) };
        (0..count).map(|_| char::from(b'0' + random.random_range(0..10_u8))).collect()
    };
    format!("'{sign}0{}.{}0'", digits(whole), digits(part.max(1) - 1))
}

const LETTERS: &str = "aZ09 _'\\%{}\",()é漢😀\u{7f}\u{200b}ж\n\t\r";

fn letters(random: &mut StdRng, most: usize) -> String {
    let letters: Vec<char> = LETTERS.chars().collect();
    let count = random.random_range(0..=most);
    (0..count).map(|_| letters[random.random_range(0..letters.len())]).collect()
}

fn text(random: &mut StdRng, most: usize) -> String {
    let text = letters(random, most).replace('\\', "\\\\").replace('\'', "''");
    format!("E'{text}'")
}

fn hex(random: &mut StdRng) -> String {
    let count = random.random_range(0..40);
    let bytes: String = (0..count).map(|_| format!("{:02x}", random.random::<u8>())).collect();
    format!("'\\x{bytes}'")
}

fn date(random: &mut StdRng) -> String {
    format!("date '2000-01-01' + {}", random.random_range(-700_000..3_000_000))
}

fn moment(random: &mut StdRng) -> String {
    let seconds = random.random_range(-60_000_000_000_i64..250_000_000_000);
    let micros = if random.random_bool(0.5) { random.random_range(0..1_000_000) } else { 0 };
    format!("timestamp '2000-01-01' + make_interval(secs => {seconds}) + interval '{micros} us'")
}

fn time(random: &mut StdRng) -> String {
    let part = |random: &mut StdRng, most: u32| random.random_range(0..most);
    let (hour, minute, second) = (part(random, 24), part(random, 60), part(random, 60));
    format!("'{hour:02}:{minute:02}:{second:02}.{:06}'", part(random, 1_000_000))
}

fn interval(random: &mut StdRng) -> String {
    let mut part = |most: i64| random.random_range(-most..=most);
    let (months, days, seconds) = (part(20_000), part(100_000), part(1_000_000_000));
    let seconds = format!("{seconds}.{:06}", part(999_999).abs());
    format!("make_interval(months => {months}, days => {days}, secs => {seconds})")
}

fn bits(random: &mut StdRng, least: usize, most: usize) -> String {
    let count = random.random_range(least..=most);
    let bits: String = (0..count).map(|_| if random.random() { '1' } else { '0' }).collect();
    format!("B'{bits}'")
}

fn float(random: &mut StdRng) -> String {
    format!("'{:e}'", (random.random::<f64>() - 0.5) * 10_f64.powi(random.random_range(-30..30)))
}

fn json(random: &mut StdRng) -> String {
    let inner = letters(random, 9).replace('\\', "\\\\").replace('"', "\\\"");
    let inner = inner.replace('\n', "\\n").replace('\t', "\\t").replace('\r', "\\r");
    let number = random.random_range(-99_999..99_999);
    let text = format!("{{\"a\": [{number}, 1.50,  \"{inner}\", null], \"a\": true}}");
    format!("'{}'", text.replace('\'', "''"))
}

const WIDE: &str = "repeat('9', 200)::numeric + 0.5";

pub(crate) const CASES: &[Case] = &[
    ("bo", "boolean", |r| pick(r, &["true", "false"])),
    ("i2", "smallint", |r| whole(r, 16)),
    ("i4", "integer", |r| whole(r, 32)),
    ("i8", "bigint", |r| whole(r, 64)),
    ("f4", "real", |r| {
        or(r, &["'NaN'", "'-Infinity'", "'3.4028235e38'", "'1e-45'", "'-0'"], float)
    }),
    ("f8", "double precision", |r| {
        or(r, &["'NaN'", "'Infinity'", "'1.7976931348623157e308'", "'5e-324'", "'-0'"], float)
    }),
    ("n", "numeric", |r| {
        or(r, &["'NaN'", "'Infinity'", "'-Infinity'", WIDE, "'1.10'", "'1e-200'", "'0'"], |r| {
            decimal(r, 40, 40)
        })
    }),
    ("n12", "numeric(12,2)", |r| or(r, &["'NaN'", "'9999999999.99'"], |r| decimal(r, 9, 2))),
    ("n38", "numeric(38,10)", |r| decimal(r, 28, 10)),
    ("n50", "numeric(50,2)", |r| decimal(r, 48, 2)),
    ("n5m", "numeric(5,-2)", |r| pick(r, &["'1234567'", "'-100'", "'49'"])),
    ("n35", "numeric(3,5)", |r| pick(r, &["'0.00123'", "'-0.00999'"])),
    ("mo", "money", |r| or(r, &["'-92233720368547758.08'", "'0'"], |r| decimal(r, 12, 2))),
    ("t", "text", |r| text(r, 60)),
    ("v", "varchar(30)", |r| text(r, 30)),
    ("c", "char(12)", |r| text(r, 12)),
    ("c1", "\"char\"", |r| pick(r, &["'x'", "''", "'''", "' '"]).replace("'''", "''''")),
    ("na", "name", |r| text(r, 12)),
    ("by", "bytea", hex),
    ("d", "date", |r| {
        or(
            r,
            &[
                "'infinity'",
                "'-infinity'",
                "'0044-03-15 BC'",
                "'4713-01-01 BC'",
                "'5874897-12-31'",
                "'0001-01-01'",
                "'9999-12-31'",
            ],
            date,
        )
    }),
    ("ti", "time", |r| or(r, &["'24:00:00'", "'00:00:00'"], time)),
    ("ti0", "time(0)", |r| or(r, &["'23:59:59.6'"], time)),
    ("tz", "timetz", |r| or(r, &["'24:00:00+15:59'", "'00:00:00-15:59:59'"], time)),
    ("ts", "timestamp", |r| {
        or(
            r,
            &[
                "'infinity'",
                "'-infinity'",
                "'0044-03-15 12:00 BC'",
                "'294276-12-31 23:59:59.999999'",
                "'4713-01-01 00:00:00 BC'",
                "'1999-12-31 24:00:00'",
            ],
            moment,
        )
    }),
    ("ts3", "timestamp(3)", |r| or(r, &["'infinity'", "'0044-03-15 12:00 BC'"], moment)),
    ("tt", "timestamptz", |r| {
        or(
            r,
            &[
                "'infinity'",
                "'-infinity'",
                "'0044-03-15 12:00+00 BC'",
                "'294276-12-31 23:59:59+00'",
                "'2026-10-25 02:30:00 Europe/Berlin'",
                "'1900-01-01 00:00:00 Africa/Monrovia'",
            ],
            moment,
        )
    }),
    ("tt3", "timestamptz(3)", |r| or(r, &["'-infinity'", "'0044-03-15 12:00 BC'"], moment)),
    ("iv", "interval", |r| {
        or(
            r,
            &[
                "'-1 year -2 mons +3 days -04:05:06.789'",
                "'178000000 years'",
                "'0'",
                "'1 mon -30 days'",
                "'-178000000 years'",
                "'2147483647 days'",
            ],
            interval,
        )
    }),
    ("ivy", "interval year to month", interval),
    ("ivl", "interval", |r| or(r, &["'2562047788:00:54.775807'"], interval)),
    ("u", "uuid", |r| format!("'{}'", uuid::Uuid::from_bytes(r.random()))),
    ("js", "json", |r| {
        or(
            r,
            &[
                "'{\"b\": 1,  \"a\": \"\\u00e9\"}'",
                "'\"\\u0000\"'",
                "'\"\\ud800\"'",
                "'1e400'",
                "'null'",
                "'[1.0000000000000000000000000000001]'",
                "' \"x\" '",
            ],
            json,
        )
    }),
    ("jb", "jsonb", |r| {
        or(r, &["'{\"b\": 1.10, \"a\": \"x\\\\ny\"}'", "'1e400'", "'null'", "'[]'"], json)
    }),
    ("xm", "xml", |r| pick(r, &["'<a>&lt;</a>'", "'<a b=\"ü\"/>'", "'text'"])),
    ("bi", "bit(9)", |r| bits(r, 9, 9)),
    ("bv", "bit varying", |r| bits(r, 0, 70)),
    ("ine", "inet", |r| pick(r, &["'2001:db8::1/64'", "'10.0.0.1'", "'10.0.0.1/8'", "'::'"])),
    ("cid", "cidr", |r| pick(r, &["'10.0.0.0/8'", "'2001:db8::/32'"])),
    ("mac", "macaddr", |r| pick(r, &["'08:00:2b:01:02:03'", "'FF-FF-FF-FF-FF-FF'"])),
    ("ma8", "macaddr8", |r| pick(r, &["'08:00:2b:01:02:03:04:05'"])),
    ("pt", "point", |r| pick(r, &["'(1.5,-2)'", "'(NaN,Infinity)'"])),
    ("pa", "path", |r| pick(r, &["'[(0,0),(1,1)]'", "'((0,0),(1,1),(2,0))'"])),
    ("po", "polygon", |r| pick(r, &["'((0,0),(1,1),(2,0))'"])),
    ("ci", "circle", |r| pick(r, &["'<(0,0),1.5>'"])),
    ("tv", "tsvector", |r| pick(r, &["to_tsvector('simple', 'a b''c ü')", "''"])),
    ("tq", "tsquery", |r| pick(r, &["'a & !(b | c:*)'", "''"])),
    ("ra", "int4range", |r| pick(r, &["'[1,5)'", "'empty'", "'(,3]'"])),
    ("rn", "numrange", |r| pick(r, &["'[1.10,NaN]'", "'(,)'"])),
    ("rt", "tstzrange", |r| {
        pick(r, &["'[2026-01-01 00:00+02,infinity)'", "'[,2026-01-01 00:00+00]'"])
    }),
    ("mr", "datemultirange", |r| pick(r, &["'{[2026-01-01,2026-02-01),[2027-01-01,)}'", "'{}'"])),
    ("ai", "integer[]", |r| {
        pick(r, &["'{}'", "'{1,NULL,-3}'", "'[2:3][1:2]={{1,2},{3,4}}'", "'{{1},{2}}'"])
    }),
    ("at", "text[]", |r| format!("ARRAY[{}, NULL, {}, 'NULL', '']", text(r, 9), text(r, 9))),
    ("an", "numeric(9,2)[]", |r| pick(r, &["'{1.5,NaN}'", "'{{1,2},{3,4}}'"])),
    ("ad", "timestamptz[]", |r| pick(r, &["'{\"2026-01-01 00:00+02\",infinity}'"])),
    ("en", "mood", |r| pick(r, &["'sad'", "'it''s ok'", "'ä, b'"])),
    ("dn", "short", |r| text(r, 9)),
    ("dd", "amount", |r| decimal(r, 7, 2)),
    ("co", "pair", |r| format!("ROW({}, {})::pair", whole(r, 32), text(r, 9))),
    ("cn", "pair", |r| pick(r, &["ROW(NULL, NULL)::pair", "ROW(1, NULL)::pair"])),
    ("ap", "pair[]", |r| format!("ARRAY[ROW(1, {})::pair, NULL]", text(r, 9))),
    ("oi", "oid", |r| pick(r, &["'4294967295'", "'0'"])),
    ("ls", "pg_lsn", |r| pick(r, &["'FFFFFFFF/FFFFFFFF'", "'0/0'"])),
    ("rc", "regclass", |r| pick(r, &["'pg_class'", "'public.elsewhere'", "'-'"])),
    ("hs", "hstore", |r| pick(r, &["'a=>1, \"b c\"=>NULL'", "''"])),
    ("ct", "citext", |r| text(r, 20)),
];

/// Columns that the server fills. The second is in no log before PostgreSQL 18, so it is not mirrored.
pub(crate) const GENERATED: [(&str, &str); 2] = [
    ("ga", "integer GENERATED ALWAYS AS IDENTITY"),
    ("ge", "bigint GENERATED ALWAYS AS (id * 2) STORED"),
];

/// What the types need.
pub(crate) const SETUP: &str = "CREATE EXTENSION hstore; CREATE EXTENSION citext;
    CREATE TYPE mood AS ENUM ('sad', 'it''s ok', 'ä, b'); CREATE DOMAIN short AS varchar(20);
    CREATE DOMAIN amount AS numeric(9,2) CHECK (VALUE > -1e7);
    CREATE TYPE pair AS (a integer, b text); CREATE TABLE elsewhere (id integer PRIMARY KEY);";

/// What a version has. Before PostgreSQL 15 a decimal had no more digits behind the point than in all
/// and not less than none, and no interval had more than 2147483647 hours.
pub(crate) fn cases(version: Version) -> Vec<&'static Case> {
    let later = ["n5m", "n35", "ivl"];
    let is_there = |case: &&Case| version != Some("14") || !later.contains(&case.0);
    CASES.iter().filter(is_there).collect()
}

/// A table with a column of every type.
pub(crate) fn table(name: &str, version: Version) -> String {
    let columns =
        cases(version).into_iter().map(|(name, source_type, _)| format!("{name} {source_type}"));
    let generated = GENERATED.iter().map(|(name, source_type)| format!("{name} {source_type}"));
    let columns: Vec<String> = columns.chain(generated).collect();
    format!("CREATE TABLE {name} (id integer PRIMARY KEY, {});", columns.join(", "))
}

/// Inserts, and updates of single columns; one value in ten is NULL.
pub(crate) fn writes(random: &mut StdRng, (table, rows): (&str, u32), version: Version) -> String {
    let cases = cases(version);
    let value = |random: &mut StdRng, case: &Case| match random.random_bool(0.1) {
        true => "NULL".to_owned(),
        false => format!("({})::{}", case.2(random), case.1),
    };
    let names: Vec<&str> = cases.iter().map(|(name, ..)| *name).collect();
    let mut statements = String::new();
    for id in 1..=rows {
        let values: Vec<String> = cases.iter().map(|case| value(random, case)).collect();
        statements += &format!(
            "INSERT INTO {table} (id, {}) VALUES ({id}, {});\n",
            names.join(", "),
            values.join(", ")
        );
    }
    for _ in 0..rows {
        let case = cases[random.random_range(0..cases.len())];
        let (value, id) = (value(random, case), random.random_range(1..=rows));
        statements += &format!("UPDATE {table} SET {} = {value} WHERE id = {id};\n", case.0);
    }
    statements
}
