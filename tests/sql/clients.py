"""Python's clients against the SQL listener, as they are: psycopg 3, psycopg2, SQLAlchemy 2.

Says one line for each thing that it has checked; ends with an error at the first that is not so.
The store is the one of `Stage` in tests/sql.rs: table erp.t with 100 rows. Where to connect is in
PGHOST, PGPORT, PGUSER and PGPASSWORD.
"""

import datetime
import decimal
import os

import psycopg
import psycopg.types
import psycopg2
import psycopg2.extras
import sqlalchemy

UTC = datetime.timezone.utc
DATE = datetime.date(2026, 3, 29)
MOMENT = datetime.datetime(2026, 3, 29, 2, 30, 0, 123456)
INSTANT = datetime.datetime(2026, 3, 29, 2, 30, tzinfo=UTC)
PRICE = decimal.Decimal("-12345.6700")
NAME = "O'Hara \\ %s $1; ☃"
DATABASE = "trueup"


def checked(what):
    print(f"checked: {what}", flush=True)


def same(found, expected):
    assert found == expected, f"{found!r} is not {expected!r}"


def psycopg3():
    with psycopg.connect(dbname=DATABASE, autocommit=True) as connection:
        same(connection.execute("SELECT count(*) FROM erp.t").fetchone(), (100,))
        same(connection.info.server_version // 10000, 15)
        ask = "SELECT current_user, current_database(), current_schemas(false) = ARRAY['main']"
        same(connection.execute(ask).fetchone(), ("analyst", DATABASE, True))
        checked("psycopg connects and asks")
    with psycopg.connect(dbname=DATABASE) as connection:
        for _ in range(8):  # from the sixth time on the statement is prepared
            found = connection.execute(
                "SELECT id, name, ok, amount FROM erp.t WHERE id > %s AND name LIKE %s ORDER BY id",
                (98, "n%"),
            ).fetchall()
            same(found, [(99, "n99", False, 49.5), (100, "n100", True, 50.0)])
        connection.rollback()
        checked("psycopg prepares a statement")
        values = (7, 2**40, NAME, PRICE, DATE, MOMENT, INSTANT, True, 0.5, None)
        columns = "%s::int, %s::bigint, %s::text, %s::numeric(12,4), %s::date, %s::timestamp, " \
            "%s::timestamptz, %s::bool, %s::float8, %s::int"
        for binary in [False, True]:
            with connection.cursor(binary=binary) as cursor:
                same(cursor.execute(f"SELECT {columns}", values).fetchone(), values)
        for format in ["%s", "%t", "%b"]:
            sql = f"SELECT id FROM erp.t WHERE amount > {format} AND ok = {format} ORDER BY id"
            same(connection.execute(sql, (49.0, True)).fetchall(), [(100,)])
            sql = f"SELECT id FROM erp.t WHERE id = ANY({format}) ORDER BY id"
            same(connection.execute(sql, ([3, 1, 1000],)).fetchall(), [(1,), (3,)])
            sql = f"SELECT id FROM erp.t WHERE name = ANY({format}) ORDER BY id"
            same(connection.execute(sql, (["n5", NAME, "n2"],)).fetchall(), [(2,), (5,)])
            sql = f"SELECT {format}::date - DATE '2026-03-01'"
            same(connection.execute(sql, (DATE,)).fetchone(), (28,))
        checked("psycopg binds values as text and in binary")
        same(connection.info.transaction_status.name, "INTRANS")
        connection.commit()
        same(connection.info.transaction_status.name, "IDLE")
        try:
            connection.execute("SELECT nonsense FROM erp.t")
            raise AssertionError("nonsense was answered")
        except psycopg.errors.UndefinedColumn:
            connection.rollback()
        connection.execute("SELECT 1")
        with connection.transaction():  # a savepoint
            same(connection.execute("SELECT 2").fetchone(), (2,))
        same(connection.info.transaction_status.name, "INTRANS")
        connection.rollback()
        checked("psycopg begins, ends and recovers")
        with connection.cursor(name="many rows") as cursor:
            cursor.itersize = 30
            cursor.execute("SELECT id FROM erp.t WHERE id > %s ORDER BY id", (10,))
            same([column.name for column in cursor.description], ["id"])
            same(cursor.fetchone(), (11,))
            same(cursor.fetchmany(2), [(12,), (13,)])
            same([row[0] for row in cursor], list(range(14, 101)))
            same(cursor.fetchall(), [])
        same(connection.execute("SELECT 1").fetchone(), (1,))
        connection.execute("DECLARE c CURSOR FOR SELECT 1")
        connection.commit()
        try:
            connection.execute("FETCH ALL FROM c")
            raise AssertionError("a cursor outlived its transaction")
        except psycopg.errors.InvalidCursorName:
            connection.rollback()
        checked("psycopg reads through a server-side cursor")
        with connection.cursor() as cursor:
            stream = cursor.stream("SELECT id FROM erp.t ORDER BY id")
            same([row[0] for row in stream], list(range(1, 101)))
        checked("psycopg streams rows")
        kind = psycopg.types.TypeInfo.fetch(connection, "timestamptz")
        same((kind.name, kind.oid), ("timestamptz", 1184))
        same(psycopg.types.TypeInfo.fetch(connection, "hstore"), None)
        checked("psycopg looks types up")
        with connection.pipeline():
            found = [connection.execute("SELECT %s::int", (n,)) for n in range(5)]
            same([cursor.fetchone()[0] for cursor in found], list(range(5)))
        checked("psycopg sends statements in a pipeline")
    with psycopg.connect(dbname=DATABASE) as connection:
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        same(connection.execute("SHOW transaction_read_only").fetchone(), ("on",))
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.execute("SHOW standard_conforming_strings")
            same(cursor.fetchone(), ("on",))
        checked("psycopg asks for a transaction that only reads")


def psycopg_2():
    connection = psycopg2.connect(dbname=DATABASE)
    with connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT id, name FROM erp.t WHERE id = ANY(%s) AND name IN %s ORDER BY id",
            ([3, 1, 1000], ("n1", "n3", NAME)),
        )
        same(cursor.fetchall(), [(1, "n1"), (3, "n3")])
        values = (7, 2**40, NAME, PRICE, DATE, MOMENT, INSTANT, True, 0.5, None)
        cursor.execute("SELECT " + ", ".join(["%s"] * len(values)), values)
        same(cursor.fetchone(), values)
        checked("psycopg2 binds values")
    with connection, connection.cursor("many rows") as cursor:
        cursor.itersize = 30
        cursor.execute("SELECT id FROM erp.t WHERE id > %s ORDER BY id", (10,))
        same([row[0] for row in cursor], list(range(11, 101)))
        same(cursor.fetchone(), None)
        checked("psycopg2 reads through a server-side cursor")
    with connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cursor:
        cursor.execute("SELECT max(id) AS last FROM erp.t")
        same(dict(cursor.fetchone()), {"last": 100})
    connection.rollback()
    connection.set_session(readonly=True, autocommit=True, isolation_level="REPEATABLE READ")
    with connection.cursor() as cursor:
        cursor.execute("SELECT sum(amount) FROM erp.t")
        same(cursor.fetchone(), (2525.0,))
    connection.set_client_encoding("UTF8")
    same(psycopg2.extras.HstoreAdapter.get_oids(connection), ((), ()))
    checked("psycopg2 sets its session")
    connection.close()


