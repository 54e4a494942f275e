#include "model/user_frame.h"

#include <catch2/catch.hpp>

using namespace asyncleak;

TEST_CASE("asyncio's own files") {
  CHECK(is_asyncio_file("/usr/lib/python3.11/asyncio/tasks.py"));
  CHECK(is_asyncio_file("/opt/py/lib/python3.13t/asyncio/base_events.py"));
  CHECK(is_asyncio_file("/usr/lib/python311.zip/asyncio/tasks.py"));
  CHECK(is_asyncio_file("asyncio/tasks.py"));
  CHECK(is_asyncio_file("<frozen importlib._bootstrap>"));
  CHECK_FALSE(is_asyncio_file("/usr/lib/python3/dist-packages/redis/asyncio/client.py"));
  CHECK_FALSE(is_asyncio_file("/srv/asyncio/app.py"));
  CHECK_FALSE(is_asyncio_file("/srv/app.py"));
  CHECK_FALSE(is_asyncio_file(""));
}

TEST_CASE("the user's frame is the first outside, else the first, else none") {
  SiteIdentity identity;
  CHECK(user_frame(identity) == nullptr);
  identity.created_at = {{"gather", "/usr/lib/python3.11/asyncio/tasks.py", 1}};
  CHECK(user_frame(identity)->function == "gather");
  identity.created_at.push_back({"handler", "/srv/app.py", 31});
  identity.created_at.push_back({"main", "/srv/app.py", 90});
  CHECK(user_frame(identity)->function == "handler");
}
