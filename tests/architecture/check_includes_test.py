#!/usr/bin/python3
"""The checker against trees with exactly one thing wrong: it must find that thing, and nothing in the tree that is
right."""

import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

import check_includes
import rules

RIGHT = {
    "CMakeLists.txt": "", "README.md": "", "LICENSE": "",
    **{f"{room}/{name}": "" for room in rules.ROOMS_WITH_BUILD for name in ("CMakeLists.txt", "README.md")},
    "protocol/frame.hpp": "#pragma once\n#include <span>\n",
    "protocol/frame.cpp": '#include "protocol/frame.hpp"\n\n#include <absl/container/flat_hash_map.h>\n',
    "protocol/scram.cpp": "#include <openssl/evp.h>\n",
    "routing/consistency.hpp": "#pragma once\n#include <cstdint>\n",
    "routing/routing_policy.hpp": '#pragma once\n#include <chrono>\n#include "routing/consistency.hpp"\n',
    "routing/decide.hpp": '#pragma once\n#include "routing/routing_policy.hpp"\n',
    "pools/pool_settings.hpp": "#pragma once\n#include <vector>\n",
    "pools/pool.hpp": '#pragma once\n#include <boost/asio/ip/tcp.hpp>\n#include "protocol/frame.hpp"\n',
    "pools/pool.cpp": '#include "pools/pool.hpp"\n#include <sys/epoll.h>\n#include <mutex>\n',
    "pools/libpq_connection.cpp": "#include <libpq-fe.h>\n",
    "config/config.hpp": '#pragma once\n#include "pools/pool_settings.hpp"\n#include "routing/routing_policy.hpp"\n',
    "config/toml_reader.cpp": '#include "config/config.hpp"\n#include <toml++/toml.h>\n',
    "proxy/metrics.cpp": '#include <prometheus/registry.h>\n#include <fmt/format.h>\n#include "pools/pool.hpp"\n',
    "tests/unit/protocol/frame_test.cpp": '#include <gtest/gtest.h>\n#include "protocol/frame.hpp"\n',
}
HEADER = "#pragma once\n"
# What the file is -> (its path, its text, a part of the message).
WRONG = {
    "protocol includes routing": ("protocol/a.hpp", HEADER + '#include "routing/decide.hpp"\n', "may not include"),
    "routing includes protocol": ("routing/a.cpp", '#include "protocol/frame.hpp"\n', "may not include"),
    "routing includes pools": ("routing/a.cpp", '#include "pools/pool.hpp"\n', "may not include"),
    "pools includes config": ("pools/a.cpp", '#include "config/config.hpp"\n', "may not include"),
    "pools includes proxy": ("pools/a.cpp", '#include "proxy/a.hpp"\n', "no such file"),
    "config includes more than settings": ("config/a.cpp", '#include "pools/pool.hpp"\n', "may not include"),
    "config includes decide": ("config/a.cpp", '#include "routing/decide.hpp"\n', "may not include"),
    "production includes tests": ("proxy/a.cpp", '#include "tests/unit/protocol/frame_test.cpp"\n', "may not include"),
    "an include with spaces": ("protocol/a.cpp", ' #  include  "routing/decide.hpp"\n', "may not include"),
    "an include after a comment": ("protocol/a.cpp", '/* why */ #include "x.hpp"\n#include "routing/decide.hpp"\n',
                                   "may not include"),
    "own header in angle brackets": ("protocol/a.cpp", "#include <protocol/frame.hpp>\n", "with quotes"),
    "a relative include": ("pools/a.cpp", '#include "pool.hpp"\n', "from the repository root"),
    "an upward include": ("pools/a.cpp", '#include "../protocol/frame.hpp"\n', "from the repository root"),
    "a macro include": ("pools/a.cpp", "#include HEADER_NAME\n", "names its file itself"),
    "a foreign header in quotes": ("pools/a.cpp", '#include "boost/asio.hpp"\n', "with <>"),
    "Asio in protocol": ("protocol/a.cpp", "#include <boost/asio/buffer.hpp>\n", "no I/O"),
    "Asio in routing": ("routing/a.hpp", HEADER + "#include <boost/asio.hpp>\n", "no I/O"),
    "Asio in config": ("config/a.cpp", "#include <boost/asio.hpp>\n", "boost is not for this file"),
    "Asio in a pure module of pools": ("pools/pool_settings.cpp", "#include <boost/asio.hpp>\n", "no I/O"),
    "OpenSSL beside scram": ("protocol/a.cpp", "#include <openssl/evp.h>\n", "openssl is not for this file"),
    "OpenSSL in a session": ("proxy/a.cpp", "#include <openssl/rand.h>\n", "openssl is not for this file"),
    "OpenSSL in a header": ("pools/a.hpp", HEADER + "#include <openssl/ssl.h>\n", "openssl is not for this file"),
    "libpq in another pools file": ("pools/a.cpp", "#include <libpq-fe.h>\n", "libpq is not for this file"),
    "libpq by its folder": ("proxy/a.cpp", "#include <postgresql/libpq-fe.h>\n", "libpq is not for this file"),
    "toml++ in config.hpp's room": ("config/schema.cpp", "#include <toml++/toml.h>\n", "toml++ is not for"),
    "prometheus in a header": ("proxy/metrics.hpp", HEADER + "#include <prometheus/registry.h>\n", "prometheus-cpp is"),
    "spdlog below proxy": ("pools/a.cpp", "#include <spdlog/spdlog.h>\n", "spdlog, fmt is not for this file"),
    "fmt in routing": ("routing/a.cpp", "#include <fmt/format.h>\n", "spdlog, fmt is not for this file"),
    "an unknown dependency": ("proxy/a.cpp", "#include <nlohmann/json.hpp>\n", "unknown dependency"),
    "sockets in protocol": ("protocol/a.cpp", "#include <sys/socket.h>\n", "operating system"),
    "the operating system in config": ("config/a.cpp", "#include <unistd.h>\n", "operating system"),
    "a thread in routing": ("routing/a.cpp", "#include <thread>\n", "pure module"),
    "a lock in protocol": ("protocol/a.cpp", "#include <mutex>\n", "pure module"),
    "files in routing": ("routing/a.cpp", "#include <fstream>\n", "pure module"),
    "a clock in routing": ("routing/a.cpp", "auto t = std::chrono::steady_clock::now();\n", "pure module"),
    "a clock by its alias": ("protocol/a.cpp", "auto t = Clock::now ();\n", "pure module"),
    "a clock of C": ("protocol/a.cpp", "auto t = std::time(nullptr);\n", "pure module"),
    "randomness in protocol": ("protocol/scram2.cpp", "void f() { RAND_bytes(p, 18); }\n", "pure module"),
    "the environment in routing": ("routing/a.cpp", 'auto v = getenv("X");\n', "pure module"),
    "a clock behind a string with slashes": ("routing/a.cpp", 'auto u = "http://x"; auto t = C::now();\n', "pure module"),
    "a clock behind a digit separator": ("routing/a.cpp", "int n = 1'000; auto t = C::now(); int m = 2'000;\n", "pure"),
    "a header without its guard": ("routing/a.hpp", "#include <span>\n", "#pragma once"),
    "a header of another suffix": ("routing/a.h", HEADER, "end in .cpp or .hpp"),
    "a folder beside the rooms": ("utils/a.txt", "x", "no such room"),
    "a file beside the rooms": ("notes.md", "x", "top level"),
    "a long file": ("pools/long.cpp", "\n" * 501, "more than 500"),
    "a long script": ("tests/run", "\n" * 501, "more than 500"),
}
HARMLESS = {
    "an include in a comment": ("protocol/a.cpp", '// #include "routing/decide.hpp"\n/*\n#include <thread>\n*/\n'),
    "a clock in a comment": ("routing/a.cpp", "// unlike Clock::now() this is given\n/* C::now() */\n"),
    "a clock in a string": ("routing/a.cpp", 'auto sql = "select X::now()"; auto raw = R"x(C::now() ")x";\n'),
    "a test that does everything": ("tests/unit/routing/a_test.cpp",
                                    '#include <libpq-fe.h>\n#include <thread>\n#include "config/config.hpp"\n'
                                    "auto t = std::chrono::steady_clock::now();\n"),
    "a clock in a thin shell": ("pools/shell.cpp", "auto t = std::chrono::steady_clock::now();\n"),
    "a file of 500 lines": ("pools/long.cpp", "\n" * 500),
    "long data": ("tests/data/routing/many.toml", "\n" * 900),
    "a dot folder": (".ci/run", "x"),
    "build output": ("build/debug/a.h", "x"),
}


