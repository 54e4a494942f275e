#include "probe/attachment.h"

#include "util/handle.h"

#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <cerrno>

namespace asyncleak::probe {

struct Attachment::Links {
  std::vector<Handle<bpf_link, bpf_link__destroy>> links;
};

Attachment::Attachment(std::unique_ptr<Links> links) : links_(std::move(links)) {}
Attachment::Attachment(Attachment&&) noexcept = default;
Attachment& Attachment::operator=(Attachment&&) noexcept = default;
Attachment::~Attachment() = default;

Result<Attachment> Attachment::make(const std::string& path, const std::vector<Uprobe>& probes, pid_t pid) {
  auto links = std::make_unique<Links>();
  for (const auto& probe : probes) {
    bpf_uprobe_opts options{};
    options.sz = sizeof(options);
    options.bpf_cookie = probe.cookie;
    options.retprobe = probe.at_return;
    bpf_link* link = bpf_program__attach_uprobe_opts(probe.program, pid, path.c_str(), probe.file_offset, &options);
    if (link == nullptr) {
      auto error = system_error(fmt::format("attaching a uprobe at {}+0x{:x}", path, probe.file_offset), errno);
      // Not CAP_PERFMON: since CVE-2025-38466 (6.16, 6.12.39, 6.6.99, 6.1.146) uprobes want more.
      if (errno == EPERM || errno == EACCES) error.advice = "run as root, or with CAP_SYS_ADMIN";
      error.kind = ErrorKind::unobservable;
      return fail(std::move(error));
    }
    links->links.emplace_back(link);
  }
  return Attachment(std::move(links));
}

}  // namespace asyncleak::probe
