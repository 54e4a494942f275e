#include "census/objects.h"

#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "live_python.h"

namespace asyncleak::census {
namespace {

// What each part of a test builds on.
struct Reader {
  explicit Reader(const LivePython& live) : types(&live.heap()), objects(&live.heap(), &types) {}
  TypeTable types;
  Objects objects;
};

TEST_CASE("texts, numbers and lengths are what the program says") {
  const char* script = R"(
import array, json, sys, collections, queue
class Text(str): pass
class Number(int): pass
class Array(array.array): pass
texts = ['', 'a', 'plain', 'caf\xe9', '\u20ac 12', '\U0001f40d snake', 'x' * 256, Text('sub'), Text('s\xfcb')]
ints = [0, 1, -1, 255, 2**30 - 1, 2**30, -2**30, 2**60, -2**61 - 3, 2**62 - 1, 1 - 2**62, True, Number(77)]
large = [2**62, -2**62, 2**200]
floats = [0.0, 1.5, -2.25e300]
sized = ['four', b'12345', bytearray(b'ab'), [1], (), {1: 2}, {1, 2}, frozenset('abc'), collections.deque('xyz'),
    memoryview(bytearray(12)), memoryview(b'12345678')[1:7:2], memoryview(bytes(12)).cast('B', [3, 4]),
    memoryview(bytes(24)).cast('d'), array.array('d', range(7)), Array('B', b'sub')]
queues = [queue.SimpleQueue() for _ in range(3)]
for i in range(2000): queues[1].put(i); queues[2].put(i)
for i in range(1990): queues[1].get()
queues[2].get()
numbered = [(id(x), x) for x in texts]
print(json.dumps({'texts': [[id(x), str(x)] for x in texts], 'ints': [[id(x), int(x)] for x in ints],
    'large': [id(x) for x in large], 'floats': [[id(x), x] for x in floats],
    'sized': [[id(x), len(x)] for x in sized] + [[id(x), x.qsize()] for x in queues], 'long': id(''.join(['long ', 'text'])), 'none': id(None)}), flush=True)
sys.stdin.read()
)";
  on_each_interpreter(script, [](LivePython& live) {
    const Reader reader(live);
    const auto& said = live.said();
    for (const auto& [id, text] : said["texts"].get<std::vector<std::pair<std::uint64_t, std::string>>>()) {
      CHECK(reader.objects.text(id) == text);
    }
    for (const auto& [id, value] : said["ints"].get<std::vector<std::pair<std::uint64_t, std::int64_t>>>()) {
      CHECK(reader.objects.integer(id) == value);
    }
    for (const auto& id : said["large"]) CHECK(reader.objects.integer(id.get<std::uint64_t>()) == std::nullopt);
    for (const auto& [id, value] : said["floats"].get<std::vector<std::pair<std::uint64_t, double>>>()) {
      CHECK(reader.objects.floating(id) == value);
    }
    for (const auto& [id, length] : said["sized"].get<std::vector<std::pair<std::uint64_t, std::uint64_t>>>()) {
      CHECK(reader.objects.length(id) == length);
    }
    const auto plain = said["texts"][2][0].get<std::uint64_t>();
    CHECK(reader.objects.text(plain, 3) == "pla...");
    CHECK(reader.objects.text(live.id("none")) == std::nullopt);
    CHECK(reader.objects.length(live.id("none")) == std::nullopt);
    CHECK(reader.objects.integer(plain) == std::nullopt);
    CHECK(reader.objects.text(0) == std::nullopt);
    CHECK(reader.objects.text(plain + 8) == std::nullopt);
  });
}

TEST_CASE("items come in the program's order") {
  const char* script = R"(
import json, sys, collections
class Items(list): pass
many = [object() for _ in range(3000)]
emptied = set(many); emptied.clear()
thinned = set(many)
for x in many[::2]: thinned.discard(x)
turned = collections.deque(many)
turned.rotate(1234)
short = collections.deque(many, maxlen=100)
shifted = collections.deque(many[:70])
for x in many[:65]: shifted.popleft(); shifted.append(x)
left = collections.deque()
for x in many[:200]: left.appendleft(x)
grown = many[:5]; grown.extend(many[5:9]); del grown[2]
ordered = [[], many, (), tuple(many), Items(many[:3]), grown, collections.deque(), turned, short, shifted, left,
           collections.namedtuple('Pair', 'a b')(1, 2)]
unordered = [set(), emptied, thinned, set(many), frozenset(many[:7]), {1, 2, 3}]
print(json.dumps({'ordered': [[id(c), [id(x) for x in c]] for c in ordered],
    'unordered': [[id(c), [id(x) for x in c]] for c in unordered]}), flush=True)
sys.stdin.read()
)";
  on_each_interpreter(script, [](LivePython& live) {
    const Reader reader(live);
    using Ids = std::vector<std::uint64_t>;
    const auto items_of = [&](std::uint64_t id) {
      Ids items;
      CHECK(reader.objects.each_item(id, [&](std::uint64_t item) {
        items.push_back(item);
        return true;
      }));
      return items;
    };
    for (const auto& [id, items] : live.said()["ordered"].get<std::vector<std::pair<std::uint64_t, Ids>>>()) {
      CHECK(items_of(id) == items);
      CHECK(reader.objects.length(id) == items.size());
    }
    for (const auto& [id, items] : live.said()["unordered"].get<std::vector<std::pair<std::uint64_t, Ids>>>()) {
      const auto found = items_of(id);
      CHECK(found.size() == items.size());
      CHECK(std::set(found.begin(), found.end()) == std::set(items.begin(), items.end()));
    }
    int calls = 0;
    const auto first_only = [&](std::uint64_t) { return ++calls < 1; };
    CHECK(reader.objects.each_item(live.said()["ordered"][7][0].get<std::uint64_t>(), first_only));
    CHECK(calls == 1);
  });
}

