import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.io.StringReader;
import java.io.StringWriter;
import java.math.BigDecimal;
import java.sql.Array;
import java.sql.BatchUpdateException;
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Properties;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.postgresql.PGConnection;
import org.postgresql.PGNotification;
import org.postgresql.copy.CopyManager;
import org.postgresql.largeobject.LargeObject;
import org.postgresql.largeobject.LargeObjectManager;
import org.postgresql.util.PSQLException;

/** The JDBC driver as an application would use it. See ../programs.py for how this is called. */
public final class Client {
  private interface Part {
    void run(Connection c, String table) throws Exception;
  }

  private interface Action {
    void run() throws Exception;
  }

  private static final Map<String, Part> PARTS = new LinkedHashMap<>();

  static {
    PARTS.put("connect", (c, table) -> {
      same(value(c, "select current_user"), System.getenv("PGUSER"), "current_user");
      same(value(c, "select current_database()"), System.getenv("PGDATABASE"), "current_database()");
      same(c.isValid(5), true, "isValid");
    });
    PARTS.put("wrong_password", (c, table) -> fails("28P01", () -> connect("password", "wrong").close()));
    PARTS.put("prepared", Client::prepared);
    PARTS.put("simple_protocol", (c, table) -> {
      try (Connection simple = connect("preferQueryMode", "simple")) {
        for (int i = 0; i < 10; i++) same(value(simple, "select ?::int * 2", i), 2 * i, "twice");
        same(value(simple, "select ?::text", "a'b\\c"), "a'b\\c", "quoting");
      }
    });
    PARTS.put("transactions", Client::transactions);
    PARTS.put("read_only", (c, table) -> {
      execute(c, "create table " + table + " (v int)");
      c.setAutoCommit(false);
      c.setReadOnly(true);
      same(value(c, "select count(*) from " + table), 0L, "count");
      fails("25006", () -> execute(c, "insert into " + table + " values (1)"));
      c.rollback();
      c.setReadOnly(false);
      execute(c, "insert into " + table + " values (1)");
      c.commit();
      try (Connection always = connect("readOnlyMode", "always")) {
        always.setReadOnly(true);
        same(value(always, "show default_transaction_read_only"), "on", "the session's default");
        fails("25006", () -> execute(always, "insert into " + table + " values (2)"));
        always.setReadOnly(false);
        execute(always, "insert into " + table + " values (2)");
      }
    });
    PARTS.put("copy", Client::copy);
    PARTS.put("cancel", (c, table) -> {
      try (Statement statement = c.createStatement()) {
        statement.setQueryTimeout(1);
        fails("57014", () -> statement.executeQuery("select pg_sleep(40)").close());
        ExecutorService aside = Executors.newSingleThreadExecutor();
        statement.setQueryTimeout(0);
        Future<?> sleeping = aside.submit(() -> {
          fails("57014", () -> statement.executeQuery("select pg_sleep(40)").close());
          return null;
        });
        while (!sleeping.isDone()) {
          Thread.sleep(100);
          statement.cancel();
        }
        sleeping.get();
        aside.shutdown();
      }
      same(value(c, "select 1"), 1, "afterwards");
    });
    PARTS.put("listen", (c, table) -> {
      try (Connection other = connect()) {
        execute(c, "listen " + table);
        for (int i = 0; i < 3; i++) {
          execute(other, "notify " + table + ", 'number " + i + "'");
          PGNotification[] heard = c.unwrap(PGConnection.class).getNotifications(10_000);
          same(heard == null ? 0 : heard.length, 1, "notifications");
          same(heard[0].getName() + " " + heard[0].getParameter(), table + " number " + i, "notification");
        }
        execute(c, "unlisten *");
      }
    });
    PARTS.put("batch", Client::batch);
    PARTS.put("binary", (c, table) -> {
      try (Connection binary = connect("prepareThreshold", "-1")) {
        for (int i = 0; i < 8; i++) {
          same(value(binary, "select ?::int8", 1L << 40), 1L << 40, "int8");
          same(value(binary, "select ?::float8", 0.1), 0.1, "float8");
          same(Arrays.equals((byte[]) value(binary, "select ?::bytea", new byte[] {0, -1}), new byte[] {0, -1}), true, "bytea");
        }
      }
    });
    PARTS.put("arrays", (c, table) -> {
      Array numbers = c.createArrayOf("int4", new Integer[] {1, 2, null});
      Array texts = c.createArrayOf("text", new String[] {"a", "b \"c\"", "{}"});
      for (int i = 0; i < 8; i++) {
        same(Arrays.asList((Object[]) ((Array) value(c, "select ?::int[]", numbers)).getArray()), Arrays.asList(1, 2, null), "int[]");
        same(Arrays.asList((Object[]) ((Array) value(c, "select ?::text[]", texts)).getArray()),
            List.of("a", "b \"c\"", "{}"), "text[]");
        same(value(c, "select count(*) from generate_series(1, 10) i where i = any(?)", numbers), 2L, "= any");
      }
    });
    PARTS.put("types", (c, table) -> {
      OffsetDateTime when = OffsetDateTime.of(2024, 2, 29, 12, 34, 56, 789_012_000, ZoneOffset.UTC);
      UUID uuid = UUID.fromString("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11");
      for (int i = 0; i < 8; i++) {
        try (PreparedStatement statement = c.prepareStatement("select ?::timestamptz, ?::numeric, ?::uuid, ?::text, ?::jsonb")) {
          set(statement, when, new BigDecimal("12345678901234567890.123456789"), uuid, null, "{\"a\": [1, null, \"ü\"]}");
          try (ResultSet row = statement.executeQuery()) {
            row.next();
            same(row.getObject(1, OffsetDateTime.class).toInstant(), when.toInstant(), "timestamptz");
            same(row.getBigDecimal(2), new BigDecimal("12345678901234567890.123456789"), "numeric");
            same(row.getObject(3), uuid, "uuid");
            same(row.getString(4), null, "NULL");
            same(row.getString(5), "{\"a\": [1, null, \"ü\"]}", "jsonb");
          }
        }
        same(value(c, "select ?::text", "ü 漢 😀"), "ü 漢 😀", "text");
      }
      same(c.getMetaData().getColumns(null, "pg_catalog", "pg_class", "relname").next(), true, "metadata");
    });
    PARTS.put("large", (c, table) -> {
      String text = "0123456789".repeat(1_000_000);
      same(text.equals(value(c, "select ?::text", text)), true, "10 MB there and back");
      execute(c, "create table " + table + " (v bytea)");
      execute(c, "insert into " + table + " values (?)", text.getBytes("UTF-8"));
      same(Arrays.equals((byte[]) value(c, "select v from " + table), text.getBytes("UTF-8")), true, "bytea");
    });
    PARTS.put("errors", (c, table) -> {
      fails("22012", () -> value(c, "select 1/?", 0));
      fails("42601", () -> execute(c, "no such statement"));
      fails("42P01", () -> value(c, "select * from " + table));
      execute(c, "create table " + table + " (v int constraint " + table + "_key unique)");
      execute(c, "insert into " + table + " values (1)");
      for (int i = 0; i < 8; i++) {
        PSQLException error = fails("23505", () -> execute(c, "insert into " + table + " values (?)", 1));
        same(error.getServerErrorMessage().getConstraint(), table + "_key", "constraint");
      }
      same(value(c, "select 1"), 1, "afterwards");
    });
    PARTS.put("errors_in_transaction", (c, table) -> {
      execute(c, "create table " + table + " (v int)");
      c.setAutoCommit(false);
      execute(c, "insert into " + table + " values (?)", 1);
      fails("22012", () -> value(c, "select 1/?", 0));
      fails("25P02", () -> value(c, "select 1"));
      c.commit();  // that the answer is ROLLBACK is not told here
      c.setAutoCommit(true);
      same(value(c, "select count(*) from " + table), 0L, "count");
      // The driver sets a savepoint before each statement, and goes back to it by itself.
      try (Connection healing = connect("autosave", "always")) {
        healing.setAutoCommit(false);
        execute(healing, "insert into " + table + " values (?)", 1);
        fails("22012", () -> value(healing, "select 1/?", 0));
        execute(healing, "insert into " + table + " values (?)", 2);
        healing.commit();
        same(value(healing, "select count(*) from " + table), 2L, "count");
      }
    });
    PARTS.put("settings", (c, table) -> {
      try (Connection other = connect("ApplicationName", "other", "options", "-c work_mem=11MB", "currentSchema", "pg_catalog")) {
        execute(c, "set work_mem to '7MB'");
        c.setSchema("information_schema");
        for (int i = 0; i < 20; i++) {
          same(value(c, "show work_mem"), "7MB", "work_mem of the first");
          same(c.getSchema(), "information_schema", "schema of the first");
          same(value(other, "show work_mem"), "11MB", "work_mem of the second");
          same(value(other, "select current_setting('application_name')"), "other", "application_name of the second");
          same(other.getSchema(), "pg_catalog", "schema of the second");
        }
        other.setClientInfo("ApplicationName", "renamed");
        same(value(other, "show application_name"), "renamed", "application_name");
        execute(c, "reset work_mem");
        same(value(c, "show work_mem"), "4MB", "after RESET");
      }
    });
    // A fetch size in a transaction makes portals that are executed in pieces.
    PARTS.put("cursor", (c, table) -> {
      c.setAutoCommit(false);
      try (PreparedStatement statement = c.prepareStatement("select generate_series(1, ?)")) {
        statement.setFetchSize(100);
        for (int round = 0; round < 8; round++) {
          set(statement, 1050);
          try (ResultSet rows = statement.executeQuery()) {
            int count = 0;
            while (rows.next()) same(rows.getInt(1), ++count, "row");
            same(count, 1050, "rows");
          }
        }
      }
      c.commit();
    });
    PARTS.put("large_object", (c, table) -> {
      c.setAutoCommit(false);
      LargeObjectManager objects = c.unwrap(PGConnection.class).getLargeObjectAPI();
      long id = objects.createLO();
      byte[] data = "large".repeat(100_000).getBytes("UTF-8");
      try (LargeObject object = objects.open(id, LargeObjectManager.READWRITE)) {
        object.write(data);
        object.seek(0);
        same(Arrays.equals(object.read(data.length), data), true, "what was read");
      }
      objects.delete(id);
      c.commit();
    });
    PARTS.put("pool", (c, table) -> pool(table));
  }

