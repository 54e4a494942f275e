#include "model/report.h"

#include <algorithm>

namespace asyncleak {

Verdict worst_verdict(const SiteRow& site) {
  // Bytes that come and go say nothing; what the tasks do does.
  return site.allocated_verdict >= Verdict::growing ? std::max(site.verdict, site.allocated_verdict) : site.verdict;
}

std::string_view name_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::fresh:
      return "new";
    case Verdict::churn:
      return "churn";
    case Verdict::steady:
      return "steady";
    case Verdict::growing:
      return "growing";
    case Verdict::leak:
      break;
  }
  return "leak";
}

std::string_view name_of(Severity severity) { return severity == Severity::leak ? "leak" : "warning"; }

std::string_view name_of(Coverage coverage) {
  switch (coverage) {
    case Coverage::exact:
      return "exact";
    case Coverage::since_attach:
      return "since-attach";
    case Coverage::at_least:
      return "at-least";
    case Coverage::none:
      break;
  }
  return "none";
}

}  // namespace asyncleak
