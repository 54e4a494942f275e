#include "census/deep_size.h"

#include <catch2/catch.hpp>
#include <string>

#include "live_python.h"

namespace asyncleak::census {
namespace {

// A walk inside the program: the truth these tests compare with. WHAT holds the values to measure, by name.
std::string measuring(const std::string& what) {
  return R"(
import array, asyncio, collections, functools, io, json, sys, types, weakref
def nobodys(o):
    if isinstance(o, (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType,
                      types.CoroutineType, types.GeneratorType, bool, type(None), type(...))): return True
    if type(o) is int: return -5 <= o <= 256
    if type(o) is str: return len(o) <= 1 and o < '\u0100'
    return type(o) in (bytes, tuple) and len(o) <= (type(o) is bytes)
def values(o):
    if isinstance(o, dict):
        yield from o.keys(); yield from o.values()
    elif isinstance(o, (list, tuple, set, frozenset, collections.deque)): yield from o
    elif isinstance(o, memoryview): yield o.obj
    elif isinstance(o, types.MethodType): yield o.__self__
    elif isinstance(o, functools.partial): yield o.func; yield o.args; yield o.keywords
    for c in type(o).__mro__:
        names = c.__dict__.get('__slots__', ())
        for name in (names,) if type(names) is str else names:
            if name not in ('__dict__', '__weakref__') and hasattr(o, name): yield getattr(o, name)
def walk(root):
    seen, total, count, stack = set(), 0, 0, [root]
    while stack:
        o = stack.pop()
        if id(o) in seen or nobodys(o): continue
        seen.add(id(o)); total += sys.getsizeof(o); count += 1
        stack.extend(values(o))
        own = None if isinstance(o, types.MethodType) else getattr(o, '__dict__', None)  # a method shows its function's
        if type(own) is dict and id(own) not in seen:
            seen.add(id(own)); total += sys.getsizeof(own); count += 1
            stack.extend(own.values())
    return total, count
class Plain: pass
class Slotted:
    __slots__ = ('a', 'b')
    def __init__(self, a, b): self.a = a; self.b = b
class Derived(Slotted):
    __slots__ = ('c', '__dict__', '__weakref__')
class Node:
    def __init__(self, i): self.i = i; self.name = 'node %d' % i; self.tags = [i, i + 1000]
    def method(self): pass
)" + what +
         R"(
said = {name: [id(value)] + list(walk(value)) for name, value in WHAT.items()}
said = {name: [id(value)] + list(walk(value)) for name, value in WHAT.items()}
print(json.dumps(said), flush=True)
sys.stdin.read()
)";
}

void check_equal(const std::string& script) {
  on_each_interpreter(script, [](LivePython& live) {
    TypeTable types(&live.heap());
    const Objects objects(&live.heap(), &types);
    for (const auto& [name, truth] : live.said().items()) {
      constexpr std::uint64_t plenty = 1'000'000;
      DeepSizer sizer(&objects, plenty);
      const auto size = sizer.of(truth[0].get<std::uint64_t>());
      INFO(name);
      CHECK(size.bytes == truth[1].get<std::uint64_t>());
      CHECK(size.objects == truth[2].get<std::uint64_t>());
      CHECK_FALSE(size.cut);
    }
  });
}

