#include "cli/inspect.h"

#include "cli/outputs.h"
#include "live/inspector.h"
#include "probe/privileges.h"
#include "view/inspect_json.h"
#include "view/inspect_text.h"

#include <langinfo.h>
#include <unistd.h>
#include <clocale>
#include <sstream>
#include <string_view>

namespace asyncleak::cli {

namespace {

// A pipe gets whole lines, and a terminal what fits.
InspectStyle style_of(const Options& options) {
  InspectStyle style;
  std::setlocale(LC_ALL, "");
  style.ascii = std::string_view(nl_langinfo(CODESET)) != "UTF-8";
  style.width = static_cast<int>(terminal_width(STDOUT_FILENO));
  style.color = shows_color(options);
  return style;
}

}  // namespace

int inspect_process(const Options& options) {
  if (auto less = probe::give_up_privileges(); !less) return report_error(less.error());
  const auto inspection = live::inspect(options.inspect.pid, options.inspect);
  if (!inspection) return report_error(inspection.error());
  std::string text;
  if (options.format == Format::json) {
    text = to_json(*inspection) + "\n";
  } else {
    std::ostringstream out;
    write_inspection(out, *inspection, style_of(options));
    text = out.str();
  }
  return print_once(text);
}

}  // namespace asyncleak::cli
