// Which frame of a creation stack is the answer: the program's own, not asyncio's.
//
// Used by the findings of this folder and by src/view (columns, JSON, metrics). Knows
// nothing but paths.
#pragma once

#include "sample/sample.h"

#include <string_view>

namespace asyncleak {

// True for files of the standard library's asyncio package and for frozen modules. Packages
// that merely have a directory of that name (redis/asyncio, sqlalchemy/ext/asyncio) are not.
[[nodiscard]] bool is_asyncio_file(std::string_view file);

// The first frame outside the asyncio package; when all are inside, the first;
// nullptr when the stack is not known.
[[nodiscard]] const Frame* user_frame(const SiteIdentity& identity);

}  // namespace asyncleak
