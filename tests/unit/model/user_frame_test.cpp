#include "model/user_frame.h"

#include <catch2/catch.hpp>

using namespace asyncleak;

namespace {

CodeOwner owner_of_file(const std::string& file) { return owner_of({"f", file, 1}); }

}  // namespace

TEST_CASE("asyncio's own files") {
  CHECK(is_asyncio_file("/usr/lib/python3.11/asyncio/tasks.py"));
  CHECK(is_asyncio_file("/opt/py/lib/python3.13t/asyncio/base_events.py"));
  CHECK(is_asyncio_file("/usr/lib/python311.zip/asyncio/tasks.py"));
  CHECK(is_asyncio_file("/home/me/cpython/Lib/asyncio/tasks.py"));
  CHECK(is_asyncio_file("C:\\Python311\\Lib\\asyncio\\tasks.py"));
  CHECK(is_asyncio_file("asyncio/tasks.py"));
  CHECK(is_asyncio_file("<frozen importlib._bootstrap>"));
  CHECK_FALSE(is_asyncio_file("/usr/lib/python3/dist-packages/redis/asyncio/client.py"));
  CHECK_FALSE(is_asyncio_file("/srv/asyncio/app.py"));
  CHECK_FALSE(is_asyncio_file("/srv/app.py"));
  CHECK_FALSE(is_asyncio_file(""));
}

TEST_CASE("whose code a file is") {
  for (const char* file : {"/srv/app.py", "app.py", "./shop/cart.py", "/srv/venv/app.py", "/srv/app.pyz/shop/cart.py",
                           "/home/me/python3.11/app.py", "/srv/lib/app.py", "C:\\srv\\app.py", "/srv/bin/worker",
                           "/tmp/ipykernel_12/77.py", "/usr/lib/myapp/worker.py", "/srv/python3/app.py"}) {
    INFO(file);
    CHECK(owner_of_file(file) == CodeOwner::user);
  }
  for (const char* file :
       {"/usr/lib/python3.11/contextlib.py", "/usr/lib/python3.11/concurrent/futures/thread.py",
        "/usr/lib/python3/dist-packages/aiohttp/web.py", "/srv/venv/lib/python3.12/site-packages/uvicorn/server.py",
        "/srv/venv/lib64/python3.12/typing.py", "/root/.local/lib/python3.11/site-packages/redis/asyncio/client.py",
        "/usr/lib/python311.zip/contextlib.py", "C:\\Python311\\Lib\\contextlib.py", "/home/me/cpython/Lib/typing.py",
        "C:\\Python311\\Lib\\site-packages\\uvicorn\\server.py", "/srv/app.pyz/site-packages/anyio/abc.py",
        "/opt/foo-1.0-py3.11.egg/foo/x.py", "site-packages/anyio/abc.py"}) {
    INFO(file);
    CHECK(owner_of_file(file) == CodeOwner::library);
  }
  CHECK(owner_of_file("<string>") == CodeOwner::typed);
  CHECK(owner_of_file("<stdin>") == CodeOwner::typed);
  CHECK(owner_of_file("<python-input-3>") == CodeOwner::typed);
  CHECK(owner_of_file("<attrs generated init shop.Cart>") == CodeOwner::generated);
  CHECK(owner_of_file("") == CodeOwner::generated);
  CHECK(owner_of_file("<frozen runpy>") == CodeOwner::asyncio);
}

TEST_CASE("the script that pip made is the package's, a script of one's own is not") {
  CHECK(owner_of({"<module>", "/srv/venv/bin/uvicorn", 8}) == CodeOwner::library);
  CHECK(owner_of({"<module>", "C:\\venv\\Scripts\\uvicorn.exe", 8}) == CodeOwner::library);
  CHECK(owner_of({"<module>", "/srv/bin/worker.py", 8}) == CodeOwner::user);
  CHECK(owner_of({"main", "/srv/bin/worker", 8}) == CodeOwner::user);
}

TEST_CASE("the user's frame is the first of the program's own; else a library's; else asyncio's first") {
  SiteIdentity identity;
  CHECK(user_frame(identity) == nullptr);
  identity.created_at = {{"gather", "/usr/lib/python3.11/asyncio/tasks.py", 1}};
  CHECK(user_frame(identity)->function == "gather");
  identity.created_at.push_back({"__init__", "<attrs generated init shop.Cart>", 3});
  CHECK(user_frame(identity)->function == "__init__");
  identity.created_at.push_back({"Pool.acquire", "/usr/lib/python3/dist-packages/redis/asyncio/client.py", 3});
  identity.created_at.push_back({"wrapper", "/usr/lib/python3.11/contextlib.py", 79});
  CHECK(user_frame(identity)->function == "Pool.acquire");
  identity.created_at.push_back({"<module>", "<string>", 1});
  CHECK(user_frame(identity)->file == "<string>");
  identity.created_at.push_back({"handler", "/srv/app.py", 31});
  identity.created_at.push_back({"main", "/srv/app.py", 90});
  CHECK(user_frame(identity)->function == "handler");
}

TEST_CASE("who started the event loop did not create what a callback of it creates") {
  const Frame connected = {"Protocol.data_received", "/srv/venv/lib/python3.11/site-packages/uvicorn/h11.py", 71};
  const Frame run = {"Handle._run", "/usr/lib/python3.11/asyncio/events.py", 80};
  const Frame forever = {"BaseEventLoop.run_forever", "/usr/lib/python3.11/asyncio/base_events.py", 607};
  const Frame runner = {"Runner.run", "/usr/lib/python3.11/asyncio/runners.py", 118};
  const Frame main = {"<module>", "/srv/app.py", 90};
  CHECK(user_frame(std::vector{connected, run, forever, main})->function == "Protocol.data_received");
  // uvloop has no frames of its own.
  CHECK(user_frame(std::vector{connected, runner, main})->function == "Protocol.data_received");
  // The main task is created by the loop's starter itself.
  CHECK(user_frame(std::vector{runner, main})->function == "<module>");
  CHECK(user_frame(std::vector{run, main})->function == "Handle._run");
}

TEST_CASE("the package of a file") {
  CHECK(package_of("/srv/venv/lib/python3.11/site-packages/uvicorn/protocols/http/h11_impl.py") == "uvicorn");
  CHECK(package_of("/usr/lib/python3/dist-packages/six.py") == "six");
  CHECK(package_of("/usr/lib/python3.11/contextlib.py").empty());
  CHECK(package_of("/srv/app.py").empty());
}
