#include "view/prometheus/labels.h"

#include "model/site_key.h"
#include "model/user_frame.h"
#include "util/text.h"

#include <fmt/format.h>

namespace asyncleak {
namespace {

// The user's own.
std::string place_of(const SiteIdentity& identity) {
  const Frame defined{"", identity.file, identity.line};
  const Frame* frame = identity.blocks ? &defined : user_frame(identity);
  std::string place = frame != nullptr && !frame->file.empty() ? std::string(base_name(frame->file)) : "unknown";
  if (frame != nullptr && frame->line) place += fmt::format(":{}", *frame->line);
  return place;
}

}  // namespace

std::string process_labels(pid_t pid, const ProcessSample* process) {
  const auto text = [process](std::string ProcessSample::*member) {
    return process != nullptr ? std::string_view(process->*member) : std::string_view{};
  };
  return fmt::format("pid=\"{}\",{},{},{}", pid, label("comm", text(&ProcessSample::comm), LabelLimits::comm),
                     label("unit", text(&ProcessSample::unit), LabelLimits::unit),
                     label("container", text(&ProcessSample::container), LabelLimits::container));
}

std::string other_processes() { return R"(pid="",comm="other",unit="",container="")"; }

std::string site_labels(const SiteIdentity& identity, std::string_view key) {
  constexpr std::size_t key_digits = 8;  // enough to tell places apart
  // The key stands behind what is cut: it tells places apart that begin alike.
  const std::string own_key = key.empty() ? site_key(identity) : std::string();
  return fmt::format("{},site=\"{}#{}\"", label("coroutine", identity.coroutine, LabelLimits::coroutine),
                     shortened(place_of(identity), LabelLimits::place),
                     (key.empty() ? own_key : key).substr(0, key_digits));
}

std::string other_sites() { return R"(coroutine="other",site="other")"; }

}  // namespace asyncleak
