"""Startup messages: parameters, options, protocol versions, what is refused."""

from dsl import *

script = area(__name__)
ENCODING = "show client_encoding"


def packet(version: int, body: bytes, length: int | None = None) -> Bytes:
    told = len(body) + 8 if length is None else length
    return Bytes(struct.pack("!II", told & 0xFFFFFFFF, version) + body)


script("the greeting", login())
script("the greeting of a superuser", login(user="boss"), "select current_user, session_user", "show is_superuser")
script("application_name", login(application_name="till 4"), "show application_name")
script("client_encoding", login(client_encoding="LATIN1"), ENCODING, "select 'x'")
script("client_encoding that is unknown", login(client_encoding="NOPE"))
script("settings by their names",
       login(datestyle="German", timezone="Asia/Tokyo", extra_float_digits="3"), "select date '2026-02-01'",
       "show timezone", "show extra_float_digits")
script("a setting that is unknown", login(wrok_mem="5MB"))
script("a setting with a bad value", login(work_mem="many"))
script("a setting that only a superuser may give", login(log_min_messages="error"))
script("a setting that needs a server start", login(shared_buffers="1GB"))
script("a parameter of one's own", login(shop__tenant="42"), "show shop.tenant")
script("options: -c",
       login(options="-c work_mem=5MB -c search_path=pg_catalog,public"), "show work_mem", "show search_path")
script("options: --name=value", login(options="--work-mem=5MB --shop.tenant=42"), "show work_mem", "show shop.tenant")
script("options: escaped spaces", login(options="-c application_name=a\\ b\\\\c"), "show application_name")
script("options: several spaces, and -c without one",
       login(options="  -cwork_mem=5MB   -c   timezone=Asia/Tokyo  "), "show work_mem", "show timezone")
script("options: what no client may give", login(options="-c shared_buffers=1GB"))
script("options: nonsense", login(options="--no-such-thing"))
script("options: a bad switch", login(options="-Z"))
script("options: without a value", login(options="-c work_mem"))
script("options: other switches", login(options="-S 5120 -fs"), "show work_mem", "show enable_seqscan")
script("options: switches that a client may not give", login(options="-B 10"))
script("options: a switch of a superuser", login(options="-s"))
script("options: several switches in one word", login(options="-feS5120"), login(options="-efm"), "show datestyle")
script("options: a bad switch behind others", login(options="-e -fs -Zx"))
script("options: a switch with a bad argument", login(options="-f x"))
script("options: a switch without its argument", login(options="-e -c"))
script("options: words that are no switches", login(options="-e work_mem=5MB other"))
script("options: what ends the switches", login(options="-e --"), "show datestyle")
script("options: a bad name of one's own", login(options="-c shop.=1"))
script("options: no name at all", login(options="-c =1"))
script("options: a bad switch and a wrong password", login(options="-Z", password="wrong"))
script("options come before other parameters, wherever they stand",
       login(work_mem="6MB", options="-c work_mem=5MB"), "show work_mem")
script("options: statement_timeout",
       login(options="-c statement_timeout=50ms"), "select pg_sleep(5)", "show statement_timeout",
       "set statement_timeout = 0", "select 1")
script("options and a parameter of one name", login(options="-c work_mem=5MB", work_mem="6MB"), "show work_mem")
script("startup settings hold on reads and writes",
       login(datestyle="German"), "select date '2026-02-01'", "insert into note values (date '2026-02-01')",
       "table note")
script("startup role", login(options="-c role=clerk"), "select current_user, session_user")
script("startup default_transaction_read_only",
       login(options="-c default_transaction_read_only=on"), "insert into note values (1)",
       "show transaction_read_only")