  private static void prepared(Connection c, String table) throws Exception {
    try (PreparedStatement twice = c.prepareStatement("select ?::int * 2")) {
      for (int i = 0; i < 30; i++) {
        set(twice, i);
        try (ResultSet row = twice.executeQuery()) {
          row.next();
          same(row.getInt(1), 2 * i, "past the threshold of 5");
        }
      }
      same(twice.unwrap(org.postgresql.PGStatement.class).isUseServerPrepare(), true, "prepared on the server");
    }
    try (Connection small = connect("preparedStatementCacheQueries", "3", "prepareThreshold", "1")) {
      for (int i = 0; i < 40; i++) same(value(small, "select " + i % 8 + " + ?::int", i), i % 8 + i, "more than are kept");
    }
    execute(c, "create table " + table + " (a int)");
    execute(c, "insert into " + table + " values (1)");
    for (int i = 0; i < 10; i++) same(value(c, "select * from " + table), 1, "before");
    execute(c, "alter table " + table + " alter a type text using 'x' || a");
    // The driver prepares anew by itself when it is told that the result type has changed.
    for (int i = 0; i < 10; i++) same(value(c, "select * from " + table), "x1", "after ALTER TABLE");
  }

  private static void transactions(Connection c, String table) throws Exception {
    execute(c, "create table " + table + " (v int)");
    c.setAutoCommit(false);
    execute(c, "insert into " + table + " values (?)", 1);
    var point = c.setSavepoint();
    execute(c, "insert into " + table + " values (?)", 2);
    c.rollback(point);
    c.commit();
    c.setTransactionIsolation(Connection.TRANSACTION_SERIALIZABLE);
    same(value(c, "show transaction_isolation"), "serializable", "isolation");
    execute(c, "delete from " + table);
    c.rollback();
    c.setAutoCommit(true);
    same(value(c, "select sum(v) from " + table), 1L, "rows");
  }

