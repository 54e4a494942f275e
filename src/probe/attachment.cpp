#include "probe/attachment.h"

#include "probe/privileges.h"
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
#include <system_error>
#include <thread>

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
Attachment& Attachment::operator=(Attachment&&) noexcept = default;
Attachment::~Attachment() = default;

void Attachment::detach(std::vector<Attachment> attachments) {
  std::vector<Fd> links;
  for (auto& each : attachments)
    std::move(each.links_->many.begin(), each.links_->many.end(), std::back_inserter(links));
  std::atomic<std::size_t> next = 0;
  const auto close_some = [&] {
    for (std::size_t i = next++; i < links.size(); i = next++) links[i].reset();
  };
  constexpr std::size_t most_threads = 32;
  std::vector<std::jthread> threads;
  try {
    while (threads.size() < std::min(links.size(), most_threads)) threads.emplace_back(close_some);
  } catch (const std::system_error&) {  // no more of them: those there are do it, and this one
  }
  close_some();
}

Result<void> Attachment::attach_groups(const std::string& path, const std::vector<Uprobe>& probes, pid_t pid) {
  for (const auto& group : group_by_program(probes)) {
    LinkUprobes attributes;
    attributes.program = static_cast<std::uint32_t>(bpf_program__fd(group.program));
    attributes.path = address_of(path.c_str());
    attributes.offsets = address_of(group.offsets.data());
    attributes.cookies = address_of(group.cookies.data());
    attributes.count = static_cast<std::uint32_t>(group.offsets.size());
    attributes.flags = group.at_return ? multi_at_return : 0;
    attributes.pid = multi_pid(pid);
    Fd link(link_uprobes(attributes));
    if (!link) return fail(attach_error(path, group.offsets.front(), errno));
    links_->many.push_back(std::move(link));
  }
  return {};
}

Result<void> Attachment::attach_each(const std::string& path, const std::vector<Uprobe>& probes, pid_t pid) {
  for (const auto& probe : probes) {
    bpf_uprobe_opts options{};
    options.sz = sizeof(options);
    options.bpf_cookie = probe.cookie;
    options.retprobe = probe.at_return;
    bpf_link* link = bpf_program__attach_uprobe_opts(probe.program, pid, path.c_str(), probe.file_offset, &options);
    if (link == nullptr) return fail(attach_error(path, probe.file_offset, errno));
    links_->links.emplace_back(link);
  }
  return {};
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
