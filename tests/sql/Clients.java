// PostgreSQL's JDBC driver against the SQL listener, as it is: what Java's tools do with it.
//
// Says one line for each thing that it has checked; ends with an error at the first that is not so.
// The store is the one of `Stage` in tests/sql.rs: table erp.t with 100 rows. Where to connect is in
// PGPORT, PGUSER and PGPASSWORD.

import java.math.BigDecimal;
import java.sql.Connection;
import java.sql.Date;
import java.sql.DatabaseMetaData;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.sql.Types;
import java.time.LocalDate;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Properties;

public final class Clients {
    private static final String NAME = "O'Hara \\ ? $1; ☃";

    private Clients() {}

    public static void main(String[] arguments) throws SQLException {
        for (String mode : List.of("extended", "simple", "extendedForPrepared")) {
            try (Connection connection = connect(mode)) {
                asks(connection, mode);
                metadata(connection, mode);
            }
        }
        try (Connection connection = connect("extended")) {
            prepares(connection);
            binds(connection);
            fetches(connection);
            recovers(connection);
        }
    }

    private static Connection connect(String mode) throws SQLException {
        Properties properties = new Properties();
        properties.setProperty("user", System.getenv("PGUSER"));
        properties.setProperty("password", System.getenv("PGPASSWORD"));
        properties.setProperty("preferQueryMode", mode);
        properties.setProperty("ApplicationName", "clients");
        String url = "jdbc:postgresql://127.0.0.1:" + System.getenv("PGPORT") + "/trueup";
        return DriverManager.getConnection(url, properties);
    }

    private static void asks(Connection connection, String mode) throws SQLException {
        same(connection.isValid(5), true);
        same(connection.getMetaData().getDatabaseMajorVersion(), 15);
        connection.setReadOnly(true);
        connection.setNetworkTimeout(Runnable::run, 60_000);
        same(connection.getTransactionIsolation() > 0, true);
        same(list(connection, "SELECT id, name, ok FROM erp.t ORDER BY id LIMIT 2"),
            List.of("1 n1 f", "2 n2 t"));
        same(list(connection, "SHOW TRANSACTION ISOLATION LEVEL").size(), 1);
        same(list(connection, "SELECT current_schema(), current_database(), current_user").size(), 1);
        connection.getSchema();
        connection.getCatalog();
        checked("connects and asks, " + mode);
    }

    private static void metadata(Connection connection, String mode) throws SQLException {
        DatabaseMetaData data = connection.getMetaData();
        has(names(data.getSchemas(), "TABLE_SCHEM"), "canon", "erp", "ops");
        has(names(data.getSchemas(null, "erp"), "TABLE_SCHEM"), "erp");
        has(names(data.getCatalogs(), "TABLE_CAT"), "trueup");
        has(names(data.getTableTypes(), "TABLE_TYPE"), "TABLE", "VIEW");
        same(names(data.getTables(null, "erp", "%", new String[] {"TABLE"}), "TABLE_NAME"),
            List.of("t"));
        has(names(data.getTables(null, "ops", "%", new String[] {"VIEW"}), "TABLE_NAME"),
            "cloud_event");
        has(names(data.getTables(null, null, "%", null), "TABLE_NAME"), "t", "cloud_event");
        same(names(data.getColumns(null, "erp", "t", "%"), "COLUMN_NAME"),
            List.of("id", "name", "ok", "amount", "noted_at"));
        same(names(data.getColumns(null, "erp", "t", null), "TYPE_NAME"),
            List.of("int4", "text", "bool", "float8", "timestamptz"));
        same(names(data.getColumns(null, "erp", "t", "%"), "DATA_TYPE"),
            List.of("" + Types.INTEGER, "" + Types.VARCHAR, "" + Types.BIT, "" + Types.DOUBLE,
                "" + Types.TIMESTAMP));
        has(names(data.getColumns(null, "canon", "org_unit", "name"), "REMARKS"),
            "Name of the unit. Owner: HR.");
        checked("lists schemas, tables and columns, " + mode);
        same(names(data.getPrimaryKeys(null, "erp", "t"), "COLUMN_NAME"), List.of());
        same(names(data.getImportedKeys(null, "erp", "t"), "FKCOLUMN_NAME"), List.of());
        same(names(data.getExportedKeys(null, "erp", "t"), "FKCOLUMN_NAME"), List.of());
        same(names(data.getIndexInfo(null, "erp", "t", false, true), "INDEX_NAME"), List.of());
        same(names(data.getBestRowIdentifier(null, "erp", "t", 0, true), "COLUMN_NAME"), List.of());
        same(names(data.getProcedures(null, "erp", "%"), "PROCEDURE_NAME"), List.of());
        same(names(data.getFunctions(null, "erp", "%"), "FUNCTION_NAME"), List.of());
        data.getTablePrivileges(null, "erp", "t").close();
        checked("finds no keys, no indexes and no functions, " + mode);
        has(names(data.getTypeInfo(), "TYPE_NAME"), "int4", "text", "numeric", "timestamptz");
        same(data.getMaxColumnNameLength() > 0, true);
        same(data.getSQLKeywords().length() > 0, true);
        checked("lists types and keywords, " + mode);
    }

