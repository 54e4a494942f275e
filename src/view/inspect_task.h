// One task of an inspection in lines: what it is, where it waits, what it holds, who holds it.
//
// Used by view/inspect_text (in a tree) and view/page_tasks (alone). Pure.
#pragma once

#include "sample/inspection.h"
#include "view/pages.h"

#include <string>
#include <vector>

namespace asyncleak {

// "Task-12  leaky_worker app.py:12  pending  5m12s  holding 96.0MiB"
[[nodiscard]] Line task_head(const InspectedTask& task);

// The rest, each line after INDENT. NESTED: it stands below the task that awaits it, which need
// not be said again.
[[nodiscard]] std::vector<Line> task_details(const InspectedTask& task, const std::string& indent, bool nested);

// ">5m12s", "312KiB"; "-" where not known.
[[nodiscard]] std::string age_text(const InspectedTask& task);
[[nodiscard]] std::string held_text(const InspectedTask& task);
// cancel() was called, and it lives on.
[[nodiscard]] bool ignores_cancel(const InspectedTask& task);
[[nodiscard]] Role state_role(const InspectedTask& task);

// "12,034 items", "3 characters"; empty where it has no length.
[[nodiscard]] std::string length_text(const InspectedLocal& local);

// "app.py:31 handler < app.py:8 main": from the first frame outside asyncio on.
[[nodiscard]] std::string creator_text(const std::vector<Frame>& created_at);

// Cut to WIDTH columns, the role of each part kept.
[[nodiscard]] Line cut_line(const Line& line, int width);

}  // namespace asyncleak