  private static void copy(Connection c, String table) throws Exception {
    execute(c, "create table " + table + " (a int, b text)");
    StringBuilder rows = new StringBuilder();
    for (int i = 0; i < 20_000; i++) rows.append(i).append("\ttext ").append(i).append('\n');
    CopyManager copies = c.unwrap(PGConnection.class).getCopyAPI();
    same(copies.copyIn("copy " + table + " from stdin", new StringReader(rows.toString())), 20_000L, "rows copied");
    StringWriter out = new StringWriter();
    copies.copyOut("copy (select * from " + table + " order by a) to stdout", out);
    same(out.toString().equals(rows.toString()), true, "what came out");
    fails("22P02", () -> copies.copyIn("copy " + table + " from stdin", new StringReader("no number\tx\n")));
    copies.copyIn("copy " + table + " from stdin").cancelCopy();
    same(value(c, "select count(*) from " + table), 20_000L, "count");
  }

  private static void batch(Connection c, String table) throws Exception {
    execute(c, "create table " + table + " (v int primary key)");
    for (Connection one : List.of(c, connect("reWriteBatchedInserts", "true"))) {
      try (PreparedStatement insert = one.prepareStatement("insert into " + table + " values (?)")) {
        for (int i = 0; i < 1000; i++) {
          set(insert, one == c ? i : 1000 + i);
          insert.addBatch();
        }
        same(insert.executeBatch().length, 1000, "updates");
      }
    }
    c.setAutoCommit(false);
    try (PreparedStatement insert = c.prepareStatement("insert into " + table + " values (?)")) {
      for (int key : new int[] {5000, 1, 5001}) {
        set(insert, key);
        insert.addBatch();
      }
      BatchUpdateException error = null;
      try {
        insert.executeBatch();
      } catch (BatchUpdateException caught) {
        error = caught;
      }
      same(error == null ? "none" : error.getSQLState(), "23505", "twice the same key");
    }
    c.rollback();
    c.setAutoCommit(true);
    same(value(c, "select count(*) from " + table), 2000L, "count");
    try (PreparedStatement insert = c.prepareStatement("insert into " + table + " values (?)", Statement.RETURN_GENERATED_KEYS)) {
      for (int i = 0; i < 10; i++) {
        set(insert, 6000 + i);
        insert.addBatch();
      }
      insert.executeBatch();
      try (ResultSet keys = insert.getGeneratedKeys()) {
        for (int i = 0; i < 10; i++) {
          keys.next();
          same(keys.getInt(1), 6000 + i, "key");
        }
      }
    }
  }

