#include "python/object_layout.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <utility>

namespace asyncleak::python {
namespace {

struct ObjectDebugRow {
  int minor;
  ObjectDebugField fields[24];  // ends with the first one without a name
};

constexpr ObjectLayoutRow rows[] = {
#include "python/object_layouts.inc"
};

constexpr ObjectDebugRow debug_rows[] = {
#include "python/object_debug_offsets.inc"
};

// The first contradiction between what a build says and what a row says.
class Contradiction {
 public:
  // FOUND 0: not known.
  void compare(std::string_view what, std::uint32_t found, std::uint32_t expected) {
    if (!text_.empty() || found == 0 || found == expected) return;
    text_ = std::string(what) + " is " + std::to_string(found) + ", the row says " + std::to_string(expected);
  }
  [[nodiscard]] const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace

std::span<const ObjectLayoutRow> object_layout_rows() { return rows; }

const ObjectLayoutRow* find_object_row(int minor, bool free_threaded) {
  const auto* row = std::ranges::find_if(
      rows, [&](const ObjectLayoutRow& each) { return each.minor == minor && each.free_threaded == free_threaded; });
  return row == std::end(rows) ? nullptr : row;
}

Error unknown_objects(std::string_view why) {
  std::string message = "this interpreter's layout is not known; tasks are counted, census off";
  if (!why.empty()) message += " (" + std::string(why) + ")";
  return Error{std::move(message), "use a newer asyncleak-top, or add the line's row: docs/adding-a-python.md",
               ErrorKind::unobservable};
}

std::span<const ObjectDebugField> object_debug_fields(int minor) {
  const auto* row = std::ranges::find(debug_rows, minor, &ObjectDebugRow::minor);
  if (row == std::end(debug_rows)) return {};
  const auto* end = std::ranges::find_if(row->fields, [](const ObjectDebugField& field) { return field.name.empty(); });
  return {std::begin(row->fields), end};
}

std::size_t object_debug_word_count(int minor) {
  std::size_t count = 0;
  for (const ObjectDebugField& field : object_debug_fields(minor))
    count = std::max<std::size_t>(count, field.word + 1U);
  return count;
}

Result<ObjectComparison> apply_object_debug_offsets(const ObjectLayoutRow& row, std::span<const std::uint64_t> words) {
  ObjectComparison result{row.layout, 0, {}};
  for (const ObjectDebugField& field : object_debug_fields(row.minor)) {
    if (field.word >= words.size()) return fail("the debug offsets end early");
    const std::uint64_t value = words[field.word];
    const std::string name(field.name);
    if (value >= AL_ABSENT) {
      return fail("the debug offset of " + name + " is " + std::to_string(value) + ", which no field can have");
    }
    const auto expected = std::exchange(result.layout.*field.member, static_cast<std::uint16_t>(value));
    if (value == expected) {
      ++result.equal;
    } else {
      result.differences.push_back(name + " " + std::to_string(value) + ", row has " + std::to_string(expected));
    }
  }
  return result;
}

Result<ObjectLayout> fit_task_fields(const ObjectLayout& row, const elf::TaskFields& fields) {
  Contradiction found;
  found.compare("tp_basicsize of _asyncio.Task", fields.task_basicsize, row.task_basicsize);
  found.compare("tp_basicsize of _asyncio.Future", fields.future_basicsize, row.future_basicsize);
  found.compare("the loop that Task._loop reads", fields.loop.value_or(0), row.future_loop);
  found.compare("the state that Task._state reads", fields.state.value_or(0), row.future_state);
  found.compare("what Task._fut_waiter reads", fields.fut_waiter.value_or(0), row.task_fut_waiter);
  found.compare("the coroutine that Task._coro reads", fields.coro.value_or(0), row.task_coro);
  found.compare("the name that Task.get_name reads", fields.name.value_or(0), row.task_name);
  ObjectLayout layout = row;
  if (fields.described) {
    const elf::AsyncioDebug& described = *fields.described;
    found.compare(".AsyncioDebug: the size of a task", described.task_size, row.task_basicsize);
    found.compare(".AsyncioDebug: a task's name", described.task_name, row.task_name);
    found.compare(".AsyncioDebug: a task's coroutine", described.task_coro, row.task_coro);
    found.compare(".AsyncioDebug: a task's awaiters", described.task_awaited_by, row.task_awaited_by);
    layout.thread_running_loop = described.thread_running_loop;
    layout.thread_running_task = described.thread_running_task;
  }
  if (!found.text().empty()) return fail(unknown_objects(found.text()));
  return layout;
}

}  // namespace asyncleak::python
