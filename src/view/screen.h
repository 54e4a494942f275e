// The live view as a picture: what a report looks like on a screen of a given size.
//
// Used by the main loop in src/cli between Model::update and Terminal::draw. Pure; knows no
// terminal, no clock, no probe. The time of day is shown in the zone the process runs in.
#pragma once

#include "model/report.h"
#include "sample/inspection.h"
#include "view/frame.h"
#include "view/ui_state.h"

namespace asyncleak {

// INSPECTION: the last answer to Action::inspect_site, for Page::tasks; nullptr: none yet.
[[nodiscard]] ScreenFrame render(const Report& report, const UiState& ui, Size size,
                                 const Inspection* inspection = nullptr);

}  // namespace asyncleak