script("a database that is not there", login(database="nowhere"))
script("a user that is not there", login(user="nobody", password="x"))
script("a wrong password", login(password="wrong"))
script("an empty password", login(password=""))
script("a database named like the user, by default", Open(), packet(196608, b"user\0app\0\0"), Await("R"))
script("no user", Open(), packet(196608, b"database\0conformance\0\0"), Closes())
script("an empty user", Open(), packet(196608, b"user\0\0database\0conformance\0\0"), Closes())
script("replication=false is no replication", login(replication="false"), "select 1")
script("replication with a bad value", login(replication="perhaps"))
script("protocol 3.2", login(version=(3, 2)), "select 1")
script("protocol 3.9", login(version=(3, 9)), "select 1")
script("protocol 3.1", login(version=(3, 1)), "select 1")
script("protocol 4.0", login(version=(4, 0)))
script("protocol 2.0", login(version=(2, 0)))
script("protocol 1.0", login(version=(1, 0)))
script("an unknown option of the protocol", login(_pq___nothing="x"), "select 1")
script("several unknown options of the protocol",
       Open(), packet(196608, b"user\0app\0_pq_.a\0one\0database\0conformance\0_pq_.b\0two\0\0"), Await("v"))
script("an unknown option with version 3.9", login(version=(3, 9), _pq___nothing="x"), "select 1")
script("a startup packet without its last zero",
       Open(), packet(196608, b"user\0app\0database\0conformance\0"), Closes())
script("a startup packet with half a parameter", Open(), packet(196608, b"user\0app\0database\0"), Closes())
script("a startup packet that is too short", Open(), Bytes(struct.pack("!I", 4)), Closes())
script("a startup packet that is too long", Open(), Bytes(struct.pack("!II", 20000, 196608)), Closes())
script("a startup packet of negative length", Open(), Bytes(struct.pack("!iI", -5, 196608)), Closes())
script("an HTTP request", Open(), Bytes(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"), Closes())
script("encryption is refused, and then done without",
       Open(), Bytes(struct.pack("!II", 8, 80877103), reply=1),
       packet(196608, b"user\0app\0database\0conformance\0\0"), Await("R"))
script("TLS is asked for twice",
       Open(), Bytes(struct.pack("!II", 8, 80877103), reply=1), Bytes(struct.pack("!II", 8, 80877103)), Closes())
script("a cancel request for nobody", Open(), Bytes(struct.pack("!IIII", 16, 80877102, 999999, 1)), Closes())
script("a cancel request that is too short", Open(), Bytes(struct.pack("!III", 12, 80877102, 1)), Closes())
script("a query before the password",
       Open(), packet(196608, b"user\0app\0database\0conformance\0\0"), Await("R"), Query("select 1"), Closes())
script("an unknown SASL mechanism",
       Open(), packet(196608, b"user\0app\0database\0conformance\0\0"), Await("R"),
       Send(Raw("p", b"NO-SUCH\0" + struct.pack("!i", -1))), Closes())
script("SASL data that is none",
       Open(), packet(196608, b"user\0app\0database\0conformance\0\0"), Await("R"),
       Send(Raw("p", b"SCRAM-SHA-256\0" + struct.pack("!i", 4) + b"junk")), Closes())
script("a SASL response without a body",
       Open(), packet(196608, b"user\0app\0database\0conformance\0\0"), Await("R"), Send(Raw("p")), Closes())
script("channel binding without TLS",
       Open(), packet(196608, b"user\0app\0database\0conformance\0\0"), Await("R"),
       Send(Raw("p", b"SCRAM-SHA-256\0" + struct.pack("!i", 26) + b"y,,n=,r=rOprNGfwEbeRWgbNEkqO"[:26])), Await("R"))
script("a login that hangs up",
       Open(), packet(196608, b"user\0app\0database\0conformance\0\0"), Await("R"), HangUp(), login(), "select 1")
script("a second login of the same client",
       login(application_name="one"), "show application_name", login(application_name="two"), "show application_name")
script("a name of a database that is too long", login(database="d" * 70))
script("a value of 9,000 bytes", login(shop__long="x" * 9000), "select length(current_setting('shop.long'))")
script("the server's version and encoding",
       "show server_version", "show server_encoding", "select version() ~ 'PostgreSQL 15'", "show in_hot_standby",
       "show transaction_read_only")
script("search_path at startup",
       login(search_path="pg_catalog, public"), "show search_path", "set search_path = public", "reset search_path",
       "show search_path")
script("logical replication connection", login(user="boss", replication="database"), "select 1", "SHOW work_mem")
script("physical replication connection", login(user="boss", replication="true"), "SHOW work_mem")
script("replication without the right to", login(replication="database"))
