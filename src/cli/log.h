// Single lines on stderr: what a person, or the journal, is to read while the program goes on.
//
// Used by every command (outputs.h) and the service (daemon.cpp). Knows nothing of what is said.
#pragma once

#include "util/result.h"

#include <string>
#include <string_view>

namespace asyncleak::cli {

// The numbers are those of syslog(3), which the journal takes from the head of a line (sd-daemon(3)).
enum class Level { error = 3, warning = 4, notice = 5, info = 6 };

// "asyncleak-top: MESSAGE"; where stderr is the journal, which adds the name itself, "<4>MESSAGE".
void log(Level level, std::string_view message);

[[nodiscard]] std::string in_one_line(const Error& error);  // MESSAGE: ADVICE

// Whether FD is what $JOURNAL_STREAM names, "DEVICE:INODE" (systemd.exec(5)): it is inherited, but stderr may since
// have been sent elsewhere. TEXT may be nullptr.
[[nodiscard]] bool is_journal(int fd, const char* text);
// One line whatever MESSAGE holds, its end included.
[[nodiscard]] std::string log_line(Level level, std::string_view message, bool journal);

}  // namespace asyncleak::cli
