#include "sample/codec.h"

#include "sample/bytes.h"
#include "sample/codec_same.h"
#include "sample/cohort_codec.h"
#include "sample/range_coder.h"

#include <bit>
#include <cmath>
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

// A double that is a count: its difference is shorter than its bits. Not -0, which would come back as 0.
bool is_whole(double value) {
  constexpr double most = 1LL << 52;
  return value > -most && value < most && value == std::trunc(value) && !(value == 0 && std::signbit(value));
}

constexpr std::uint64_t new_text = 0;

// Sums that follow from others are told as what is missing to them, which is nothing, and a coarse time without its
// zeros: TO_WIRE, and back.
void fold(Sample& sample, bool to_wire) {
  for (SiteSample& site : sample.sites) {
    std::uint64_t in_cohorts = 0;
    for (const Cohort& cohort : site.cohorts) in_cohorts += cohort.count;
    const std::uint64_t ended = site.created_total + site.preexisting - in_cohorts;
    site.outstanding += to_wire ? 0 - in_cohorts : in_cohorts;
    site.destroyed_total += to_wire ? 0 - ended : ended;
    const int turn = to_wire ? birth_resolution_bits : -birth_resolution_bits;
    site.last_created_ns = static_cast<std::int64_t>(std::rotr(static_cast<std::uint64_t>(site.last_created_ns), turn));
  }
}

// What a field is coded by: whether it changed, whether a part is there or how many, and its number.
struct FieldModels {
  BitModel changed;
  NumberModel size, number;
};

// All that is learnt from the samples so far, the same in the writer and the reader.
struct Models {
  static constexpr std::size_t most_fields = 24;
  std::array<std::array<FieldModels, most_fields>, Structs::size> fields;
  std::array<BitModel, Structs::size> changed;
  ClassCoding cohorts, byte_cohorts;
  // Busy sites are like busy sites: what is learnt of a site is learnt for those as busy as it was last.
  std::array<std::array<FieldModels, most_fields>, activities> site_fields;
  std::size_t activity = 0;
  std::unordered_map<std::uint64_t, std::size_t> activity_of;  // by key_of()

  // Around each element of a list that has a key.
  template <Keyed Value>
  void begin(const Value* before) {
    if constexpr (std::same_as<Value, SiteSample>) {
      const auto known = before != nullptr ? activity_of.find(key_of(*before)) : activity_of.end();
      activity = known == activity_of.end() ? 0 : known->second;
    }
  }
  template <Keyed Value>
  void end(const Value& value, const Value* before) {
    if constexpr (std::same_as<Value, SiteSample>) {
      const std::uint64_t created = before != nullptr ? value.created_total - before->created_total : 0;
      activity_of[key_of(value)] = std::min<std::size_t>(std::bit_width(created), activities - 1);
    }
  }

  template <Described Value>
  FieldModels& of(std::size_t field) {
    static_assert(Structs::index_of<Value> < Structs::size && field_count<Value> <= most_fields);
    if constexpr (std::same_as<Value, SiteSample>) return site_fields[activity][field];
    return fields[Structs::index_of<Value>][field];
  }
  template <AgeClass Class>
  ClassCoding& classes() {
    ClassCoding& coding = std::same_as<Class, Cohort> ? cohorts : byte_cohorts;
    coding.activity = activity;
    return coding;
  }
};

}  // namespace

struct SampleEncoder::State {
  RangeWriter out;
  ByteWriter new_texts;
  Models models;
  std::unordered_map<std::string, std::uint64_t> texts;
  Sample earlier;

