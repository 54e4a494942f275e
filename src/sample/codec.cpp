#include "sample/codec.h"

#include "sample/bytes.h"
#include "sample/codec_same.h"
#include "sample/cohort_codec.h"

#include <bit>
#include <concepts>
#include <unordered_map>

namespace asyncleak {
namespace {

// How an element that has a key is told: the one after the last told, none of the sample before, or which.
constexpr std::uint64_t next_in_order = 0, not_there = 1, by_index = 2;

// Where the elements of a list stood one sample ago. The same steps in the writer and the reader.
template <class Value>
class Earlier {
 public:
  explicit Earlier(const std::vector<Value>& list) : list_(list) {}

  // The element at INDEX, nullptr: there is none; the next in order is the one behind it.
  const Value* at(std::size_t index) {
    if (index >= list_.size()) return nullptr;
    next_ = index + 1;
    return &list_[index];
  }
  [[nodiscard]] std::size_t next() const { return next_; }

  // The writer's: list_.size() where KEY is not there.
  std::size_t find(std::uint64_t key) {
    if (next_ < list_.size() && key_of(list_[next_]) == key) return next_;
    if (places_.empty()) {
      for (std::size_t i = 0; i < list_.size(); ++i) places_.emplace(key_of(list_[i]), i);
    }
    const auto found = places_.find(key);
    return found == places_.end() ? list_.size() : found->second;
  }

 private:
  const std::vector<Value>& list_;
  std::size_t next_ = 0;
  std::unordered_map<std::uint64_t, std::size_t> places_;
};

// The high bits of a double change least: they go to the end, where zeros cost nothing.
std::uint64_t changed_bits(double a, double b) {
  return __builtin_bswap64(std::bit_cast<std::uint64_t>(a) ^ std::bit_cast<std::uint64_t>(b));
}

const std::uint64_t new_text = 0;

}  // namespace

struct SampleEncoder::State {
  ByteWriter out;
  CohortBounds bounds;
  std::unordered_map<std::string, std::uint64_t> texts;
  Sample earlier;

  template <Described Value>
  void put(const Value& value, const Value& before) {
    std::uint64_t changed = 0;
    each_field(value, before, [&](std::size_t i, const auto& now, const auto& then) {
      if (!same(now, then)) changed |= std::uint64_t{1} << i;
      return true;
    });
    out.number(changed);
    each_field(value, before, [&](std::size_t i, const auto& now, const auto& then) {
      if ((changed >> i & 1) != 0) put(now, then);
      return true;
    });
  }
  template <class Number>
  requires std::integral<Number> || std::is_enum_v<Number>
  void put(Number value, Number before) {
    out.difference(static_cast<std::uint64_t>(value) - static_cast<std::uint64_t>(before));
  }
  void put(double value, double before) { out.number(changed_bits(value, before)); }
  void put(const std::string& text, const std::string&) {
    const auto [known, is_new] = texts.try_emplace(text, texts.size() + 1);
    out.number(is_new ? new_text : known->second);
    if (is_new) out.text(text);
  }
  template <class Value>
  void put(const std::optional<Value>& value, const std::optional<Value>& before) {
    out.number(value ? 1 : 0);
    if (value) put(*value, before ? *before : Value{});
  }
  template <class Value>
  void put(const std::shared_ptr<const Value>& value, const std::shared_ptr<const Value>&) {
    out.number(value ? 1 : 0);
    if (value) put(*value, Value{});
  }
  template <class Value>
  void put(const std::vector<Value>& list, const std::vector<Value>& before) {
    out.number(list.size());
    if constexpr (AgeClass<Value>) {
      write_classes(out, bounds, list, before);
    } else if constexpr (Keyed<Value>) {
      Earlier<Value> known(before);
      for (const Value& each : list) put_keyed(each, known);
    } else {
      for (std::size_t i = 0; i < list.size(); ++i) put(list[i], i < before.size() ? before[i] : Value{});
    }
  }
  template <class Value>
  void put_keyed(const Value& value, Earlier<Value>& known) {
    const std::size_t next = known.next();
    const std::size_t index = known.find(key_of(value));
    const Value* before = known.at(index);
    out.number(before == nullptr ? not_there : index == next ? next_in_order : index + by_index);
    put(value, before != nullptr ? *before : Value{});
  }
};

SampleEncoder::SampleEncoder() : state_(std::make_unique<State>()) {}
SampleEncoder::SampleEncoder(SampleEncoder&&) noexcept = default;
SampleEncoder& SampleEncoder::operator=(SampleEncoder&&) noexcept = default;
SampleEncoder::~SampleEncoder() = default;

std::string_view SampleEncoder::encode(const Sample& sample) {
  State& state = *state_;
  state.out.clear();
  state.bounds.next_sample(sample.monotonic_ns);
  // Told by the record: no difference.
  state.earlier.wall_ns = sample.wall_ns;
  state.earlier.monotonic_ns = sample.monotonic_ns;
  state.earlier.labels = sample.labels;
  state.put(sample, state.earlier);
  state.earlier = sample;
  return state.out.bytes();
}

struct SampleDecoder::State {
  ByteReader in{{}};
  CohortBounds bounds;
  std::vector<std::string> texts;
  std::size_t texts_memory = 0;
  Sample earlier;
  std::size_t memory_left = 0;

  // Before BYTES are made of what was read.
  bool spend(std::size_t bytes) {
    if (bytes > memory_left) in.fail();
    memory_left -= std::min(bytes, memory_left);
    return in.ok();
  }