TEST_CASE("entries of dicts of every shape") {
  const char* script = R"(
import json, sys, collections
class Plain: pass
class Sub(dict): pass
one = Plain(); one.x = one; one.y = 2
thinned = {str(i): i for i in range(500)}
for i in range(0, 500, 3): del thinned[str(i)]
shrunk = {i: i for i in range(1000)}
for i in range(990): del shrunk[i]
mixed = {'a': 1}; mixed[2] = 3; mixed[(4,)] = 'five'
dicts = [{}, {'a': 1, 'b': 2}, {1: 'x'}, mixed, thinned, shrunk, {i: str(i) for i in range(300)},
         {'k%d' % i: i for i in range(70000)}, vars(one), Sub(q=1), collections.OrderedDict(a=1, b=2),
         collections.defaultdict(list, z=[]), dict.fromkeys('abc'), dict(mixed)]
print(json.dumps({'dicts': [[id(d), [[id(k), id(v)] for k, v in d.items()]] for d in dicts],
    'b': id(dicts[1]['b'])}), flush=True)
sys.stdin.read()
)";
  on_each_interpreter(script, [](LivePython& live) {
    const Reader reader(live);
    using Pairs = std::vector<std::pair<std::uint64_t, std::uint64_t>>;
    for (const auto& [id, pairs] : live.said()["dicts"].get<std::vector<std::pair<std::uint64_t, Pairs>>>()) {
      Pairs found;
      CHECK(reader.objects.each_entry(id, [&](std::uint64_t key, std::uint64_t value) {
        found.emplace_back(key, value);
        return true;
      }));
      CHECK(found == pairs);
      CHECK(reader.objects.length(id) == pairs.size());
    }
    const auto two = live.said()["dicts"][1][0].get<std::uint64_t>();
    CHECK(reader.objects.entry(two, "b") == live.id("b"));
    CHECK(reader.objects.entry(two, "c") == std::nullopt);
  });
}

TEST_CASE("attributes wherever an instance keeps them") {
  const char* script = R"(
import json, sys
class Plain: pass
class Slotted:
    __slots__ = ('first', 'second', 'unset', '__weakref__')
class Deeper(Slotted):
    __slots__ = ('third', '__dict__')
class Entries(dict): pass
class Fault(ValueError): pass
class Triple(tuple): pass
class Count(int): pass
class Child(Plain):
    kind = 'class attribute'
def made(instance, **attributes):
    for name, value in attributes.items(): setattr(instance, name, value)
    return [instance, attributes]
many = {'name%d' % i: object() for i in range(60)}
gone = made(Plain(), x=object(), y=object(), z=object())
del gone[0].y, gone[1]['y']
seen = made(Plain(), x=object(), y=[])
own = vars(seen[0])
replaced = made(Plain(), x=object())
replaced[0].__dict__ = {'other': 12345678}; replaced[1] = {'other': replaced[0].__dict__['other']}
emptied = made(Plain(), x=object()); emptied[0].__dict__ = {}; emptied[1] = {}
instances = [made(Plain()), made(Plain(), x=object(), y='text'), made(Plain(), **many), gone, seen, replaced, emptied,
    made(Slotted(), first=object()), made(Slotted(), first=object(), second=[]),
    made(Deeper(), first=object(), third=object(), loose=object()), made(Entries(a=1), note=object()),
    made(Fault('why'), code=object()), made(Triple((1, 2)), tag=object()), made(Count(2**70), tag=object()),
    made(Count(0), tag=object()), made(Child(), x=object(), w=object())]
functional = made(lambda: None, note=object())
print(json.dumps({'instances': [[id(o), {n: id(v) for n, v in a.items()}] for o, a in instances],
    'seen': id(seen[0]), 'own': id(own), 'slotted': id(instances[8][0])}), flush=True)
sys.stdin.read()
)";
  on_each_interpreter(script, [](LivePython& live) {
    const Reader reader(live);
    using Attributes = std::map<std::string, std::uint64_t>;
    for (const auto& [id, truth] : live.said()["instances"].get<std::vector<std::pair<std::uint64_t, Attributes>>>()) {
      Attributes found;
      INFO(reader.objects.type_of(id)->name());
      CHECK(reader.objects.each_attribute(id, [&](const std::string& name, std::uint64_t value) {
        found[name] = value;
        return true;
      }));
      CHECK(found == truth);
      for (const auto& [name, value] : truth) CHECK(reader.objects.attribute(id, name) == value);
      CHECK(reader.objects.attribute(id, "missing") == std::nullopt);
    }
    CHECK(reader.objects.dict_of(live.id("seen")) == live.id("own"));
    CHECK(reader.objects.dict_of(live.id("slotted")) == 0);
  });
}

}  // namespace
}  // namespace asyncleak::census