  private static void pool(String table) throws Exception {
    HikariConfig config = new HikariConfig();
    config.setJdbcUrl(url());
    config.setDataSourceProperties(properties());
    config.setMaximumPoolSize(12);
    try (HikariDataSource source = new HikariDataSource(config)) {
      try (Connection c = source.getConnection()) {
        execute(c, "create table " + table + " (worker int, v int)");
      }
      List<Callable<Void>> workers = new ArrayList<>();
      for (int number = 0; number < 12; number++) {
        final int worker = number;
        workers.add(() -> {
          for (int i = 0; i < 20; i++) {
            try (Connection c = source.getConnection()) {
              c.setAutoCommit(false);
              execute(c, "insert into " + table + " values (?, ?)", worker, i);
              if (i % 4 == 3) c.rollback();
              else c.commit();
            }
            try (Connection c = source.getConnection()) {
              same(value(c, "select ?::int * 1000 + ?::int", worker, i), worker * 1000 + i, "own answer");
            }
          }
          return null;
        });
      }
      ExecutorService threads = Executors.newFixedThreadPool(12);
      for (Future<Void> done : threads.invokeAll(workers)) done.get();
      threads.shutdown();
      try (Connection c = source.getConnection()) {
        c.setAutoCommit(false);  // a transaction, and thus on the primary, which has what the others have written
        same(value(c, "select count(*) from " + table), 12L * 15, "rows");
      }
    }
  }

  private static void check(boolean condition, String text) {
    if (!condition) throw new IllegalStateException(text);
  }

  private static void same(Object got, Object wanted, String what) {
    check(Objects.equals(got, wanted), what + ": got " + got + ", wanted " + wanted);
  }

  private static PSQLException fails(String sqlstate, Action action) throws Exception {
    try {
      action.run();
    } catch (PSQLException error) {
      same(error.getSQLState(), sqlstate, error.getMessage());
      return error;
    }
    throw new IllegalStateException("no error " + sqlstate);
  }

  private static String url() {
    return "jdbc:postgresql://" + System.getenv("PGHOST") + ":" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE");
  }

  private static Properties properties(String... changes) {
    Properties found = new Properties();
    String[][] names = {{"user", "PGUSER"}, {"password", "PGPASSWORD"}, {"sslmode", "PGSSLMODE"},
        {"sslrootcert", "PGSSLROOTCERT"}, {"sslcert", "PGSSLCERT"}, {"sslkey", "PGSSLKEY_DER"}};
    for (String[] name : names) {
      if (System.getenv(name[1]) != null) found.setProperty(name[0], System.getenv(name[1]));
    }
    for (int i = 0; i < changes.length; i += 2) found.setProperty(changes[i], changes[i + 1]);
    return found;
  }

  private static Connection connect(String... changes) throws SQLException {
    return DriverManager.getConnection(url(), properties(changes));
  }

  private static void set(PreparedStatement statement, Object... values) throws SQLException {
    for (int i = 0; i < values.length; i++) statement.setObject(i + 1, values[i]);
  }

  private static void execute(Connection c, String text, Object... values) throws SQLException {
    try (PreparedStatement statement = c.prepareStatement(text)) {
      set(statement, values);
      statement.execute();
    }
  }

  /** The first column of the first row, or null without rows. */
  private static Object value(Connection c, String text, Object... values) throws SQLException {
    try (PreparedStatement statement = c.prepareStatement(text)) {
      set(statement, values);
      try (ResultSet rows = statement.executeQuery()) {
        return rows.next() ? rows.getObject(1) : null;
      }
    }
  }

  public static void main(String[] arguments) {
    if (arguments[0].equals("--list")) {
      PARTS.keySet().forEach(System.out::println);
      return;
    }
    try {
      Connection c = arguments[0].equals("wrong_password") ? null : connect();
      PARTS.get(arguments[0]).run(c, arguments[1]);
      System.exit(0);
    } catch (Exception error) {
      error.printStackTrace();
      System.exit(1);
    }
  }
}