def offences(tree: dict[str, str], **changed) -> list[check_includes.Offence]:
    shape = {name: getattr(rules, name) for name in dir(rules) if name.isupper()}
    shape |= {"LONG_FILES": {}, "NOT_PURE": {}, "PURE_MODULES": {"pools/pool_settings"}} | changed
    with tempfile.TemporaryDirectory() as folder:
        for path, text in tree.items():
            target = Path(folder) / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, encoding="utf-8")
        return check_includes.Checker(Path(folder), SimpleNamespace(**shape)).run()


class CheckIncludesTest(unittest.TestCase):
    def test_finds_nothing_in_a_tree_that_is_right(self):
        self.assertEqual(offences(RIGHT), [])

    def test_finds_each_thing_that_is_wrong(self):
        for name, (path, text, message) in WRONG.items():
            with self.subTest(name):
                found = offences(RIGHT | {path: text})
                self.assertTrue(any(message in offence.text for offence in found), [str(o) for o in found])
                self.assertTrue(all(o.path in (path, path.split("/")[0]) for o in found), [str(o) for o in found])

    def test_leaves_alone_what_only_looks_wrong(self):
        for name, (path, text) in HARMLESS.items():
            with self.subTest(name):
                self.assertEqual([str(offence) for offence in offences(RIGHT | {path: text})], [])

    def test_reports_the_line(self):
        found = offences(RIGHT | {"routing/a.cpp": "/* two\nlines */\n\n#include <thread>\nauto t = C::now();\n"})
        self.assertEqual([(o.path, o.line) for o in found], [("routing/a.cpp", 4), ("routing/a.cpp", 5)])

    def test_misses_a_room_without_build_file_or_readme(self):
        for missing in ("routing/README.md", "pools/CMakeLists.txt"):
            tree = {path: text for path, text in RIGHT.items() if path != missing}
            self.assertEqual([o.path for o in offences(tree)], [missing])

    def test_accepts_a_long_file_with_a_reason_until_it_is_short(self):
        reason = {"pools/long.cpp": "one table"}
        self.assertEqual(offences(RIGHT | {"pools/long.cpp": "\n" * 501}, LONG_FILES=reason), [])
        self.assertIn("no longer", offences(RIGHT | {"pools/long.cpp": "\n"}, LONG_FILES=reason)[0].text)
        self.assertIn("does not exist", offences(RIGHT, LONG_FILES=reason)[0].text)

    def test_reports_a_listed_module_that_does_not_exist(self):
        self.assertIn("does not exist", offences(RIGHT, PURE_MODULES={"pools/gone", "pools/pool_settings"})[0].text)

    def test_a_pure_module_includes_pure_modules_only(self):
        tree = RIGHT | {"pools/sizing.hpp": HEADER + '#include "pools/pool.hpp"\n'}
        found = offences(tree, PURE_MODULES={"pools/sizing"})
        self.assertIn("pure modules only", found[0].text)

    def test_every_exception_of_the_house_has_a_reason(self):
        for reason in [*rules.LONG_FILES.values(), *rules.NOT_PURE.values()]:
            self.assertGreater(len(reason), 20)


if __name__ == "__main__":
    unittest.main()
