#include "python/malloc_provider.h"

#include "../allocators_present.h"
#include "../temporary_folder.h"
#include "elf/c_allocator.h"
#include "elf/imports.h"
#include "interpreters_present.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

namespace asyncleak::python {
namespace {

namespace fs = std::filesystem;

Result<MappedFile> provider_of(pid_t pid) {
  const auto images = find_images(pid);
  REQUIRE(images);
  REQUIRE(images->core);
  const auto core = elf::Image::open(images->core->open_path);
  REQUIRE(core);
  return find_malloc_provider(pid, *core, load_bias(core->segments(), *images->core));
}

TEST_CASE("an interpreter's malloc is its own C library's") {
  for (const Present& each : interpreters_present()) {
    CAPTURE(each.path());
    const PythonChild child(each);
    const auto provider = provider_of(child.pid());
    if (!provider) FAIL(provider.error().message);
    const std::string name = fs::path(provider->path).filename();
    CHECK((name == "libc.so.6" || name.starts_with("libc-2.")));
    CHECK(fs::equivalent(each.root + provider->path, provider->open_path));
    const auto image = elf::Image::open(provider->open_path);
    REQUIRE(image);
    const auto allocator = elf::find_c_allocator(*image);
    REQUIRE(allocator);
    CHECK(allocator->kind == "glibc");
  }
}

TEST_CASE("an interpreter with another allocator preloaded uses that") {
  const auto replacements = test::allocators_present();
  if (replacements.empty()) WARN("no jemalloc, tcmalloc or mimalloc here (ASYNCLEAK_ALLOCATORS): nothing was checked");
  for (const auto& replacement : replacements) {
    for (const Present& each : interpreters_present()) {
      if (!each.root.empty()) continue;  // another C library than the replacement was built for
      CAPTURE(each.path(), replacement.path);
      REQUIRE(setenv("LD_PRELOAD", replacement.path.c_str(), 1) == 0);
      const PythonChild child(each);
      REQUIRE(unsetenv("LD_PRELOAD") == 0);
      const auto provider = provider_of(child.pid());
      if (!provider) FAIL(provider.error().message);
      CHECK(provider->path == replacement.path);
      const auto image = elf::Image::open(provider->open_path);
      REQUIRE(image);
      const auto allocator = elf::find_c_allocator(*image);
      REQUIRE(allocator);
      CHECK(allocator->kind == replacement.kind);
    }
  }
}

// A library in this process in the interpreter's place.
class Loaded {
 public:
  Loaded(const test::TemporaryFolder& folder, std::string_view source, const std::string& flags)
      : file_(fs::path(folder.path()) / "core.so") {
    const std::string text = folder.file("core.c", source);
    REQUIRE(std::system(
                ("cc -O1 -fno-builtin -shared -fPIC -Wl,-z,norelro " + flags + " -o " + file_ + " " + text).c_str()) ==
            0);
    handle_ = dlopen(file_.c_str(), RTLD_LAZY | RTLD_LOCAL);
    REQUIRE(handle_ != nullptr);
    const link_map* map = nullptr;
    REQUIRE(dlinfo(handle_, RTLD_DI_LINKMAP, &map) == 0);
    bias_ = map->l_addr;
    auto image = elf::Image::open(file_);
    REQUIRE(image);
    image_.emplace(std::move(*image));
  }
  Loaded(const Loaded&) = delete;
  Loaded& operator=(const Loaded&) = delete;
  ~Loaded() { dlclose(handle_); }

  [[nodiscard]] const std::string& file() const { return file_; }
  [[nodiscard]] Result<MappedFile> provider() const { return find_malloc_provider(getpid(), *image_, bias_); }
  // The word through which it calls malloc.
  [[nodiscard]] void** slot() const {
    const auto slots = elf::import_slots(*image_, "malloc");
    REQUIRE(slots.size() == 1);
    return reinterpret_cast<void**>(bias_ + slots.front());  // NOLINT(performance-no-int-to-ptr)
  }
  template <class Function>
  [[nodiscard]] Function* function(const char* name) const {
    return reinterpret_cast<Function*>(dlsym(handle_, name));
  }

