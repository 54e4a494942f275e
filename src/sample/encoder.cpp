#include "sample/bytes.h"
#include "sample/codec.h"
#include "sample/codec_models.h"

namespace asyncleak {

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

}  // namespace asyncleak
