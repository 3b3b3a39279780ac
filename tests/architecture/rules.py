"""The include table and the other house rules, as data. check_includes.py reads them; every exception has a reason."""

# Who may include whom among our own rooms. A room may always include itself.
OWN_ROOMS = {
    "protocol": set(),
    "routing": set(),
    "pools": {"protocol", "routing"},
    "config": set(),  # only the settings headers below
    "proxy": {"protocol", "routing", "pools", "config"},
    "tests": {"protocol", "routing", "pools", "config", "proxy", "bench"},
    "bench": {"protocol", "routing", "pools", "config", "proxy", "tests"},
}

# config fills the rooms' plain settings structs, and may see nothing else of them.
OWN_HEADERS = {
    "config": {
        "routing/routing_policy.hpp",
        "routing/consistency.hpp",
        "pools/alert_settings.hpp",
        "pools/pool_settings.hpp",
        "pools/tls_settings.hpp",
    },
}

# Third parties: how their headers begin -> the files that may include them (shell patterns from the root; * also
# matches a slash). tests and bench may include everything. A header of none of these, that is neither standard C++
# nor POSIX, is an error: a new dependency is entered here.
THIRD_PARTY = {
    "absl": (("absl/",), ("protocol/*", "routing/*", "pools/*", "config/*", "proxy/*")),
    "boost": (("boost/",), ("pools/*", "proxy/*")),
    "openssl": (("openssl/",), ("protocol/scram.cpp", "protocol/md5.cpp", "pools/*.cpp")),
    "libidn": (("stringprep.h",), ("protocol/saslprep.cpp",)),
    "intrinsics of x86": (("emmintrin.h",), ("routing/sql_bytes.hpp",)),
    "libpq": (("libpq-fe.h", "postgresql/", "libpq/"), ("pools/libpq_connection.cpp",)),
    "hiredis": (("hiredis/",), ("proxy/redis_connection.cpp",)),
    "toml++": (("toml++/", "toml.hpp"), ("config/toml_reader.cpp",)),
    "prometheus-cpp": (("prometheus/",), ("proxy/metrics*.cpp",)),
    "spdlog, fmt": (("spdlog/", "fmt/"), ("proxy/*",)),
}

# Rooms whose every module is pure: no I/O, clock, randomness, lock or thread. (P) in the other rooms: this list.
PURE_ROOMS = {"protocol", "routing"}
PURE_MODULES: set[str] = {
    "pools/alert_notices",
    "pools/alert_settings",
    "pools/authority_source",
    "pools/discovery_settings",
    "pools/events",
    "pools/history_question",
    "pools/membership",
    "pools/pool_settings",
    "pools/position_log",
    "pools/position_pacing",
    "pools/prepared_statements",
    "pools/replication_events",
    "pools/replication_facts",
    "pools/replication_health",
    "pools/replication_judge",
    "pools/replication_topology",
    "pools/session_settings",
    "pools/synchronous_names",
    "pools/tls_settings",
    "config/accept",
    "config/address_range",
    "config/assemble",
    "config/auth_rules",
    "config/config",
    "config/discovery_rules",
    "config/document",
    "config/ip_address",
    "config/marks_rules",
    "config/nearest",
    "config/settings_list",
    "config/node_address",
    "config/problem",
    "config/reload_plan",
    "config/routing_rules",
    "config/schema",
    "config/secret",
    "config/suggest",
    "config/text",
    "config/tls_rules",
    "config/units",
    "config/validate",
    "proxy/client_statements",
    "proxy/error_mapping",
    "proxy/host_rules",
    "proxy/own_limits",
    "proxy/secret_cache",
    "proxy/session_limits",
    "proxy/shared_marks",
    "proxy/shared_user",
    "proxy/sql_words",
    "proxy/statement_cache",
    "proxy/tide_mark",
    "proxy/tidemark_command",
    "proxy/user_map",
    "proxy/user_marks",
    "tests/consistency/duration_histogram",
    "tests/consistency/event_order",
    "tests/consistency/guarantee",
    "tests/consistency/history",
    "tests/consistency/history_checker",
    "tests/consistency/key_ledger",
    "tests/consistency/linearizability",
    "tests/consistency/session_guarantees",
    "tests/consistency/staleness",
    "tests/consistency/violation",
    "tests/consistency/window_sample",
    "tests/consistency/wing_gong",
}

# What a pure module must not include ...
IMPURE_HEADERS = {
    "thread", "mutex", "shared_mutex", "condition_variable", "future", "semaphore", "latch", "barrier", "stop_token",
    "fstream", "iostream", "random", "cstdio", "ctime", "csignal",
}
# ... nor say: a clock read, a source of randomness, the environment.
IMPURE_CALLS = (
    r"::now\s*\(",
    r"\b(?:clock_gettime|gettimeofday|getenv|getrandom|arc4random|RAND_bytes|RAND_priv_bytes)\s*\(",
    r"\bstd::(?:time|clock|rand|srand)\s*\(",
    r"\bstd::(?:random_device|mutex|shared_mutex|thread|jthread)\b",
    r"\bthread_local\b",
)
# Modules in a pure room that are not pure, and why.
NOT_PURE: dict[str, str] = {}

# POSIX and Linux headers: only where I/O is done.
SYSTEM_HEADER_ROOMS = {"pools", "proxy", "tests", "bench"}

# Headers of the C++ standard library have neither slash nor dot. Headers of our own are quoted, from the root.

TOP_LEVEL_FOLDERS = {"proxy", "protocol", "routing", "pools", "config", "tests", "bench"}
TOP_LEVEL_FILES = {
    "CMakeLists.txt", "CMakePresets.json", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md",
}
ROOMS_WITH_BUILD = ("protocol", "routing", "pools", "config", "proxy", "tests", "bench")

LINE_LIMIT = 500
LINE_LIMIT_SUFFIXES = {".cpp", ".hpp", ".py", ".sh", ".js", ".txt", ".cmake", ""}
# Data, not code: a line in them is a case, not a job.
LINE_LIMIT_NOT_CODE = ("LICENSE", "tests/data/*", "tests/fuzz/corpus/*")
# Longer than LINE_LIMIT, and why that is right. An entry that is no longer needed is an error.
LONG_FILES: dict[str, str] = {
    "tests/unit/protocol/pipeline_test.cpp": "one table: every backend message against every expected entry",
}
