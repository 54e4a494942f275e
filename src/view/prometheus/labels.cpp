#include "view/prometheus/labels.h"

#include "model/site_key.h"
#include "model/user_frame.h"
#include "util/text.h"
#include "view/prometheus/prometheus.h"

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

// Enough to tell places apart.
std::string_view short_key(std::string_view key) { return key.substr(0, 8); }

}  // namespace

std::string site_label(const SiteIdentity& identity) {
  return fmt::format("{}#{}", place_of(identity), short_key(site_key(identity)));
}

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
  // The key stands behind what is cut: it tells places apart that begin alike.
  const std::string own_key = key.empty() ? site_key(identity) : std::string();
  return fmt::format("{},site=\"{}#{}\"", label("coroutine", identity.coroutine, LabelLimits::coroutine),
                     shortened(place_of(identity), LabelLimits::place), short_key(key.empty() ? own_key : key));
}

std::string other_sites() { return R"(coroutine="other",site="other")"; }

}  // namespace asyncleak
