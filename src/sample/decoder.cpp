#include "sample/bytes.h"
#include "sample/codec.h"
#include "sample/codec_models.h"

namespace asyncleak {

struct SampleDecoder::State {
  std::uint32_t version = codec_version;
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
      if (i < fields_in<Value>(version) && in.bit(of_field.changed)) {
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

SampleDecoder::SampleDecoder(std::uint32_t version) : state_(std::make_unique<State>()) { state_->version = version; }
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
  const bool told_twice =
      sample.wall_ns != moment.wall_ns || sample.monotonic_ns != moment.monotonic_ns || sample.labels != moment.labels;
  const auto nameless = [](const SiteSample& site) { return !site.identity; };
  if (told_twice || std::ranges::any_of(sample.sites, nameless)) return std::nullopt;
  state.earlier = sample;
  fold(sample, false);
  return sample;
}

}  // namespace asyncleak
