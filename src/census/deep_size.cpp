#include "census/deep_size.h"

#include <algorithm>

namespace asyncleak::census {
namespace {

// What holds references that no local of a task should answer for.
bool somebody_elses(Kind kind) {
  switch (kind) {
    case Kind::task:
    case Kind::python_task:
    case Kind::loop:
    case Kind::coroutine:
    case Kind::generator:
    case Kind::async_generator:
    case Kind::async_generator_step:
    case Kind::coroutine_wrapper:
    case Kind::future_iterator:
    case Kind::task_wakeup:
    case Kind::module:
    case Kind::type:
    case Kind::function:
    case Kind::builtin:
    case Kind::code:
    case Kind::frame:
    case Kind::none:
      return true;
    default:
      return false;
  }
}

// An instance written in C whose only reference is its first field: Modules/_io/bytesio.c buf.
bool is_bytes_io(const Type& type) { return type.qualname == "BytesIO" && type.module == "_io"; }

}  // namespace

// References are cheaper than objects, and more: a list may hold one object a million times.
constexpr std::uint64_t references_per_object = 64;

DeepSizer::DeepSizer(const Objects* objects, std::uint64_t limit)
    : objects_(objects), left_(limit), references_left_(limit * references_per_object) {}

bool DeepSizer::nobodys(std::uint64_t object, const Type& type) const {
  if (somebody_elses(type.kind)) return true;
  if (type.kind == Kind::other) return type.qualname == "ellipsis" || type.qualname == "NotImplementedType";
  if ((type.flags & type_heap) != 0) return false;
  switch (type.kind) {
    case Kind::integer: {
      constexpr std::int64_t smallest = -5, largest = 256;  // Objects/longobject.c small_ints
      const auto value = objects_->integer(object);
      return type.qualname == "bool" || (value && *value >= smallest && *value <= largest);
    }
    case Kind::str: {
      const auto shape = objects_->str_shape(object);
      return shape && shape->length <= 1 && shape->kind == 1;
    }
    case Kind::bytes:
      return objects_->length(object).value_or(2) <= 1;
    case Kind::tuple:
      return objects_->length(object) == std::uint64_t{0};
    default:
      return false;
  }
}

bool DeepSizer::queue(std::uint64_t object) {
  if (references_left_ == 0) return false;
  --references_left_;
  if (seen_.contains(object)) return true;
  if (waiting_.size() >= left_) return false;
  waiting_.push_back(object);
  return true;
}

bool DeepSizer::follow_word(std::uint64_t address) {
  const auto object = objects_->heap().memory->value<std::uint64_t>(address);
  return object && (*object == 0 || queue(*object));
}

bool DeepSizer::follow_attributes(std::uint64_t object, DeepSize& size) {
  bool all = true;
  const auto value = [&](std::uint64_t item) { return all = queue(item); };
  size.bytes += objects_->values_bytes(object);
  all = objects_->each_value(object, value) && all;
  const auto dict = objects_->dict_of(object);
  if (dict == 0 || !seen_.insert(dict).second) return all;
  const auto bytes = shallow(dict);
  size.bytes += bytes.value_or(0);
  size.objects += 1;
  const bool read = objects_->each_entry(dict, [&](std::uint64_t, std::uint64_t item) { return value(item); });
  return bytes && read && all;
}

bool DeepSizer::follow(std::uint64_t object, const Type& type, DeepSize& size) {
  const auto& objects = objects_->heap().objects;
  bool all = true;
  const auto item = [&](std::uint64_t each) { return all = queue(each); };
  switch (type.kind) {
    case Kind::list:
    case Kind::tuple:
    case Kind::set:
    case Kind::deque:
      all = objects_->each_item(object, item) && all;
      break;
    case Kind::dict:
      all = objects_->each_entry(object, [&](std::uint64_t key, std::uint64_t value) {
        return item(key) && item(value);
      }) && all;
      break;
    case Kind::cell:
      return follow_word(object + objects.cell_value);
    case Kind::method:
      return follow_word(object + objects.method_self);
    case Kind::memoryview:
      return follow_word(object + objects.memoryview_base);
    case Kind::partial:  // function, arguments, keywords
      all = follow_word(object + objects.partial_function) && follow_word(object + objects.partial_args) &&
            follow_word(object + objects.partial_args + sizeof(std::uint64_t));
      break;
    case Kind::future:
      all = follow_word(object + objects.future_result) && follow_word(object + objects.future_exception);
      break;
    case Kind::str:
    case Kind::bytes:
    case Kind::integer:
    case Kind::floating:
    case Kind::weak_reference:
      if ((type.flags & type_heap) == 0) return true;
      break;
    default:
      if (is_bytes_io(type)) all = follow_word(object + objects_->heap().layout.tuple_size);
      break;
  }
  return follow_attributes(object, size) && all;
}

void DeepSizer::count(std::uint64_t object, DeepSize& size) {
  const Type* type = objects_->type_of(object);
  if (type != nullptr && nobodys(object, *type)) return;
  const auto bytes = type != nullptr ? shallow(object) : std::nullopt;
  if (!bytes) {
    size.cut = true;
    return;
  }
  size.bytes += *bytes;
  size.objects += 1;
  if (!follow(object, *type, size)) size.cut = true;
}

DeepSize DeepSizer::of(std::uint64_t object) {
  DeepSize size;
  waiting_.assign(1, object);
  while (!waiting_.empty()) {
    const auto next = waiting_.back();
    waiting_.pop_back();
    if (!seen_.insert(next).second) continue;
    if (left_ == 0) {
      size.cut = true;
      break;
    }
    --left_;
    count(next, size);
  }
  return size;
}

}  // namespace asyncleak::census