    /** From the fifth time on the statement is the server's, and rows are binary. */
    private static void prepares(Connection connection) throws SQLException {
        String sql = "SELECT id, name, ok, amount, 1.50::numeric(9,2) AS price, DATE '2026-03-29' AS day"
            + " FROM erp.t WHERE id > ? AND name LIKE ? ORDER BY id";
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            same(statement.getParameterMetaData().getParameterCount(), 2);
            same(statement.getMetaData().getColumnCount(), 6);
            for (int time = 0; time < 12; time++) {
                statement.setInt(1, 98);
                statement.setString(2, "n%");
                try (ResultSet rows = statement.executeQuery()) {
                    same(rows.next(), true);
                    same(rows.getInt("id"), 99);
                    same(rows.getString("name"), "n99");
                    same(rows.getBoolean("ok"), false);
                    same(rows.getDouble("amount"), 49.5);
                    same(rows.getBigDecimal("price"), new BigDecimal("1.50"));
                    same(rows.getObject("day", LocalDate.class), LocalDate.of(2026, 3, 29));
                    same(rows.next() && !rows.next(), true);
                }
            }
            statement.setMaxRows(1);
            same(rows(statement.executeQuery()).size(), 1);
        }
        checked("prepares a statement and asks it twelve times");
    }

    private static void binds(Connection connection) throws SQLException {
        String sql = "SELECT ?::text, ?::bigint, ?::numeric(9,2), ?::date, ?::timestamp, ?::timestamptz,"
            + " ?::float8, ?::boolean, ?::smallint, ?::int";
        OffsetDateTime instant = OffsetDateTime.parse("2026-03-29T02:30:00.5+02:00");
        for (int time = 0; time < 7; time++) {
            try (PreparedStatement statement = connection.prepareStatement(sql)) {
                statement.setString(1, NAME);
                statement.setLong(2, 1L << 40);
                statement.setBigDecimal(3, new BigDecimal("-1.50"));
                statement.setDate(4, Date.valueOf("2026-03-29"));
                statement.setTimestamp(5, Timestamp.valueOf("2026-03-29 02:30:00.123456"));
                statement.setObject(6, instant);
                statement.setDouble(7, 0.1);
                statement.setBoolean(8, true);
                statement.setShort(9, (short) -7);
                statement.setNull(10, Types.INTEGER);
                try (ResultSet row = statement.executeQuery()) {
                    same(row.next(), true);
                    same(row.getString(1), NAME);
                    same(row.getLong(2), 1L << 40);
                    same(row.getBigDecimal(3), new BigDecimal("-1.50"));
                    same(row.getDate(4), Date.valueOf("2026-03-29"));
                    same(row.getTimestamp(5), Timestamp.valueOf("2026-03-29 02:30:00.123456"));
                    same(row.getObject(6, OffsetDateTime.class).toInstant(), instant.toInstant());
                    same(row.getDouble(7), 0.1);
                    same(row.getBoolean(8), true);
                    same(row.getShort(9), (short) -7);
                    same(row.getObject(10), null);
                }
            }
        }
        try (PreparedStatement statement =
                connection.prepareStatement("SELECT id FROM erp.t WHERE id = ANY(?) ORDER BY id")) {
            for (int time = 0; time < 7; time++) {
                statement.setArray(1, connection.createArrayOf("int4", new Integer[] {3, 1, 1000}));
                same(rows(statement.executeQuery()), List.of("1", "3"));
            }
        }
        checked("binds values as text and in binary");
    }

    private static void fetches(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            statement.setFetchSize(30);
            same(rows(statement.executeQuery("SELECT id FROM erp.t ORDER BY id")).size(), 100);
            // Two at once, one of them left before its end.
            ResultSet some = statement.executeQuery("SELECT * FROM generate_series(1, 1000)");
            same(some.next(), true);
            try (Statement other = connection.createStatement()) {
                other.setFetchSize(10);
                same(rows(other.executeQuery("SELECT id FROM erp.t ORDER BY id")).size(), 100);
            }
            same(some.next(), true);
            some.close();
        }
        connection.commit();
        connection.setAutoCommit(true);
        checked("fetches rows in portions");
    }

    private static void recovers(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            statement.executeQuery("SELECT nonsense FROM erp.t");
            throw new AssertionError("nonsense was answered");
        } catch (SQLException error) {
            same(error.getSQLState(), "42703");
        }
        connection.rollback();
        try (Statement statement = connection.createStatement()) {
            statement.executeUpdate("DELETE FROM erp.t");
            throw new AssertionError("rows were deleted");
        } catch (SQLException error) {
            connection.rollback();
        }
        same(list(connection, "SELECT count(*) FROM erp.t"), List.of("100"));
        connection.commit();
        checked("is refused, and goes on");
    }

    private static List<String> list(Connection connection, String sql) throws SQLException {
        try (Statement statement = connection.createStatement()) {
            return rows(statement.executeQuery(sql));
        }
    }

    private static List<String> rows(ResultSet rows) throws SQLException {
        List<String> found = new ArrayList<>();
        int columns = rows.getMetaData().getColumnCount();
        while (rows.next()) {
            List<String> cells = new ArrayList<>();
            for (int column = 1; column <= columns; column++) {
                cells.add(rows.getString(column));
            }
            found.add(String.join(" ", cells));
        }
        rows.close();
        return found;
    }

    private static List<String> names(ResultSet rows, String column) throws SQLException {
        List<String> found = new ArrayList<>();
        while (rows.next()) {
            found.add(rows.getString(column));
        }
        rows.close();
        return found;
    }

    private static void has(List<String> found, String... expected) {
        if (!found.containsAll(List.of(expected))) {
            throw new AssertionError(found + " does not have all of " + List.of(expected));
        }
    }

    private static void same(Object found, Object expected) {
        if (!Objects.equals(found, expected)) {
            throw new AssertionError(found + " is not " + expected);
        }
    }

    private static void checked(String what) {
        System.out.println("checked: jdbc " + what);
    }
}