TEST_CASE("texts, bytes and numbers are as large as sys.getsizeof says") {
  check_equal(measuring(R"(
class Text(str): pass
class Bytes(bytes): pass
class Number(int): pass
encoded = 'caf\xe9 ' * 20
encoded.encode(); hash(encoded)
grown = bytearray(b'abc'); grown += b'x' * 5000
shrunk = bytearray(b'y' * 9000); del shrunk[100:]; del shrunk[:10]
WHAT = {'empty': '', 'character': '\xe9', 'ascii': 'ascii ' * 50, 'latin': 'caf\xe9 ' * 30, 'encoded': encoded,
    'wide': '\u20ac' * 77, 'widest': '\U0001f40d' * 33, 'text': Text('abc'), 'other text': Text('\u20acbc'),
    'bytes': b'bytes' * 9, 'more bytes': Bytes(b'abc'), 'bytearray': bytearray(1000), 'no bytearray': bytearray(),
    'grown': grown, 'shrunk': shrunk, 'one': 1, 'int': 1000, 'large': 1 << 1000, 'negative': -(1 << 65),
    'number': Number(5), 'float': 1.5, 'complex': 1j, 'range': range(3), 'slice': slice(1, 2), 'none': None,
    'true': True, 'dots': ..., 'type': int, 'function': walk}
)"));
}

TEST_CASE("containers are as large as a walk in the program finds them") {
  check_equal(measuring(R"(
class List(list): pass
class Dict(dict): pass
many = ['text %d' % i for i in range(2000)]
grown = []
for x in many: grown.append(x)
thinned = set(many)
for x in many[::3]: thinned.discard(x)
queue = collections.deque(many[:1000])
for _ in range(500): queue.popleft()
bounded = collections.deque(many, maxlen=10)
removed = {i: str(i) for i in range(300)}
for i in range(250): del removed[i]
tagged = List([1, 2, 3000]); tagged.note = 'note'
held = Dict(a='value of a'); held.note = ['note']
Pair = collections.namedtuple('Pair', 'left right')
cycle = []; cycle.append(cycle)
WHAT = {'list': many, 'grown': grown, 'empty': [], 'tuple': tuple(many[:10]), 'no tuple': (), 'same': [many[0]] * 1000,
    'set': set(many), 'small set': {1000, 2000}, 'thinned': thinned, 'frozenset': frozenset(many[:100]),
    'deque': queue, 'no deque': collections.deque(), 'bounded': bounded, 'removed': removed,
    'no dict': {}, 'dict': {x: i for i, x in enumerate(many)}, 'mixed': {1000: 'one thousand', 'two': 2000.5},
    'ordered': collections.OrderedDict((x, i) for i, x in enumerate(many[:50])),
    'default': collections.defaultdict(list), 'counter': collections.Counter(many[:30]),
    'nested': {'a': [{'b': ({'c', 'd', 'ee'}, 'fff')}]},
    'list subclass': tagged, 'dict subclass': held, 'pair': Pair('left', ['right']), 'cycle': cycle,
    'deep': functools.reduce(lambda inner, i: [inner], range(20000), []),
    'cache': {('key', i): bytes(100 + i) for i in range(2000)}}
)"));
}

TEST_CASE("instances and buffers are as large as a walk in the program finds them") {
  check_equal(measuring(R"(
class Wide:
    def __init__(self, n):
        for i in range(n): setattr(self, 'attribute%d' % i, [i])
class Empty: pass
class Error(Exception): pass
derived = Derived('aaa', ['b']); derived.c = ('c', 'cc'); derived.loose = 'loose'
failed = Error('why not'); failed.code = 1234
first = Node(1); first.peer = Node(2); first.peer.peer = first
buffer = io.BytesIO(); buffer.write(b'z' * 5000)
array_ = array.array('d', range(100)); array_.append(1.0)
WHAT = {'node': Node(1000), 'nodes': [Node(i) for i in range(1000)], 'empty': Empty(), 'wide': Wide(100),
    'wider': [Wide(20) for _ in range(20)], 'slotted': Slotted('left', ['right']), 'derived': derived, 'failed': failed,
    'cycle': first, 'method': first.method, 'partial': functools.partial(walk, ['argument'], key='value'),
    'weak': weakref.ref(first), 'memoryview': memoryview(bytearray(500)), 'array': array_,
    'arrays': [array.array('b', b'abc'), array.array('i', [1, 2])],
    'slotted list': [Slotted(i, str(i)) for i in range(1000)]}
)"));
}

TEST_CASE("what a task does not own is not counted") {
  const char* script = R"(
import asyncio, json, sys, io
class Plain: pass
loop = asyncio.new_event_loop()
async def work(): await asyncio.sleep(9)
async def main():
    task = asyncio.ensure_future(work())
    await asyncio.sleep(0)
    shared = ['text %d' % i for i in range(1000)]
    owner = Plain(); owner.loop = loop; owner.task = task; owner.data = shared
    buffer = io.BytesIO(); buffer.write(b'z' * 5000)
    done = loop.create_future(); done.set_result(['result', shared])
    coroutine = work()
    print(json.dumps({'loop': id(loop), 'task': id(task), 'coroutine': id(coroutine), 'owner': id(owner),
        'shared': id(shared), 'done': id(done), 'buffer': id(buffer),
        'shared_size': sys.getsizeof(shared) + sum(map(sys.getsizeof, shared))}), flush=True)
    sys.stdin.read()
    coroutine.close(); task.cancel()
loop.run_until_complete(main())
)";
  on_each_interpreter(script, [](LivePython& live) {
    TypeTable types(&live.heap());
    const Objects objects(&live.heap(), &types);
    constexpr std::uint64_t plenty = 100'000;
    DeepSizer sizer(&objects, plenty);
    for (const char* name : {"loop", "task", "coroutine"}) {
      const auto size = sizer.of(live.id(name));
      INFO(name);
      CHECK(size.bytes == 0);
      CHECK(size.objects == 0);
    }
    const auto shared = live.id("shared_size");
    const auto owner = sizer.of(live.id("owner"));
    CHECK(owner.bytes > shared);
    CHECK(owner.bytes < shared + 1000);
    // The future's result leads to what was counted already.
    CHECK(sizer.of(live.id("done")).bytes < 1000);
    CHECK(sizer.of(live.id("shared")).bytes == 0);
    CHECK(sizer.of(live.id("buffer")).bytes > 5000);

    DeepSizer excluding(&objects, plenty);
    excluding.exclude(live.id("shared"));
    CHECK(excluding.of(live.id("owner")).bytes < 1000);

    DeepSizer bounded(&objects, 100);
    const auto part = bounded.of(live.id("shared"));
    CHECK(part.cut);
    CHECK(part.objects <= 100);
    CHECK(part.bytes < shared);
  });
}

TEST_CASE("attributes are counted before their dict exists") {
  const char* script = R"(
import json, sys
class Node:
    def __init__(self, i): self.i = i; self.name = 'node %d' % i
nodes = [Node(i) for i in range(1000)]
print(json.dumps({'nodes': id(nodes), 'dict': sys.getsizeof({}), 'lazy': sys.version_info >= (3, 11)}), flush=True)
sys.stdin.readline()
for node in nodes: vars(node)
print('{}', flush=True)
sys.stdin.read()
)";
  on_each_interpreter(script, [](LivePython& live) {
    TypeTable types(&live.heap());
    const Objects objects(&live.heap(), &types);
    const auto measure = [&] { return DeepSizer(&objects, 100'000).of(live.id("nodes")); };
    const auto before = measure();
    REQUIRE(live.ask("go on"));
    const auto after = measure();
    const std::uint64_t dicts = live.said()["lazy"].get<bool>() ? 1000 : 0;
    CHECK(after.bytes - before.bytes == dicts * live.id("dict"));
    CHECK(after.objects - before.objects == dicts);
    CHECK_FALSE(before.cut);
  });
}

}  // namespace
}  // namespace asyncleak::census
