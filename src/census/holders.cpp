#include "census/holders.h"

#include "census/callables.h"
#include "census/variables.h"
#include "util/text.h"

#include <fmt/format.h>
#include <algorithm>
#include <set>

namespace asyncleak::census {
namespace {

constexpr int most_hops = 4;
constexpr std::size_t most_targets_a_hop = 512;
// Of an instance whose attributes are in the dict: not a name, but makes one of the dict's key.
const std::string its_dict = "of ";
// Whose attributes are in a dict of its own.
const std::string a_class = "class ";

std::string noun(const Type& type) { return type.name(); }

// "list (3 items)" and "global `jobs` of module app" make "list `jobs` of module app (3 items)".
std::string join_holder(const std::string& container, const std::string& name) {
  for (const std::string_view prefix : {"global ", "attribute ", "local "}) {
    if (!name.starts_with(prefix)) continue;
    const auto size = container.rfind(" (");
    return container.substr(0, size) + " " + name.substr(prefix.size()) +
           (size == std::string::npos ? "" : container.substr(size));
  }
  return container + " in " + name;
}

}  // namespace

std::optional<std::string> Holders::key_of(std::uint64_t dict, std::uint64_t key_or_value) const {
  std::optional<std::string> key;
  readers_->objects.each_entry(dict, [&](std::uint64_t k, std::uint64_t v) {
    if (v != key_or_value && k != key_or_value) return true;
    key = readers_->objects.text(k, 64).value_or("");
    return false;
  });
  return key;
}

// "list `results` of worker(), app.py:12"
std::optional<Holders::Step> Holders::of_generator(const Reference& reference) const {
  for (const auto& local : readers_->coroutines.locals(reference.holder)) {
    if (local.object != reference.target) continue;
    const auto where = readers_->coroutines.where(reference.holder);
    const auto function = where ? where->function : readers_->coroutines.qualname(reference.holder);
    return Step{fmt::format("local `{}` of {}()", local.name, function), 0, 1};
  }
  // A running one's slots change while they are read: which variable it is, is not said.
  if (readers_->coroutines.state(reference.holder) == GeneratorState::running &&
      reference.offset > heap_->objects.gen_frame) {
    return Step{fmt::format("a local of {}(), which is running", readers_->coroutines.qualname(reference.holder)), 0,
                2};
  }
  return std::nullopt;
}

std::optional<Holders::Step> Holders::of_instance(const Reference& reference) const {
  std::string attribute;
  readers_->objects.each_attribute(reference.holder, [&](const std::string& name, std::uint64_t value) {
    if (value != reference.target) return true;
    attribute = name;
    return false;
  });
  if (!attribute.empty()) return Step{fmt::format("attribute `{}` of {}", attribute, noun(*reference.type)), 0, 1};
  if (readers_->objects.dict_of(reference.holder) == reference.target) {
    return Step{its_dict + noun(*reference.type), 0, 1};
  }
  return std::nullopt;
}

// A namespace is followed to its owner; any other dict is a container with a key.
std::optional<Holders::Step> Holders::of_dict(const Reference& reference) const {
  const auto& objects = readers_->objects;
  const auto key = key_of(reference.holder, reference.target);
  if (!key) return std::nullopt;  // beyond its entries, or gone
  if (const auto module = objects.entry(reference.holder, "__name__"); module && !key->empty()) {
    if (const auto name = objects.text(*module))
      return Step{fmt::format("global `{}` of module {}", *key, *name), 0, 0};
  }
  const auto size = objects.length(reference.holder).value_or(0);
  return Step{fmt::format("{} ({} items)", noun(*reference.type), format_count(size)), reference.holder, 2, *key};
}

std::optional<Holders::Step> Holders::of_container(const Reference& reference) const {
  const auto size = readers_->objects.length(reference.holder).value_or(0);
  const std::string items = size == 1 ? "1 item" : format_count(size) + " items";
  return Step{fmt::format("{} ({})", noun(*reference.type), items), reference.holder, 2};
}

std::optional<Holders::Step> Holders::step(const Reference& reference) const {
  const Heap& heap = *heap_;
  switch (reference.type->kind) {
    case Kind::list:
    case Kind::tuple:
    case Kind::set:
    case Kind::deque:
      return of_container(reference);
    case Kind::dict:
      return of_dict(reference);
    case Kind::coroutine:
    case Kind::generator:
    case Kind::async_generator:
      return of_generator(reference);
    case Kind::frame: {
      // Before 3.11 a suspended coroutine's locals are in a frame object of their own.
      const auto code = heap.word(reference.holder + heap.layout.frame_code);
      const CodeText* text = readers_->coroutines.text_of_code(code);
      if (text == nullptr) return std::nullopt;
      const auto slot = (reference.offset - heap.objects.frame_locals) / 8;
      const auto variables = variables_of(readers_->objects, code);
      if (slot < 0 || static_cast<std::size_t>(slot) >= variables.size()) return std::nullopt;  // its value stack
      return Step{fmt::format("local `{}` of {}()", variables[static_cast<std::size_t>(slot)].name, text->qualname), 0,
                  1};
    }
    case Kind::cell:
      return Step{"closure variable", reference.holder, 3};
    case Kind::function: {
      // Its globals are the module's business.
      if (reference.offset != heap.objects.function_closure) return std::nullopt;
      const Callables callables(&readers_->objects, &readers_->coroutines);
      return Step{fmt::format("closure of {}()", callables.describe(reference.holder).name), 0, 1};
    }
    case Kind::type: {
      const Type* type = readers_->types.at(reference.holder);
      return type != nullptr ? std::optional(Step{fmt::format("class {}", type->name()), 0, 1}) : std::nullopt;
    }
    case Kind::method:
      return Step{"bound method", reference.holder, 3};
    case Kind::partial:
      return Step{"partial", reference.holder, 3};
    // How asyncio wakes and runs what waits: not a holder.
    case Kind::task_wakeup:
    case Kind::builtin:
    case Kind::handle:
    case Kind::timer_handle:
    case Kind::future_iterator:
    case Kind::coroutine_wrapper:
    case Kind::weak_reference:
    case Kind::code:
      return std::nullopt;
    case Kind::task:
    case Kind::future: {
      const auto result = heap.word(reference.holder + heap.objects.future_result);
      if (result != reference.target) return std::nullopt;
      return Step{fmt::format("result of a {}", noun(*reference.type)), 0, 2};
    }
    default:
      return of_instance(reference);
  }
}

// From a cell by the tuple it is in to the function that closes over it; "": there is none.
std::string Holders::closure_variable(const Reference& of_cell) const {
  const auto [first, last] = references_.equal_range(of_cell.holder);
  for (auto tuple = first; tuple != last; ++tuple) {
    const auto [begin, end] = references_.equal_range(tuple->second.reference.holder);
    for (auto each = begin; each != end; ++each) {
      const auto& [reference, step] = each->second;
      if (reference.type->kind != Kind::function) continue;
      const auto code = heap_->word(reference.holder + heap_->objects.function_code);
      for (const auto& variable : variables_of(readers_->objects, code)) {
        const auto value = variable.free ? closure_value(readers_->objects, reference.holder, variable.name) : 0;
        if (value == of_cell.target) return fmt::format("closure variable `{}` in {}", variable.name, step.text);
      }
    }
  }
  return {};
}

const std::vector<std::string>& Holders::name(std::uint64_t target, int depth) {
  const auto [known, fresh] = names_.try_emplace(target);
  auto& texts = known->second;
  if (!fresh) return texts;
  std::vector<std::pair<int, std::string>> found;
  std::set<std::uint64_t> seen;
  const auto [first, last] = references_.equal_range(target);
  for (auto it = first; it != last; ++it) {
    const auto& [reference, step] = it->second;
    if (!seen.insert(reference.holder).second) continue;
    if (step.follow == 0 || depth == 0) {
      found.emplace_back(step.rank, step.text);
      continue;
    }
    if (reference.type->kind == Kind::cell) {
      if (auto text = closure_variable(reference); !text.empty()) {
        found.emplace_back(1, std::move(text));
        continue;
      }
    }
    const auto& names = name(step.follow, depth - 1);
    if (names.empty()) {
      found.emplace_back(step.rank + 1, step.text);
    } else if (names.front().starts_with(its_dict)) {
      found.emplace_back(1, fmt::format("attribute `{}` {}", step.key, names.front()));
    } else if (!step.key.empty() && names.front().starts_with(a_class)) {
      found.emplace_back(1, fmt::format("attribute `{}` of {}", step.key, names.front()));
    } else {
      found.emplace_back(step.rank, join_holder(step.text, names.front()));
    }
  }
  std::ranges::stable_sort(found, {}, &std::pair<int, std::string>::first);
  for (auto& [rank, text] : found) {
    if (std::ranges::find(texts, text) == texts.end()) texts.push_back(std::move(text));
  }
  return texts;
}

Result<std::map<std::uint64_t, std::vector<std::string>>> Holders::of(std::span<const std::uint64_t> targets) {
  references_.clear();
  names_.clear();
  std::set<std::uint64_t> asked;
  std::vector<std::uint64_t> next(targets.begin(), targets.end());
  for (int hop = 0; hop < most_hops && !next.empty(); hop++) {
    if (next.size() > most_targets_a_hop) next.resize(most_targets_a_hop);
    asked.insert(next.begin(), next.end());
    const auto found = find_references(*heap_, readers_->types, next);
    if (!found) {
      if (hop == 0) return fail(found.error());
      break;  // the names found so far stand
    }
    next.clear();
    for (const auto& reference : *found) {
      auto known = step(reference);
      if (known && known->follow != 0 && asked.insert(known->follow).second) next.push_back(known->follow);
      if (known) references_.emplace(reference.target, Known{reference, std::move(*known)});
    }
  }
  std::map<std::uint64_t, std::vector<std::string>> texts;
  for (const auto target : targets) texts[target] = name(target, most_hops);
  return texts;
}

std::string Holders::title(std::uint64_t target) {
  const Type* type = readers_->objects.type_of(target);
  if (type == nullptr) return {};
  const auto holders = of(std::span(&target, 1));
  if (!holders || holders->at(target).empty()) return noun(*type);
  return join_holder(noun(*type), holders->at(target).front());
}

}  // namespace asyncleak::census
