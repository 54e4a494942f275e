#include "probe/catalog.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <limits>

#include "../python/interpreters_present.h"
#include "../temporary_folder.h"

using namespace asyncleak;
using namespace asyncleak::probe;
using asyncleak::python::interpreters_present;
using asyncleak::python::Present;
using asyncleak::python::PythonChild;

namespace {

constexpr std::int64_t never_ns = 0, in_the_future_ns = std::numeric_limits<std::int64_t>::max();

}  // namespace

TEST_CASE("catalog: an image that nobody runs any more is let go, and its number is free for the next") {
  const Present original = interpreters_present().front();
  const test::TemporaryFolder folder;
  Catalog catalog(nullptr, {{}, "catalog-[12]"});
  for (const auto* name : {"catalog-1", "catalog-2"}) {
    const Present copy{"", folder.path() + "/" + name};  // another file: another image
    std::filesystem::copy_file(original.path(), copy.exe);
    {
      const PythonChild child(copy);
      REQUIRE_FALSE(child.version().empty());
      REQUIRE(catalog.consider(child.pid()));
      const auto* core = catalog.processes().at(child.pid()).core;
      REQUIRE(core != nullptr);
      REQUIRE(core->path == copy.exe);
      REQUIRE(core->index == 0);
      catalog.release_unused(in_the_future_ns);
      REQUIRE(catalog.cores().size() == 1);  // it runs
      REQUIRE(catalog.binaries().size() == 1);
    }
    catalog.scan(false);
    catalog.release_unused(never_ns);
    REQUIRE(catalog.core(0)->path == copy.exe);  // and may come again
    catalog.release_unused(in_the_future_ns);
    REQUIRE(catalog.core(0) == nullptr);
    REQUIRE(catalog.binaries().empty());
  }
}