 private:
  std::string file_;
  void* handle_ = nullptr;
  std::uint64_t bias_ = 0;
  std::optional<elf::Image> image_;
};

constexpr const char* calls_malloc = "#include <stdlib.h>\nvoid* get(void) { return malloc(1); }\n";

// As the loader says: the file this program's own malloc is in.
std::string own_provider() {
  Dl_info info{};
  REQUIRE(dladdr(dlsym(RTLD_DEFAULT, "malloc"), &info) != 0);
  return info.dli_fname;
}

TEST_CASE("malloc that was never called is who would be called") {
  const test::TemporaryFolder folder;
  const Loaded core(folder, calls_malloc, "-Wl,-z,lazy");
  void* const unbound = *core.slot();
  const auto before = core.provider();
  REQUIRE(before);
  CHECK(fs::equivalent(before->open_path, own_provider()));
  free(core.function<void*()>("get")());
  REQUIRE(*core.slot() != unbound);
  const auto after = core.provider();
  REQUIRE(after);
  CHECK(after->id == before->id);
}

TEST_CASE("an allocator linked into the interpreter is the interpreter's") {
  const test::TemporaryFolder folder;
  const Loaded core(
      folder,
      "#include <stddef.h>\nvoid* malloc(size_t n) { return (void*)n; }\nvoid* get(void) { return malloc(1); }\n",
      GENERATE("-Wl,-Bsymbolic", "-Wl,-z,now"));
  const auto provider = core.provider();
  REQUIRE(provider);
  // With -z now the loader has bound the word to the program's malloc, which comes first: the word is believed.
  const bool linked_to_itself = elf::import_slots(*elf::Image::open(core.file()), "malloc").empty();
  CHECK(fs::equivalent(provider->open_path, linked_to_itself ? core.file() : own_provider()));
}

TEST_CASE("a function written over malloc hides no allocator") {
  const test::TemporaryFolder folder;
  const Loaded core(folder, calls_malloc, "-Wl,-z,now");
  const test::TemporaryFolder other;
  const Loaded profiler(other, "void hook(void) {}\n", "");
  *core.slot() = reinterpret_cast<void*>(profiler.function<void()>("hook"));
  const auto provider = core.provider();
  REQUIRE(provider);
  CHECK(fs::equivalent(provider->open_path, own_provider()));
}

TEST_CASE("malloc outside every file is said to be there") {
  const test::TemporaryFolder folder;
  const Loaded core(folder, calls_malloc, "-Wl,-z,now");
  int nowhere = 0;
  *core.slot() = &nowhere;
  const auto provider = core.provider();
  REQUIRE_FALSE(provider);
  CHECK_THAT(provider.error().message,
             Catch::Contains("calls malloc at 0x") && Catch::EndsWith("where no file is mapped"));
  CHECK(provider.error().kind == ErrorKind::unobservable);
  CHECK_FALSE(provider.error().advice.empty());
}

TEST_CASE("an interpreter that neither imports nor exports malloc is refused") {
  const test::TemporaryFolder folder;
  const Loaded core(folder, "void nothing(void) {}\n", "");
  const auto provider = core.provider();
  REQUIRE_FALSE(provider);
  CHECK_THAT(provider.error().message, Catch::EndsWith("has an allocator linked in whose functions have no names"));
}

TEST_CASE("the malloc of a process that ended is not looked for") {
  const test::TemporaryFolder folder;
  const Loaded core(folder, calls_malloc, "");
  const pid_t pid = fork();
  if (pid == 0) _exit(0);
  waitpid(pid, nullptr, 0);
  const auto image = elf::Image::open(core.file());
  REQUIRE(image);
  const auto provider = find_malloc_provider(pid, *image, 0);
  REQUIRE_FALSE(provider);
  CHECK(provider.error().kind == ErrorKind::unobservable);
  CHECK_THAT(provider.error().message, Catch::StartsWith("no process with PID "));
}

}  // namespace
}  // namespace asyncleak::python
