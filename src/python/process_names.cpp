#include "python/process_names.h"

#include "python/cgroup.h"
#include "python/proc_text.h"
#include "python/target_root.h"

#include <unistd.h>
#include <ctime>
#include <filesystem>
#include <system_error>

namespace asyncleak::python {
namespace {

// Of what a stranger may make as long as he likes.
constexpr std::size_t most_environment_bytes = 262144, most_name_bytes = 256;

std::string first_line(std::string_view text) { return std::string(take(text, '\n')); }

// In the machine's own UTS namespace (include/linux/proc_ns.h, PROC_UTS_INIT_INO) the host name is that of the node,
// which a pod with hostNetwork shares. Where it cannot be told, no name is better than a wrong one.
bool has_own_hostname(pid_t pid) {
  std::error_code error;
  const auto name = std::filesystem::read_symlink("/proc/" + std::to_string(pid) + "/ns/uts", error);
  return !error && name != "uts:[4026531838]";
}

// Kubernetes sets a pod's host name to its name, cut after 63 characters, unless the pod has hostNetwork or asks for
// another (kubernetes 1.30: pkg/kubelet/kubelet_pods.go, GeneratePodHostNameAndDomain()).
std::string name_of_pod(pid_t pid) {
  if (!has_own_hostname(pid)) return {};
  if (const auto environment = read_proc(pid, "environ", most_environment_bytes)) {
    if (const auto name = variable(*environment, "HOSTNAME"); !name.empty()) {
      return std::string(name.substr(0, most_name_bytes));
    }
  }
  return first_line(read_in_root(pid, "/etc/hostname", most_name_bytes).value_or(""));
}

std::string namespace_of_pod(pid_t pid) {
  constexpr const char* file = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";
  return first_line(read_in_root(pid, file, most_name_bytes).value_or(""));
}

// The difference of these two clocks changes only when somebody sets the time, so the result stands still, rounded to
// the ticks that /proc counts in.
std::int64_t started_wall_ns(std::uint64_t start_ticks) {
  constexpr std::int64_t second_ns = 1'000'000'000;
  const auto now_ns = [](clockid_t clock) {
    timespec now{};
    clock_gettime(clock, &now);
    return now.tv_sec * second_ns + now.tv_nsec;
  };
  const std::int64_t tick_ns = second_ns / sysconf(_SC_CLK_TCK);
  const std::int64_t boot_ns = now_ns(CLOCK_REALTIME) - now_ns(CLOCK_BOOTTIME);
  return (boot_ns / tick_ns + static_cast<std::int64_t>(start_ticks)) * tick_ns;
}

}  // namespace

void add_names(ProcessInfo& info) {
  if (const auto cgroup = read_proc(info.pid, "cgroup")) {
    CgroupNames names = parse_cgroup(*cgroup);
    info.unit = std::move(names.unit);
    info.container = std::move(names.container);
    info.inside.runtime = std::move(names.runtime);
    info.inside.pod_uid = std::move(names.pod_uid);
  }
  if (const auto status = read_proc(info.pid, "status")) info.inside.pid = parse_inner_pid(*status);
  info.started_wall_ns = started_wall_ns(info.start_ticks);
  if (info.inside.pod_uid.empty()) return;
  info.inside.pod = name_of_pod(info.pid);
  info.inside.pod_namespace = namespace_of_pod(info.pid);
}

}  // namespace asyncleak::python
