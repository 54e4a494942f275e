#include "census/show_value.h"

#include <fmt/format.h>
#include <catch2/catch.hpp>
#include <map>

#include "live_python.h"

namespace asyncleak::census {
namespace {

std::string fmt_address(std::uint64_t address) { return fmt::format("{:#x}", address); }

const char* const script = R"py(
import collections, json, sys
class Session: pass
async def serve(): pass
waiting = serve()
values = {
    "None": None, "True": True, "42": 42, "-7": -7, "2.5": 2.5, "3.0": 3.0, "1e+100": 1e100,
    "'text'": 'text', "\"it's\"": "it's", "'caf\xe9'": 'caf\xe9', "'line\\x0anext'": 'line\nnext',
    "'" + 'x' * 20 + "...'": 'x' * 500, "b'ab\\x00'": b'ab\0', "bytearray(b'xyz')": bytearray(b'xyz'),
    "b'" + 'y' * 20 + "...'": b'y' * 500, "<int of about 120 bits>": 1 << 100,
    "[]": [], "[1, 2]": [1, 2], "[0, 1, 2, ... 12,034 items]": list(range(12034)), "(1,)": (1,), "(1, 2)": (1, 2),
    "()": (), "{}": {}, "{'a': 1, 'b': [2]}": {'a': 1, 'b': [2]}, "{'k0': 0, 'k1': 1, 'k2': 2, ... 1,000 items}":
        {'k%d' % i: i for i in range(1000)}, "{5}": {5}, "set()": set(), "frozenset({5})": frozenset([5]),
    "deque([1, 2])": collections.deque([1, 2]), "[[1, <list, 2 items>]]": [[1, [2, 3]]],
    "<class __main__.Session>": Session, "<module json>": json}
secret = {'password': 'hunter2', 'pin': 1234}
session = Session()
print(json.dumps({'shown': {text: id(value) for text, value in values.items()}, 'session': id(session),
    'secret': id(secret), 'secrets': [id(x) for x in ('hunter2!', 77777, b'raw', 1.5, True)], 'serve': id(serve),
    'waiting': id(waiting)}), flush=True)
sys.stdin.read()
waiting.close()
)py";

TEST_CASE("values are shown as one short line") {
  on_each_interpreter(script, [](LivePython& live) {
    TypeTable types(&live.heap());
    const Objects objects(&live.heap(), &types);
    const ShowOptions options{20, 3, false};
    for (const auto& [text, id] : live.said()["shown"].get<std::map<std::string, std::uint64_t>>()) {
      CHECK(show_value(objects, id, options) == text);
    }
    const auto at = [&](const char* name) { return fmt_address(live.id(name)); };
    CHECK(show_value(objects, live.id("session"), options) == "<__main__.Session at " + at("session") + ">");
    CHECK(show_value(objects, live.id("serve"), options) == "<function serve at " + at("serve") + ">");
    CHECK(show_value(objects, live.id("waiting"), options) == "<coroutine serve at " + at("waiting") + ">");
    CHECK(show_value(objects, 8, options) == "<unreadable at 0x8>");
  });
}

TEST_CASE("redacted, values show their kind and size only") {
  on_each_interpreter(script, [](LivePython& live) {
    TypeTable types(&live.heap());
    const Objects objects(&live.heap(), &types);
    const ShowOptions options{20, 3, true};
    std::vector<std::string> shown;
    for (const auto& id : live.said()["secrets"]) {
      shown.push_back(show_value(objects, id.get<std::uint64_t>(), options));
    }
    CHECK(shown == std::vector<std::string>{"<str, 8 characters>", "<int>", "<bytes, 3 bytes>", "<float>", "<bool>"});
    CHECK(show_value(objects, live.id("secret"), options) ==
          "{<str, 8 characters>: <str, 7 characters>, <str, 3 characters>: <int>}");
  });
}

}  // namespace
}  // namespace asyncleak::census
