// The screen and what it shows: of what runs now, or of a recording. Keys change nothing else.
//
// Used by live.cpp and replay.cpp. Knows neither probes nor files of samples.
#pragma once

#include "cli/options.h"
#include "model/report.h"
#include "sample/inspection.h"
#include "util/result.h"
#include "view/keys.h"
#include "view/terminal.h"

#include <functional>
#include <optional>
#include <string>

namespace asyncleak::cli {

class LiveScreen {
 public:
  // What the screen cannot do by itself.
  using Act = std::function<void(Action)>;

  // nullopt: another format is wanted, or there is no terminal.
  [[nodiscard]] static Result<std::optional<LiveScreen>> open(const Options& options);
  LiveScreen(Terminal terminal, const Options& options);

  [[nodiscard]] int input_fd() const { return terminal_.input_fd(); }
  [[nodiscard]] UiState& ui() { return ui_; }
  void say(std::string message) { ui_.message = std::move(message); }
  // nullptr: no site is, or it has gone.
  [[nodiscard]] const SiteRow* selected_site() const;
  void show_inspection(std::optional<Inspection> inspection) { inspection_ = std::move(inspection); }

  void show(const Report& report);
  void draw();
  // False: the user wants to leave.
  [[nodiscard]] bool take_keys(const Act& act);

 private:
  [[nodiscard]] const Inspection* inspection() const { return inspection_ ? &*inspection_ : nullptr; }
  void write_snapshot();

  Terminal terminal_;
  UiState ui_;
  Report shown_;
  std::optional<Inspection> inspection_;
};

}  // namespace asyncleak::cli