  template <Described Value>
  void get(Value& value, const Value& before) {
    const std::uint64_t changed = in.number();
    if (field_count<Value> < 64 && changed >> field_count<Value> != 0) in.fail();
    each_field(value, before, [&](std::size_t i, auto& now, const auto& then) {
      if ((changed >> i & 1) != 0) {
        get(now, then);
      } else {
        keep(now, then);
      }
      return in.ok();
    });
  }

  // What is unchanged is copied, and costs memory all the same.
  template <class Value>
  void keep(Value& now, const Value& then) {
    if constexpr (std::same_as<Value, std::string>) {
      if (spend(then.size())) now = then;
    } else if constexpr (requires {
                           then.size();
                           then.front();
                         }) {
      if (!spend(then.size() * sizeof(then.front()))) return;
      if constexpr (std::is_trivially_copyable_v<std::remove_cvref_t<decltype(then.front())>>) {
        now = then;
        return;
      }
      now.resize(then.size());
      for (std::size_t i = 0; i < then.size() && in.ok(); ++i) keep(now[i], then[i]);
    } else if constexpr (requires { then.has_value(); }) {
      now.reset();
      if (then) keep(now.emplace(), *then);
    } else if constexpr (Described<Value>) {
      each_field(now, then, [&](std::size_t, auto& x, const auto& y) {
        keep(x, y);
        return in.ok();
      });
    } else {
      now = then;
    }
  }

  template <std::integral Number>
  void get(Number& value, Number before) {
    const std::uint64_t wide = static_cast<std::uint64_t>(before) + in.difference();
    value = static_cast<Number>(wide);
    if (static_cast<std::uint64_t>(value) != wide) in.fail();
  }
  template <class Enum>
  requires std::is_enum_v<Enum>
  void get(Enum& value, Enum before) {
    int number = 0;
    get(number, static_cast<int>(before));
    if (is_known(static_cast<Enum>(number))) {
      value = static_cast<Enum>(number);
    } else {
      in.fail();
    }
  }
  void get(double& value, double before) {
    value = std::bit_cast<double>(std::bit_cast<std::uint64_t>(before) ^ __builtin_bswap64(in.number()));
  }
  void get(std::string& text, const std::string&) {
    const std::uint64_t known = in.number();
    if (known == new_text) {
      const std::string_view told = in.text();
      texts_memory += told.size() + sizeof(std::string);
      if (texts_memory > most_memory) in.fail();
      if (in.ok()) texts.emplace_back(told);
    }
    const std::uint64_t index = known == new_text ? texts.size() : known;
    if (index > texts.size() || index == 0) return in.fail();
    if (spend(texts[index - 1].size())) text = texts[index - 1];
  }
  bool get_presence() {
    const std::uint64_t present = in.number();
    if (present > 1) in.fail();
    return in.ok() && present == 1;
  }
  template <class Value>
  void get(std::optional<Value>& value, const std::optional<Value>& before) {
    value.reset();
    if (get_presence()) get(value.emplace(), before ? *before : Value{});
  }
  template <class Value>
  void get(std::shared_ptr<const Value>& value, const std::shared_ptr<const Value>&) {
    value.reset();
    if (!get_presence() || !spend(sizeof(Value))) return;
    auto made = std::make_shared<Value>();
    get(*made, Value{});
    value = std::move(made);
  }
  template <class Value>
  void get(std::vector<Value>& list, const std::vector<Value>& before) {
    const std::uint64_t size = in.number();
    if (size > in.left()) return in.fail();  // each has a byte at least
    if (!spend(size * sizeof(Value))) return;
    list.clear();
    list.resize(size);
    if constexpr (AgeClass<Value>) {
      read_classes(in, bounds, list, before);
    } else if constexpr (Keyed<Value>) {
      Earlier<Value> known(before);
      for (std::size_t i = 0; i < size && in.ok(); ++i) get_keyed(list[i], known);
    } else {
      for (std::size_t i = 0; i < size && in.ok(); ++i) get(list[i], i < before.size() ? before[i] : Value{});
    }
  }
  template <class Value>
  void get_keyed(Value& value, Earlier<Value>& known) {
    const std::uint64_t told = in.number();
    const Value* before = nullptr;
    if (told != not_there) {
      before = known.at(told == next_in_order ? known.next() : told - by_index);
      if (before == nullptr) in.fail();
    }
    if (in.ok()) get(value, before != nullptr ? *before : Value{});
  }
};

SampleDecoder::SampleDecoder() : state_(std::make_unique<State>()) {}
SampleDecoder::SampleDecoder(SampleDecoder&&) noexcept = default;
SampleDecoder& SampleDecoder::operator=(SampleDecoder&&) noexcept = default;
SampleDecoder::~SampleDecoder() = default;

const Sample* SampleDecoder::decode(std::string_view bytes, const SampleMoment& moment) {
  State& state = *state_;
  state.in = ByteReader(bytes);
  state.memory_left = most_memory;
  state.bounds.next_sample(moment.monotonic_ns);
  state.earlier.wall_ns = moment.wall_ns;
  state.earlier.monotonic_ns = moment.monotonic_ns;
  state.earlier.labels = moment.labels;
  Sample sample;
  state.get(sample, state.earlier);
  if (!state.in.ok() || state.in.left() > 0) return nullptr;
  for (const SiteSample& site : sample.sites) {
    if (!site.identity) return nullptr;
  }
  state.earlier = std::move(sample);
  return &state.earlier;
}

}  // namespace asyncleak
