#include "sample/codec.h"

#include "every_field.h"
#include "sample/codec_same.h"
#include "sample/range_coder.h"

#include <catch2/catch.hpp>

using namespace asyncleak;

namespace {

std::optional<Sample> decode(SampleDecoder& decoder, const EncodedSample& encoded, const Sample& sample) {
  return decoder.decode(encoded, {sample.wall_ns, sample.monotonic_ns, sample.labels});
}

std::size_t size_of(const EncodedSample& encoded) { return encoded.numbers.size() + encoded.new_texts.size(); }

Sample of_sites(std::size_t sites) {
  Sample sample;
  sample.monotonic_ns = 1'000'000'000'000;
  for (std::size_t i = 0; i < sites; ++i) {
    auto identity = std::make_shared<SiteIdentity>();
    identity->id = i + 1;
    identity->coroutine = "Service.handle_" + std::to_string(i);
    identity->created_at = {{"start", "/srv/app.py", static_cast<int>(i)}};
    SiteSample& site = sample.sites.emplace_back();
    site.identity = std::move(identity);
    site.outstanding = i;
    site.cohorts = {{999'000'000'000, 1'000'000'000'000, i}};
  }
  return sample;
}

}  // namespace

TEST_CASE("every field comes back, extreme values too, whatever the sample before was") {
  test::Filler filler(1);
  for (int run = 0; run < 20; ++run) {
    SampleEncoder encoder;
    SampleDecoder decoder;
    for (int i = 0; i < 20; ++i) {
      const Sample sample = filler.sample(i);
      const auto back = decode(decoder, encoder.encode(sample), sample);
      REQUIRE(back);
      REQUIRE(same(*back, sample));
    }
  }
}

TEST_CASE("sameness sees a difference in any field") {
  // Without this a field that the codec forgot would be forgotten by the comparison, too.
  Sample sample = of_sites(2);
  Sample other = sample;
  CHECK(same(sample, other));
  other.sites[1].last_created_ns = 1;
  CHECK_FALSE(same(sample, other));
  other = sample;
  auto identity = std::make_shared<SiteIdentity>(*sample.sites[0].identity);
  other.sites[0].identity = identity;
  CHECK(same(sample, other));
  identity->created_at[0].line.reset();
  CHECK_FALSE(same(sample, other));
  other = sample;
  other.host_uptime_s = -0.0;
  CHECK_FALSE(same(sample, other));
}

TEST_CASE("sites that did not change cost next to nothing") {
  SampleEncoder encoder;
  Sample sample = of_sites(100);
  CHECK(size_of(encoder.encode(sample)) > 1500);
  for (int i = 0; i < 10; ++i) {
    sample.monotonic_ns += 1'000'000'000;
    CHECK(size_of(encoder.encode(sample)) < 8);  // none did: the list as a whole is the same
  }
  std::size_t size = 0;
  for (int i = 0; i < 10; ++i) {
    sample.monotonic_ns += 1'000'000'000;
    sample.sites[50].outstanding++;
    size = size_of(encoder.encode(sample));
  }
  CHECK(size < 40);
}

TEST_CASE("sites that come, go and change places are found again") {
  SampleEncoder encoder;
  SampleDecoder decoder;
  Sample sample = of_sites(20);
  REQUIRE(same(*decode(decoder, encoder.encode(sample), sample), sample));
  sample.sites.erase(sample.sites.begin() + 3);
  std::swap(sample.sites[5], sample.sites[9]);
  auto identity = std::make_shared<SiteIdentity>();
  identity->id = 99;
  sample.sites.emplace_back().identity = identity;
  const auto encoded = encoder.encode(sample);
  CHECK(size_of(encoded) < 60);
  REQUIRE(same(*decode(decoder, encoded, sample), sample));
}

TEST_CASE("age classes that move, join and thin out cost less than a byte each") {
  SampleEncoder encoder;
  SampleDecoder decoder;
  constexpr std::int64_t slot = 1LL << 30;
  Sample sample = of_sites(1);
  auto& cohorts = sample.sites[0].cohorts;
  std::size_t size = 0;
  for (std::int64_t newest = 1000; newest < 1100; ++newest) {
    sample.monotonic_ns = newest * slot + 12345;
    cohorts.clear();
    for (std::int64_t epoch = newest - 20; epoch < newest; ++epoch) {
      cohorts.push_back({epoch * slot, (epoch + 1) * slot, static_cast<std::uint64_t>(100 - (newest - epoch))});
    }
    cohorts.push_back({newest * slot, sample.monotonic_ns, 100});
    const auto encoded = encoder.encode(sample);
    size = size_of(encoded);
    REQUIRE(same(*decode(decoder, encoded, sample), sample));
  }
  CHECK(size < 12);
}

TEST_CASE("what no encoder wrote is refused") {
  Sample sample = of_sites(3);
  SampleEncoder encoder;
  const EncodedSample whole = encoder.encode(sample);
  const auto refused = [&](const EncodedSample& hostile) {
    SampleDecoder decoder;
    return !decode(decoder, hostile, sample);
  };
  CHECK_FALSE(refused(whole));
  CHECK(refused({whole.numbers + '\0', whole.new_texts}));
  CHECK(refused({whole.numbers, whole.new_texts + '\0'}));
  for (std::size_t size = 0; size < whole.numbers.size(); ++size) {
    CHECK(refused({whole.numbers.substr(0, size), whole.new_texts}));
  }
  for (std::size_t size = 0; size < whole.new_texts.size(); ++size) {
    CHECK(refused({whole.numbers, whole.new_texts.substr(0, size)}));
  }
  // Found by the fuzzer: bytes that tell another moment than their record.
  CHECK(refused({std::string("\xf7\x02\x60\0\0", 5), ""}));
  // Random bytes are a sample now and then, but never more than there is memory for.
  std::mt19937 random(4);
  for (int i = 0; i < 2000; ++i) {
    EncodedSample noise;
    for (int byte = 0; byte < 60; ++byte) noise.numbers += static_cast<char>(random());
    SampleDecoder decoder;
    (void)decode(decoder, noise, sample);
  }
}

TEST_CASE("numbers of every length come back from a range coder, carries included") {
  std::mt19937_64 random(5);
  RangeWriter writer;
  std::array<NumberModel, 3> models;
  std::vector<std::uint64_t> numbers;
  for (int i = 0; i < 20'000; ++i) {
    numbers.push_back(random() >> random() % 64);
    writer.number(models[static_cast<std::size_t>(i) % 3], numbers.back());
  }
  numbers.push_back(UINT64_MAX);
  writer.number(models[0], numbers.back());
  const std::string bytes = writer.take();
  RangeReader reader(bytes);
  models = {};
  for (std::size_t i = 0; i + 1 < numbers.size(); ++i) REQUIRE(reader.number(models[i % 3]) == numbers[i]);
  CHECK(reader.number(models[0]) == UINT64_MAX);
  CHECK(reader.ok());
  CHECK(reader.at_end());
  CHECK(writer.take().size() == 4);  // nothing was written since
}

TEST_CASE("the version of the codec goes with its fields") {
  // Fields were added, or the list changed its order? Read the head of fields.h, raise codec_version, and write the new
  // counts here: recordings of before must still be read, and older programs must say that they cannot.
  STATIC_REQUIRE(codec_version == 2);
  STATIC_REQUIRE(field_count<Sample> == 8);
  STATIC_REQUIRE(field_count<ProbeSample> == 10);
  STATIC_REQUIRE(field_count<Drop> == 3);
  STATIC_REQUIRE(field_count<ProcessSample> == 24);
  STATIC_REQUIRE(fields_in<ProcessSample>(1) == 22);
  STATIC_REQUIRE(field_count<ContainerFacts> == 5);
  STATIC_REQUIRE(field_count<SiteSample> == 14);
  STATIC_REQUIRE(field_count<SlowSteps> == 3);
  STATIC_REQUIRE(field_count<ProcessAllocations> == 8);
  STATIC_REQUIRE(field_count<SiteAllocations> == 10);
  STATIC_REQUIRE(field_count<AllocationLine> == 6);
  STATIC_REQUIRE(field_count<NeverAwaited> == 4);
  STATIC_REQUIRE(field_count<MemorySample> == 10);
  STATIC_REQUIRE(field_count<CensusSample> == 9);
  STATIC_REQUIRE(field_count<LoopSample> == 9);
  STATIC_REQUIRE(field_count<SiteCensus> == 12);
  STATIC_REQUIRE(field_count<PatternEvidence> == 12);
  STATIC_REQUIRE(field_count<HeldSample> == 4);
  STATIC_REQUIRE(field_count<SiteIdentity> == 11);
  STATIC_REQUIRE(field_count<Frame> == 3);
}
