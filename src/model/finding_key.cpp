#include "model/finding_key.h"

#include "model/site_key.h"

namespace asyncleak {

SiteIdentity identity_of(const Finding& finding) {
  SiteIdentity identity;
  identity.coroutine = finding.coroutine;
  identity.file = finding.file;
  identity.line = finding.line;
  identity.created_at = finding.created_at;
  return identity;
}

// Findings about a process have no site; those made before sites had keys tell themselves apart by their names.
FindingKey key_of(const Finding& finding) {
  return {finding.kind, finding.pid, finding.site.empty() ? site_key(identity_of(finding)) : finding.site};
}

}  // namespace asyncleak
