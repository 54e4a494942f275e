// Puts the terminal back when the program crashes: SIGSEGV and its like, abort, an uncaught
// exception, exit() past the destructors.
//
// Used by view/terminal only. Signal handlers have no argument to find an object by, hence free
// functions on one static state. Knows no curses: it is told the bytes to write.
#pragma once

#include <termios.h>
#include <string>

namespace asyncleak {

// From now until disarm_terminal_guard() a crash writes RESTORE to FD and sets MODES.
void arm_terminal_guard(int fd, const termios& modes, const std::string& restore);
void disarm_terminal_guard();

}  // namespace asyncleak
