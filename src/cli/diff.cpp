#include "cli/diff.h"

#include "cli/outputs.h"

namespace asyncleak::cli {

int compare_recordings(const Options& options) {
  return report_error(Error{options.files.front() + " cannot be read yet", "", ErrorKind::failure});
}

}  // namespace asyncleak::cli