  template <Described Value>
  void put(const Value& value, const Value& before) {
    std::uint32_t changed = 0;
    each_field(value, before, [&](std::size_t i, const auto& now, const auto& then) {
      if (!same(now, then)) changed |= 1U << i;
      return true;
    });
    out.bit(models.changed[Structs::index_of<Value>], changed != 0);
    if (changed == 0) return;
    each_field(value, before, [&](std::size_t i, const auto& now, const auto& then) {
      FieldModels& of_field = models.of<Value>(i);
      const bool differs = (changed >> i & 1) != 0;
      out.bit(of_field.changed, differs);
      if (differs) put(of_field, now, then);
      return true;
    });
  }
  template <Described Value>
  void put(FieldModels&, const Value& value, const Value& before) {
    put(value, before);
  }
  template <class Number>
  requires std::integral<Number> || std::is_enum_v<Number>
  void put(FieldModels& of_field, Number value, Number before) {
    out.difference(of_field.number, static_cast<std::uint64_t>(value) - static_cast<std::uint64_t>(before));
  }
  void put(FieldModels& of_field, double value, double before) {
    const bool whole = is_whole(value) && is_whole(before);
    out.number(of_field.size, whole ? 1 : 0);
    if (whole) return put(of_field, static_cast<std::int64_t>(value), static_cast<std::int64_t>(before));
    out.number(of_field.number, changed_bits(value, before));
  }
  void put(FieldModels& of_field, const std::string& text, const std::string&) {
    const auto [known, is_new] = texts.try_emplace(text, texts.size() + 1);
    out.number(of_field.number, is_new ? new_text : known->second);
    if (is_new) new_texts.text(text);
  }
  template <Optional Value>
  void put(FieldModels& of_field, const Value& value, const Value& before) {
    out.number(of_field.size, value ? 1 : 0);
    if (value) put(of_field, *value, before ? *before : typename Value::value_type{});
  }
  template <class Value>
  void put(FieldModels& of_field, const std::shared_ptr<const Value>& value,
           const std::shared_ptr<const Value>& before) {
    out.number(of_field.size, value ? 1 : 0);
    if (value) put(*value, before ? *before : Value{});
  }
  template <class Value>
  void put(FieldModels& of_field, const std::vector<Value>& list, const std::vector<Value>& before) {
    out.difference(of_field.size, list.size() - before.size());
    if constexpr (AgeClass<Value>) {
      write_classes(out, models.classes<Value>(), list, before);
    } else if constexpr (Keyed<Value>) {
      Earlier<Value> known(before);
      const Value* last = nullptr;
      for (const Value& each : list) {
        put_keyed(of_field, each, last, known);
        last = &each;
      }
    } else {
      for (std::size_t i = 0; i < list.size(); ++i)
        put(of_field, list[i], i < before.size() ? before[i] : i > 0 ? list[i - 1] : Value{});
    }
  }
  // LAST: the element before in the list, which a new one is like.
  template <class Value>
  void put_keyed(FieldModels& of_field, const Value& value, const Value* last, Earlier<Value>& known) {
    const std::size_t next = known.next();
    const std::size_t index = known.find(key_of(value));
    const Value* before = known.at(index);
    out.number(of_field.number, before == nullptr ? not_there : index == next ? next_in_order : index + by_index);
    models.begin(before);
    put(value, before != nullptr ? *before : last != nullptr ? *last : Value{});
    models.end(value, before);
  }
};

SampleEncoder::SampleEncoder() : state_(std::make_unique<State>()) {}
SampleEncoder::SampleEncoder(SampleEncoder&&) noexcept = default;
SampleEncoder& SampleEncoder::operator=(SampleEncoder&&) noexcept = default;
SampleEncoder::~SampleEncoder() = default;

EncodedSample SampleEncoder::encode(const Sample& sample) {
  State& state = *state_;
  state.models.cohorts.bounds.next_sample(sample.monotonic_ns);
  state.models.byte_cohorts.bounds.next_sample(sample.monotonic_ns);
  // Told by the record: no difference.
  state.earlier.wall_ns = sample.wall_ns;
  state.earlier.monotonic_ns = sample.monotonic_ns;
  state.earlier.labels = sample.labels;
  Sample wire = sample;
  fold(wire, true);
  state.put(wire, state.earlier);
  state.earlier = std::move(wire);
  EncodedSample encoded{state.out.take(), state.new_texts.bytes()};
  state.new_texts.clear();
  return encoded;
}