def alchemy(driver):
    engine = sqlalchemy.create_engine(f"postgresql+{driver}:///{DATABASE}")
    inspector = sqlalchemy.inspect(engine)
    schemas = inspector.get_schema_names()
    assert {"erp", "canon", "ops"} <= set(schemas), schemas
    assert not {"pg", "track"} & set(schemas), schemas
    same(inspector.get_table_names("erp"), ["t"])
    same(inspector.has_table("t", "erp"), True)
    same(inspector.has_table("nothing", "erp"), False)
    assert "cloud_event" in inspector.get_view_names("ops"), inspector.get_view_names("ops")
    assert "SELECT" in inspector.get_view_definition("cloud_event", "ops")
    columns = [(c["name"], str(c["type"])) for c in inspector.get_columns("t", "erp")]
    expected = [("id", "INTEGER"), ("name", "TEXT"), ("ok", "BOOLEAN"), ("amount", "DOUBLE PRECISION"),
                ("noted_at", "TIMESTAMP")]
    same(columns, expected)
    checked(f"sqlalchemy with {driver} lists schemas, tables, views and columns")
    same(inspector.get_pk_constraint("t", "erp")["constrained_columns"], [])
    same(inspector.get_foreign_keys("t", "erp"), [])
    same(inspector.get_indexes("t", "erp"), [])
    same(inspector.get_unique_constraints("t", "erp"), [])
    same(inspector.get_check_constraints("t", "erp"), [])
    same(inspector.get_sequence_names("erp"), [])
    same(inspector.get_enums("erp"), [])
    checked(f"sqlalchemy with {driver} finds no keys, no indexes and no sequences")
    comments(inspector)
    checked(f"sqlalchemy with {driver} reads comments")
    table = sqlalchemy.Table("t", sqlalchemy.MetaData(), schema="erp", autoload_with=engine)
    ask = sqlalchemy.select(table.c.id, table.c.name).where(
        table.c.id.in_([1, 2, 3]), table.c.name != sqlalchemy.bindparam("name"), table.c.ok
    )
    with engine.connect() as connection:
        same(connection.execute(ask, {"name": NAME}).all(), [(2, "n2")])
        halves = sqlalchemy.select(
            sqlalchemy.func.count(), sqlalchemy.cast(table.c.amount, sqlalchemy.Numeric(9, 2))
        ).group_by(table.c.amount).order_by(table.c.amount.desc()).limit(1)
        same(connection.execute(halves).all(), [(1, decimal.Decimal("50.00"))])
        options = {"stream_results": True, "max_row_buffer": 10}
        rows = connection.execution_options(**options).execute(sqlalchemy.select(table.c.id))
        same(sum(row.id for row in rows), 5050)
    checked(f"sqlalchemy with {driver} reflects a table and asks it")
    everything = sqlalchemy.MetaData()
    for schema in ["erp", "ops", "canon"]:
        everything.reflect(engine, schema=schema, views=True)
    assert "ops.cloud_event" in everything.tables
    checked(f"sqlalchemy with {driver} reflects all schemas")
    engine.dispose()


def comments(inspector):
    text = inspector.get_table_comment("org_unit", "canon")["text"]
    assert text.startswith("A unit of the organisation"), text
    by_name = {c["name"]: c["comment"] for c in inspector.get_columns("org_unit", "canon")}
    same(by_name["name"], "Name of the unit. Owner: HR.")
    same(inspector.get_table_comment("t", "erp"), {"text": None})


def main():
    assert os.environ["PGPORT"]
    psycopg3()
    psycopg_2()
    alchemy("psycopg")
    alchemy("psycopg2")


main()
