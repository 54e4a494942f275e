#include "elf/c_allocator.h"

#include "elf/imports.h"
#include "elf/return_points.h"

#include <fmt/format.h>
#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

namespace asyncleak::elf {
namespace {

struct Known {
  std::string_view name;
  AllocatorCall call;
  std::size_t arguments;
};

// Not here: cfree (gone since glibc 2.26; calls free where it is a function of its own) and the C++ operators.
constexpr std::array<Known, 10> family = {{
    {"malloc", AllocatorCall::malloc, 1},
    {"calloc", AllocatorCall::calloc, 2},
    {"realloc", AllocatorCall::realloc, 2},
    {"reallocarray", AllocatorCall::reallocarray, 3},
    {"aligned_alloc", AllocatorCall::aligned_alloc, 2},
    {"memalign", AllocatorCall::aligned_alloc, 2},
    {"posix_memalign", AllocatorCall::posix_memalign, 3},
    {"valloc", AllocatorCall::page_aligned, 1},
    {"pvalloc", AllocatorCall::page_aligned, 1},
    {"free", AllocatorCall::free, 1},
}};

// The System V order.
constexpr std::array<Register, 3> arguments = {Register::rdi, Register::rsi, Register::rdx};

struct Marker {
  std::string_view symbol;
  std::string_view kind;
};

// A name that nobody else exports. Replacements first: a program that has one linked in exports its own names.
constexpr std::array<Marker, 7> markers = {{
    {"mi_malloc", "mimalloc"},
    {"mallctl", "jemalloc"},
    {"je_mallctl", "jemalloc"},
    {"je_malloc", "jemalloc"},
    {"tc_malloc", "tcmalloc"},
    // Google's newer tcmalloc has no tc_ names; its malloc_extension.h does not come without this one.
    {"MallocExtension_Internal_GetNumericProperty", "tcmalloc"},
    {"gnu_get_libc_version", "glibc"},
}};

std::string kind_of(const Image& image) {
  for (const Marker& marker : markers) {
    if (image.dynamic_symbol(marker.symbol)) return std::string(marker.kind);
  }
  return "C library";
}

Result<Placement> entry_place(const Image& image, const Known& function, std::uint64_t entry) {
  auto placement = function.call == AllocatorCall::free
                       ? place_behind_null_check(image, entry, arguments[0])
                       : place_probe(image, entry, std::span(arguments).first(function.arguments));
  if (!placement) return fail(within(function.name, placement.error()));
  return placement;
}

}  // namespace

Result<CAllocator> find_c_allocator(const Image& image) {
  const auto malloc_entry = exported_function(image, "malloc");
  if (!malloc_entry || !exported_function(image, "free")) return fail("it exports no malloc and free of its own");
  CAllocator found{kind_of(image), {}, {}, {}};
  std::vector<std::uint64_t> entries;
  for (const Known& function : family) {
    const auto entry = exported_function(image, function.name);
    // One function under several names is probed once.
    if (!entry || std::ranges::find(entries, *entry) != entries.end()) continue;
    entries.push_back(*entry);
    auto placement = entry_place(image, function, *entry);
    if (!placement) return fail(placement.error());
    found.functions.push_back({function.call, std::string(function.name), std::move(*placement)});
  }
  auto returns = find_points_of_returns(image, *malloc_entry, arguments[0]);
  // glibc before 2.34 jumps to __malloc_hook when a debugger of memory has set it.
  const std::size_t may_be_unseen = found.kind == "glibc" ? 1 : 0;
  if (!returns) {
    found.no_returns_because = returns.error().message;
  } else if (returns->unseen_returns.size() > may_be_unseen) {
    found.no_returns_because = "malloc ends in a jump to a computed address";
  } else {
    found.malloc_returns = std::move(*returns);
  }
  return found;
}

}  // namespace asyncleak::elf
