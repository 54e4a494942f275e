#include "cli/diff.h"

#include "cli/outputs.h"
#include "model/difference.h"
#include "sample/recording.h"
#include "util/text.h"
#include "view/diff.h"

#include <fmt/format.h>
#include <unistd.h>
#include <algorithm>
#include <optional>

namespace asyncleak::cli {

namespace {

// Verdicts and ages look back so far; more of a long recording need not be read.
constexpr std::int64_t warm_up_ns = 15LL * 60 * 1'000'000'000;

struct Seen {
  Moment moment;
  MomentName name;
};

// What the moment was to somebody who had watched until then.
Result<Seen> look(Recording& recording, const std::string& file, std::size_t index) {
  const auto moments = recording.moments();
  const RecordedMoment& chosen = moments[index];
  std::size_t first = index;
  while (first > 0 && moments[first - 1].monotonic_ns >= chosen.monotonic_ns - warm_up_ns) --first;
  Seen seen;
  seen.name = {file, chosen.labels, chosen.wall_ns,
               static_cast<double>(chosen.monotonic_ns - moments.front().monotonic_ns) / 1e9};
  seen.moment.watched_s = seen.name.watched_s;
  Model model({});
  for (std::size_t i = first; i <= index; ++i) {
    auto sample = recording.read(i);
    if (!sample) return fail(within(file, sample.error()));
    seen.moment.report = model.update(*sample);
  }
  return seen;
}

Result<std::size_t> find(const Recording& recording, const std::string& file, const std::string& when,
                         std::size_t otherwise) {
  if (when.empty()) return otherwise;
  auto found = find_moment(recording.moments(), when);
  if (found) return *found;
  Error error = within(file, found.error());
  error.kind = ErrorKind::usage;
  return fail(std::move(error));
}

// The last moment at which anything lived: what `run` recorded ends with what a program leaves when it has ended, and
// asyncio.run() cancels on its way out what leaked.
std::size_t last_living(Recording& recording) {
  const std::size_t last = recording.moments().size() - 1;
  constexpr std::size_t looked_at = 20;
  for (std::size_t i = last; i + looked_at > last; --i) {
    const auto sample = recording.read(i);
    if (sample && std::ranges::any_of(sample->processes, [](const auto& process) { return !process.ended; })) return i;
    if (i == 0) break;
  }
  return last;
}

Result<Recording> open(const std::string& file) {
  auto recording = Recording::open(file);
  if (recording && !recording->trouble().empty()) warn(fmt::format("{}: {}", file, recording->trouble()));
  return recording;
}

Result<NamedDifference> compare_files(const Options& options) {
  const bool same_file = options.files.size() == 1;
  const std::string& first_file = options.files.front();
  const std::string& last_file = options.files.back();
  auto first = open(first_file);
  if (!first) return fail(first.error());
  std::optional<Recording> second;
  if (!same_file) {
    auto opened = open(last_file);
    if (!opened) return fail(opened.error());
    second.emplace(std::move(*opened));
  }
  Recording& last = second ? *second : *first;
  const auto from = find(*first, first_file, options.from, same_file ? 0 : last_living(*first));
  if (!from) return fail(from.error());
  const auto to = find(last, last_file, options.to, last_living(last));
  if (!to) return fail(to.error());
  if (same_file && *to < *from) {
    return fail("--to is before --from", "the earlier moment is that of --from", ErrorKind::usage);
  }
  auto before = look(*first, first_file, *from);
  if (!before) return fail(before.error());
  auto after = look(last, last_file, *to);
  if (!after) return fail(after.error());
  after->moment.same_session = same_file;
  return NamedDifference{before->name, after->name, compare(before->moment, after->moment)};
}

}  // namespace

int compare_recordings(const Options& options) {
  const auto diff = compare_files(options);
  if (!diff) return report_error(diff.error());
  if (options.format == Format::json) return print_once(diff_json(*diff, options.limit) + "\n");
  return print_once(diff_text(*diff, {options.limit, terminal_width(STDOUT_FILENO), shows_color(options)}));
}

}  // namespace asyncleak::cli
