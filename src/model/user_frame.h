// Which frame of a stack is the answer: the program's own, not asyncio's and not a library's.
//
// Used by the findings of this folder and by src/view (columns, pages, metrics). Knows nothing but paths and the
// names of functions.
#pragma once

#include "sample/sample.h"

#include <span>
#include <string_view>

namespace asyncleak {

// True for files of the standard library's asyncio package and for frozen modules. Packages
// that merely have a directory of that name (redis/asyncio, sqlalchemy/ext/asyncio) are not.
[[nodiscard]] bool is_asyncio_file(std::string_view file);

// Whose code a frame runs, the best answer first.
enum class CodeOwner {
  user,       // a file of the program
  typed,      // python -c, standard input, a prompt
  library,    // an installed package, the standard library, the script that an installer made for a package
  generated,  // <attrs generated init ...>; also what has no file
  asyncio,
};
[[nodiscard]] CodeOwner owner_of(const Frame& frame);

// FRAMES innermost first, a creation stack or an await chain: the first of the best owner among those that led there.
// What stands below a callback of the event loop did not: that only started the loop. nullptr when FRAMES is empty.
[[nodiscard]] const Frame* user_frame(std::span<const Frame> frames);
[[nodiscard]] const Frame* user_frame(const SiteIdentity& identity);  // of its creation stack

// "uvicorn" of ".../site-packages/uvicorn/server.py"; empty: in no installed package.
[[nodiscard]] std::string_view package_of(std::string_view file);

}  // namespace asyncleak