struct SampleDecoder::State {
  RangeReader in{{}};
  ByteReader new_texts{{}};
  Models models;
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
    if (!in.bit(models.changed[Structs::index_of<Value>])) return keep(value, before);
    each_field(value, before, [&](std::size_t i, auto& now, const auto& then) {
      FieldModels& of_field = models.of<Value>(i);
      if (in.bit(of_field.changed)) {
        get(of_field, now, then);
      } else {
        keep(now, then);
      }
      return in.ok();
    });
  }
  template <Described Value>
  void get(FieldModels&, Value& value, const Value& before) {
    get(value, before);
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
  void get(FieldModels& of_field, Number& value, Number before) {
    const std::uint64_t wide = static_cast<std::uint64_t>(before) + in.difference(of_field.number);
    value = static_cast<Number>(wide);
    if (static_cast<std::uint64_t>(value) != wide) in.fail();
  }
  template <class Enum>
  requires std::is_enum_v<Enum>
  void get(FieldModels& of_field, Enum& value, Enum before) {
    int number = 0;
    get(of_field, number, static_cast<int>(before));
    if (is_known(static_cast<Enum>(number))) {
      value = static_cast<Enum>(number);
    } else {
      in.fail();
    }
  }
  void get(FieldModels& of_field, double& value, double before) {
    if (get_presence(of_field)) {
      std::int64_t whole = 0;
      get(of_field, whole, is_whole(before) ? static_cast<std::int64_t>(before) : 0);
      value = static_cast<double>(whole);
      return;
    }
    const std::uint64_t changed = __builtin_bswap64(in.number(of_field.number));
    value = std::bit_cast<double>(std::bit_cast<std::uint64_t>(before) ^ changed);
  }
  void get(FieldModels& of_field, std::string& text, const std::string&) {
    const std::uint64_t known = in.number(of_field.number);
    if (known == new_text) {
      const std::string_view told = new_texts.text();
      texts_memory += told.size() + sizeof(std::string);
      if (!new_texts.ok() || texts_memory > most_memory) in.fail();
      if (in.ok()) texts.emplace_back(told);
    }
    const std::uint64_t index = known == new_text ? texts.size() : known;
    if (index > texts.size() || index == 0) return in.fail();
    if (spend(texts[index - 1].size())) text = texts[index - 1];
  }
  bool get_presence(FieldModels& of_field) {
    const std::uint64_t present = in.number(of_field.size);
    if (present > 1) in.fail();
    return in.ok() && present == 1;
  }
  template <Optional Value>
  void get(FieldModels& of_field, Value& value, const Value& before) {
    value.reset();
    if (get_presence(of_field)) get(of_field, value.emplace(), before ? *before : typename Value::value_type{});
  }
  template <class Value>
  void get(FieldModels& of_field, std::shared_ptr<const Value>& value, const std::shared_ptr<const Value>& before) {
    value.reset();
    if (!get_presence(of_field) || !spend(sizeof(Value))) return;
    auto made = std::make_shared<Value>();
    get(*made, before ? *before : Value{});
    value = std::move(made);
  }
  template <class Value>
  void get(FieldModels& of_field, std::vector<Value>& list, const std::vector<Value>& before) {
    const std::uint64_t size = before.size() + in.difference(of_field.size);
    if (size > most_memory / sizeof(Value)) return in.fail();
    if (!spend(size * sizeof(Value))) return;
    list.clear();
    list.resize(size);
    if constexpr (AgeClass<Value>) {
      read_classes(in, models.classes<Value>(), list, before);
    } else if constexpr (Keyed<Value>) {
      Earlier<Value> known(before);
      for (std::size_t i = 0; i < size && in.ok(); ++i) {
        get_keyed(of_field, list[i], i > 0 ? &list[i - 1] : nullptr, known);
      }
    } else {
      for (std::size_t i = 0; i < size && in.ok(); ++i) {
        get(of_field, list[i], i < before.size() ? before[i] : i > 0 ? list[i - 1] : Value{});
      }
    }
  }
  template <class Value>
  void get_keyed(FieldModels& of_field, Value& value, const Value* last, Earlier<Value>& known) {
    const std::uint64_t told = in.number(of_field.number);
    const Value* before = nullptr;
    if (told != not_there) {
      before = known.at(told == next_in_order ? known.next() : told - by_index);
      if (before == nullptr) in.fail();
    }
    if (!in.ok()) return;
    models.begin(before);
    get(value, before != nullptr ? *before : last != nullptr ? *last : Value{});
    models.end(value, before);
  }
};

SampleDecoder::SampleDecoder() : state_(std::make_unique<State>()) {}
SampleDecoder::SampleDecoder(SampleDecoder&&) noexcept = default;
SampleDecoder& SampleDecoder::operator=(SampleDecoder&&) noexcept = default;
SampleDecoder::~SampleDecoder() = default;

std::optional<Sample> SampleDecoder::decode(const EncodedSample& encoded, const SampleMoment& moment) {
  State& state = *state_;
  state.in = RangeReader(encoded.numbers);
  state.new_texts = ByteReader(encoded.new_texts);
  state.memory_left = most_memory;
  state.models.cohorts.bounds.next_sample(moment.monotonic_ns);
  state.models.byte_cohorts.bounds.next_sample(moment.monotonic_ns);
  state.earlier.wall_ns = moment.wall_ns;
  state.earlier.monotonic_ns = moment.monotonic_ns;
  state.earlier.labels = moment.labels;
  Sample sample;
  state.get(sample, state.earlier);
  if (!state.in.ok() || !state.in.at_end() || state.new_texts.left() > 0) return std::nullopt;
  for (const SiteSample& site : sample.sites) {
    if (!site.identity) return std::nullopt;
  }
  state.earlier = sample;
  fold(sample, false);
  return sample;
}

}  // namespace asyncleak
