#include "probe/attachment.h"

#include "probe/privileges.h"
#include "probe/spare_process.h"
#include "util/handle.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <iterator>

namespace asyncleak::probe {

namespace {

// include/uapi/linux/bpf.h, Linux 6.6, which Debian 12's headers do not have.
constexpr auto trace_uprobe_multi = static_cast<bpf_attach_type>(48);  // BPF_TRACE_UPROBE_MULTI
constexpr std::uint32_t multi_at_return = 1;                           // BPF_F_UPROBE_MULTI_RETURN
struct LinkUprobes {                                                   // union bpf_attr.link_create.uprobe_multi
  std::uint32_t program = 0, target = 0, attach_type = trace_uprobe_multi, link_flags = 0;
  std::uint64_t path = 0, offsets = 0, reference_counters = 0, cookies = 0;
  std::uint32_t count = 0, flags = 0, pid = 0, padding = 0;
};

// A file descriptor, or -1 with errno.
int link_uprobes(const LinkUprobes& attributes) {
  return static_cast<int>(syscall(SYS_bpf, BPF_LINK_CREATE, &attributes, sizeof(attributes)));
}

std::uint64_t address_of(const void* data) { return reinterpret_cast<std::uintptr_t>(data); }

// As libbpf's own test (feat_uprobe_multi_link): "/" is no file to probe, and -1 no process. Before 6.10 the kernel
// took a PID for that of one thread, and did not look at the sign either.
bool probe_multi() {
  const RaisedPrivileges raised;
  const std::array<bpf_insn, 2> nothing = {bpf_insn{BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0},
                                           bpf_insn{BPF_JMP | BPF_EXIT, 0, 0, 0, 0}};
  bpf_prog_load_opts options{};
  options.sz = sizeof(options);
  options.expected_attach_type = trace_uprobe_multi;
  const Fd program(bpf_prog_load(BPF_PROG_TYPE_KPROBE, nullptr, "GPL", nothing.data(), nothing.size(), &options));
  if (!program) return false;
  const std::uint64_t offset = 0;
  LinkUprobes attributes;
  attributes.program = static_cast<std::uint32_t>(program.get());
  attributes.path = address_of("/");
  attributes.offsets = address_of(&offset);
  attributes.count = 1;
  const Fd on_directory(link_uprobes(attributes));
  if (on_directory || errno != EBADF) return false;
  attributes.pid = ~0U;
  const Fd on_nobody(link_uprobes(attributes));
  return !on_nobody && errno == EINVAL;
}

// Makes COUNT links, each by MAKE, from its number. 0, or errno of the one that is not there: links[links.size()].
template <class Link, class Make>
int make_links(std::vector<Link>& links, std::size_t count, const Make& make) {
  int error = 0;
  links.reserve(count);
  in_spare_processes(1, [&] {
    while (error == 0 && links.size() < count) {
      Link link(make(links.size()));
      if (link) {
        links.push_back(std::move(link));
      } else {
        error = errno;
      }
    }
  });
  if (links.size() == count) return 0;
  return error != 0 ? error : EINTR;  // somebody ended the process that was to do it
}

Error attach_error(const std::string& path, std::uint64_t offset, int error_number) {
  auto error = refused(fmt::format("attaching a uprobe at {}+0x{:x}", path, offset), error_number,
                       attaches_many() ? "CAP_PERFMON" : "CAP_SYS_ADMIN", "uprobes");
  error.kind = ErrorKind::unobservable;
  return error;
}

// The probes of one program, of one kind.
struct Group {
  const bpf_program* program;
  bool at_return;
  std::vector<std::uint64_t> offsets{}, cookies{};
};

std::vector<Group> group_by_program(const std::vector<Uprobe>& probes) {
  std::vector<Group> groups;
  for (const auto& probe : probes) {
    auto group = std::ranges::find_if(
        groups, [&](const Group& each) { return each.program == probe.program && each.at_return == probe.at_return; });
    if (group == groups.end()) group = groups.insert(group, Group{probe.program, probe.at_return});
    group->offsets.push_back(probe.file_offset);
    group->cookies.push_back(probe.cookie);
  }
  return groups;
}

std::uint32_t multi_pid(pid_t pid) {
  if (pid == 0) return static_cast<std::uint32_t>(getpid());
  return pid < 0 ? 0 : static_cast<std::uint32_t>(pid);
}

// All at once, as the kernel waits for each.
void close_all(std::vector<Fd>& links) {
  constexpr std::size_t most_processes = 32;
  std::atomic<std::size_t> next = 0;
  in_spare_processes(std::min(links.size(), most_processes), [&] {
    for (std::size_t i = next++; i < links.size(); i = next++) links[i].reset();
  });
}

}  // namespace

bool attaches_many() {
  static const bool many = probe_multi();
  return many;
}

void prepare_for_uprobes(bpf_program* program) {
  if (attaches_many()) bpf_program__set_expected_attach_type(program, trace_uprobe_multi);
}

struct Attachment::Links {
  std::vector<Handle<bpf_link, bpf_link__destroy>> links;
  std::vector<Fd> many;
};

Attachment::Attachment(std::unique_ptr<Links> links) : links_(std::move(links)) {}
Attachment::Attachment(Attachment&&) noexcept = default;

Attachment& Attachment::operator=(Attachment&& other) noexcept {
  const Attachment ended(std::move(*this));
  links_ = std::move(other.links_);
  return *this;
}

Attachment::~Attachment() {
  if (links_ == nullptr) return;
  if (!links_->many.empty()) close_all(links_->many);
  if (!links_->links.empty()) in_spare_processes(1, [this] { links_->links.clear(); });
}

void Attachment::detach(std::vector<Attachment> attachments) {
  std::vector<Fd> links;
  for (auto& each : attachments)
    std::move(each.links_->many.begin(), each.links_->many.end(), std::back_inserter(links));
  if (!links.empty()) close_all(links);
}

Result<void> Attachment::attach_groups(const std::string& path, const std::vector<Uprobe>& probes, pid_t pid) {
  const auto groups = group_by_program(probes);
  std::vector<LinkUprobes> wanted(groups.size());
  for (std::size_t i = 0; i < groups.size(); i++) {
    wanted[i].program = static_cast<std::uint32_t>(bpf_program__fd(groups[i].program));
    wanted[i].path = address_of(path.c_str());
    wanted[i].offsets = address_of(groups[i].offsets.data());
    wanted[i].cookies = address_of(groups[i].cookies.data());
    wanted[i].count = static_cast<std::uint32_t>(groups[i].offsets.size());
    wanted[i].flags = groups[i].at_return ? multi_at_return : 0;
    wanted[i].pid = multi_pid(pid);
  }
  auto& links = links_->many;
  const int error = make_links(links, wanted.size(), [&](std::size_t i) { return link_uprobes(wanted[i]); });
  if (error == 0) return {};
  return fail(attach_error(path, groups[links.size()].offsets.front(), error));
}

Result<void> Attachment::attach_each(const std::string& path, const std::vector<Uprobe>& probes, pid_t pid) {
  const pid_t whose = pid == 0 ? getpid() : pid;
  auto& links = links_->links;
  const int error = make_links(links, probes.size(), [&](std::size_t i) {
    const auto& probe = probes[i];
    bpf_uprobe_opts options{};
    options.sz = sizeof(options);
    options.bpf_cookie = probe.cookie;
    options.retprobe = probe.at_return;
    return bpf_program__attach_uprobe_opts(probe.program, whose, path.c_str(), probe.file_offset, &options);
  });
  if (error == 0) return {};
  return fail(attach_error(path, probes[links.size()].file_offset, error));
}

Result<Attachment> Attachment::make(const std::string& path, const std::vector<Uprobe>& probes, pid_t pid) {
  const RaisedPrivileges raised;
  Attachment attachment(std::make_unique<Links>());
  const auto attached =
      attaches_many() ? attachment.attach_groups(path, probes, pid) : attachment.attach_each(path, probes, pid);
  if (!attached) return fail(attached.error());
  return attachment;
}

}  // namespace asyncleak::probe
