#include "view/inspect_json.h"

#include "inspection_fixture.h"

#include <catch2/catch.hpp>

using namespace asyncleak;

TEST_CASE("inspect: the contract, literally") {
  CHECK(
      to_json(test::inspection(1)) ==
      R"j({"schema":"asyncleak-inspect/1","time":"2026-11-21T14:03:20.000Z","process":{"pid":4242,)j"
      R"j("comm":"app","cmdline":"python3 app.py","exe":"/usr/bin/python3.11","python":"3.11.2","started":null,"unit":null,)j"
      R"j("container":null,"container_runtime":null,"container_pid":null,"pod":null,"pod_uid":null,)j"
      R"j("namespace":null,"rss_bytes":104857600,"memory":null},"census":{"objects":88120,"duration_ms":12.4,)j"
      R"j("complete":true,"tasks":5,"unknown_to_kernel":0,"not_found":0,"reasons":[]},"tasks_total":5,)j"
      R"j("tasks_left_out":0,"loops":[{"kind":"asyncio.unix_events._UnixSelectorEventLoop","running":true,)j"
      R"j("ready":1,"timers":3,"timers_cancelled":null,"transports":null,"asyncgens":null,)j"
      R"j("executor_queue":null,"unknown":null}],"tasks":[{"address":"0x1000","name":"Task-1",)j"
      R"j("state":"pending","cancel_requested":false,"coroutine":"main","file":"/srv/app.py","line":12,)j"
      R"j("created_at":[],"age_s":null,"age_at_least":false,"await_chain":[{"function":"main",)j"
      R"j("file":"/srv/app.py","line":90}],"chain_cut":false,)j"
      R"j("waiting_for":{"type":"_asyncio._GatheringFuture","address":null},"awaited_by":[],)j"
      R"j("waiters_complete":true,"held_bytes":null,"held_at_least":false,"locals":[],"holders":[],)j"
      R"j("result":null},{"address":"0x2000","name":"Task-2","state":"pending","cancel_requested":false,)j"
      R"j("coroutine":"serve","file":"/srv/app.py","line":12,"created_at":[],"age_s":null,)j"
      R"j("age_at_least":false,"await_chain":[{"function":"StreamReader.read",)j"
      R"j("file":"/usr/lib/python3.11/asyncio/streams.py","line":700},{"function":"serve",)j"
      R"j("file":"/srv/app.py","line":30}],"chain_cut":false,"waiting_for":{"type":"_asyncio.Future",)j"
      R"j("address":null},"awaited_by":[{"how":"gather","task":"Task-1","address":"0x1000","callback":null}],)j"
      R"j("waiters_complete":true,"held_bytes":null,"held_at_least":false,"locals":[],"holders":[],)j"
      R"j("result":null},{"address":"0x3000","name":"Task-3","state":"pending","cancel_requested":false,)j"
      R"j("coroutine":"serve","file":"/srv/app.py","line":12,"created_at":[],"age_s":null,)j"
      R"j("age_at_least":false,"await_chain":[{"function":"StreamReader.read",)j"
      R"j("file":"/usr/lib/python3.11/asyncio/streams.py","line":700},{"function":"serve",)j"
      R"j("file":"/srv/app.py","line":30}],"chain_cut":false,"waiting_for":{"type":"_asyncio.Future",)j"
      R"j("address":null},"awaited_by":[{"how":"gather","task":"Task-1","address":"0x1000","callback":null}],)j"
      R"j("waiters_complete":true,"held_bytes":null,"held_at_least":false,"locals":[],"holders":[],)j"
      R"j("result":null},{"address":"0x10000","name":"Task-10","state":"pending","cancel_requested":true,)j"
      R"j("coroutine":"leaky_worker","file":"/srv/app.py","line":12,"created_at":[{"function":"create_task",)j"
      R"j("file":"/usr/lib/python3.11/asyncio/tasks.py","line":371},{"function":"handler",)j"
      R"j("file":"/srv/app.py","line":31}],"age_s":312.0,"age_at_least":false,)j"
      R"j("await_chain":[{"function":"Event.wait","file":"/usr/lib/python3.11/asyncio/locks.py","line":213},)j"
      R"j({"function":"leaky_worker","file":"/srv/app.py","line":57}],"chain_cut":false,)j"
      R"j("waiting_for":{"type":"_asyncio.Future","address":null},"awaited_by":[],"waiters_complete":true,)j"
      R"j("held_bytes":100663296,"held_at_least":false,"locals":[{"frame":"leaky_worker","name":"local_cache",)j"
      R"j("type":"list","length":12034,"bytes":100663296,"at_least":false,"value":null},{"frame":"Event.wait",)j"
      R"j("name":"fut","type":"_asyncio.Future","length":null,"bytes":144,"at_least":true,"value":null}],)j"
      R"j("holders":["set `background` of module app (5 items)"],"result":null},{"address":"0x9000",)j"
      R"j("name":"job \"x\"","state":"failed","cancel_requested":false,"coroutine":"job","file":"/srv/app.py",)j"
      R"j("line":12,"created_at":[],"age_s":60.0,"age_at_least":true,"await_chain":[],"chain_cut":false,)j"
      R"j("waiting_for":null,"awaited_by":[],"waiters_complete":false,"held_bytes":null,"held_at_least":false,)j"
      R"j("locals":[],"holders":[],"result":{"type":"ValueError","length":null,"bytes":512,"value":"bad"}}],)j"
      R"j("coroutines":[{"coroutine":"Feed.poll","file":"/srv/feed.py","line":77,"count":12,)j"
      R"j("holders":["list `pending` of module app (12 items)"]}],"asyncgens":[{"coroutine":"ticks",)j"
      R"j("file":"/srv/feed.py","line":9,"count":3,"holders":[],"waiting_at":[{"function":"ticks",)j"
      R"j("file":"/srv/feed.py","line":14}]}],"timers":[{"callback":"Cache.expire","file":"/srv/cache.py",)j"
      R"j("line":5,"count":1197,"cancelled":2,"holders":[]}],"ready":[{"callback":"Future.set_result",)j"
      R"j("file":null,"line":null,"count":1}],"transports":[{"type":"_SelectorSocketTransport",)j"
      R"j("protocol":"HttpProtocol","peer":"10.0.0.7:443","sock":"10.0.0.1:5000","count":38,)j"
      R"j("write_buffer_bytes":1258291}],"queues":[{"type":"asyncio.Queue","length":12034,"maxsize":0,)j"
      R"j("getters":0,"putters":2,"holders":["Bus.inbox"]}],"waits":[{"type":"asyncio.Lock","waiters":12}]})j");
}

TEST_CASE("inspect: nothing observed is null, not zero") {
  CHECK(
      to_json(Inspection{}) ==
      R"({"schema":"asyncleak-inspect/1","time":"1970-01-01T00:00:00.000Z",)"
      R"("process":{"pid":0,"comm":"","cmdline":"","exe":null,"python":null,"started":null,"unit":null,"container":null,)"
      R"("container_runtime":null,"container_pid":null,"pod":null,"pod_uid":null,"namespace":null,)"
      R"("rss_bytes":null,"memory":null},"census":null,"tasks_total":0,"tasks_left_out":0,"loops":[],"tasks":[],)"
      R"("coroutines":[],"asyncgens":[],"timers":[],"ready":[],"transports":[],"queues":[],"waits":[]})");
}
