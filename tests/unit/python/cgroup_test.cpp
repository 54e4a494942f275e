#include "python/cgroup.h"

#include <catch2/catch.hpp>
#include <random>
#include <string>

namespace asyncleak::python {
namespace {

const std::string id = "4f0e5d2c9a1b" + std::string(52, 'a');
const std::string outer_id = "0123456789ab" + std::string(52, 'b');
const std::string uid = "1b2c3d4e-5f60-7182-93a4-b5c6d7e8f901";
const std::string uid_in_slice = "1b2c3d4e_5f60_7182_93a4_b5c6d7e8f901";
const std::string static_uid = "0123456789abcdef0123456789abcdef";
constexpr const char* shown = "4f0e5d2c9a1b";

struct Case {
  std::string path, unit, container, runtime, pod_uid;
};

void check(const std::string& text, const Case& wanted) {
  CAPTURE(text);
  const CgroupNames names = parse_cgroup(text);
  CHECK(names.unit == wanted.unit);
  CHECK(names.container == wanted.container);
  CHECK(names.runtime == wanted.runtime);
  CHECK(names.pod_uid == wanted.pod_uid);
}

// The same path by version 2, by version 1 and by both at once, as systemd's hybrid mode has it.
void check_all_versions(const Case& wanted) {
  check("0::" + wanted.path + "\n", wanted);
  check("12:pids:" + wanted.path + "\n1:name=systemd:" + wanted.path + "\n", wanted);
  check("12:pids:/\n1:name=systemd:" + wanted.path + "\n0::/\n", wanted);
  check("1:name=systemd:/\n0::" + wanted.path + " (deleted)\n", wanted);
}

}  // namespace

TEST_CASE("units of the system and of users") {
  check_all_versions(GENERATE(values<Case>({
      {"/system.slice/foo.service", "foo.service", "", "", ""},
      {"/system.slice/system-getty.slice/getty@tty1.service", "getty@tty1.service", "", "", ""},
      {R"(/system.slice/system-app.slice/app@my\x2dshop.service)", R"(app@my\x2dshop.service)", "", "", ""},
      {"/system.slice/foo.service/workers/7", "foo.service", "", "", ""},
      {"/system.slice/foo.service/bar.scope", "foo.service", "", "", ""},  // made by foo.service below itself
      {"/system.slice/_cpu.service", "cpu.service", "", "", ""},
      {"/user.slice/user-1000.slice/user@1000.service/app.slice/my-app.service", "my-app.service", "", "", ""},
      {"/user.slice/user-1000.slice/user@1000.service/app.slice/app-org.gnome.Terminal.slice/vte-spawn-1.scope",
       "vte-spawn-1.scope", "", "", ""},
      {"/user.slice/user-1000.slice/user@1000.service/init.scope", "init.scope", "", "", ""},
      {"/user.slice/user-0.slice/session-3.scope", "session-3.scope", "", "", ""},
      {"/init.scope", "init.scope", "", "", ""},
      {"/shop.slice/shop-web.slice", "shop-web.slice", "", "", ""},
      {"/my-own-group", "", "", "", ""},
      {"/", "", "", "", ""},
  })));
}

TEST_CASE("containers of every runtime") {
  const std::string user = "/user.slice/user-1000.slice/user@1000.service";
  check_all_versions(GENERATE_COPY(values<Case>({
      {"/system.slice/docker-" + id + ".scope", "", shown, "docker", ""},
      {"/docker/" + id, "", shown, "docker", ""},
      {user + "/user.slice/docker-" + id + ".scope", "", shown, "docker", ""},
      {"/docker/" + outer_id + "/docker/" + id, "", shown, "docker", ""},
      {"/system.slice/docker-" + id + ".scope/system.slice/inner.service", "inner.service", shown, "docker", ""},
      {"/system.slice/nerdctl-" + id + ".scope", "", shown, "containerd", ""},
      {"/default/" + id, "", shown, "", ""},
      {"/machine.slice/libpod-" + id + ".scope/container", "", shown, "podman", ""},
      {user + "/user.slice/libpod-" + id + ".scope", "", shown, "podman", ""},
      {"/libpod_parent/libpod-" + id, "", shown, "podman", ""},
      {"/machine.slice/machine-libpod_pod_" + outer_id + ".slice/libpod-" + id + ".scope/container", "", shown,
       "podman", ""},
      {"/system.slice/shop.service/libpod-payload-" + id, "shop.service", shown, "podman", ""},
      {"/lxc/web", "", "web", "lxc", ""},
      {"/lxc/101/ns/system.slice/shop.service", "shop.service", "101", "lxc", ""},
      {"/lxc.payload/web/system.slice/shop.service", "shop.service", "web", "lxc", ""},
      {"/lxc.payload.web-1/system.slice/shop.service", "shop.service", "web-1", "lxc", ""},
      {"/lxc.monitor.web", "", "", "", ""},
      {R"(/machine.slice/machine-web\x2d1.scope/payload/system.slice/shop.service)", "shop.service", "web-1",
       "systemd-nspawn", ""},
      {"/machine.slice/systemd-nspawn@web.service/payload/init.scope", "init.scope", "web", "systemd-nspawn", ""},
      {R"(/machine.slice/machine-lxc\x2d12\x2dweb\x2d1.scope/system.slice/shop.service)", "shop.service", "web-1",
       "libvirt-lxc", ""},
      {R"(/machine.slice/machine-qemu\x2d1\x2ddebian.scope)", R"(machine-qemu\x2d1\x2ddebian.scope)", "", "", ""},
      {user + "/app.slice/app-flatpak-org.example.App-4711.scope", "app-flatpak-org.example.App-4711.scope",
       "org.example.App", "flatpak", ""},
      {user + "/app.slice/snap.shop.web.service", "snap.shop.web.service", "", "", ""},
  })));
}

TEST_CASE("pods of every class of service, by both drivers of the kubelet, and nested") {
  const std::string nested_slice = "/system.slice/docker-" + outer_id + ".scope/kubelet.slice/kubelet-kubepods.slice/";
  check_all_versions(GENERATE_COPY(values<Case>({
      {"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + uid_in_slice + ".slice/cri-containerd-" +
           id + ".scope",
       "", shown, "containerd", uid},
      {"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + uid_in_slice + ".slice/crio-" + id +
           ".scope",
       "", shown, "cri-o", uid},
      {"/kubepods.slice/kubepods-pod" + uid_in_slice + ".slice/docker-" + id + ".scope", "", shown, "docker", uid},
      {"/kubepods/burstable/pod" + uid + "/" + id, "", shown, "", uid},
      {"/kubepods/besteffort/pod" + uid + "/crio-" + id, "", shown, "cri-o", uid},
      {"/kubepods/pod" + uid + "/" + id, "", shown, "", uid},
      {"/kubepods/burstable/pod" + static_uid + "/" + id, "", shown, "", static_uid},
      {"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + static_uid + ".slice/cri-containerd-" + id +
           ".scope",
       "", shown, "containerd", static_uid},
      {"/system.slice/containerd.service/kubepods-besteffort-pod" + uid_in_slice + ".slice:cri-containerd:" + id, "",
       shown, "containerd", uid},
      {"/kubepods-besteffort-pod" + uid_in_slice + ".slice:cri-containerd:" + id, "", shown, "containerd", uid},
      // kind and k3d: a kubelet in a container.
      {"/docker/" + outer_id + "/kubelet/kubepods/burstable/pod" + uid + "/" + id, "", shown, "", uid},
      {nested_slice + "kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod" + uid_in_slice +
           ".slice/cri-containerd-" + id + ".scope",
       "", shown, "containerd", uid},
      // As seen from a group namespace of another pod.
      {"/../../kubepods-burstable-pod" + uid_in_slice + ".slice/cri-containerd-" + id + ".scope", "", shown,
       "containerd", uid},
      {"/../../pod" + uid + "/" + id, "", shown, "", uid},
      {"/kubepods.slice/kubepods-pod" + uid_in_slice + ".slice", "", "", "", uid},
      {"/podman/pod5/podcast", "", "", "", ""},
      {"/kubepods/pod" + uid.substr(1), "", "", "", ""},
      {"/kubepods/pod" + uid_in_slice.substr(1) + "g", "", "", "", ""},
  })));
}

TEST_CASE("what is in one hierarchy only, and what is no such text") {
  check("12:memory:/docker/" + id + "\n1:name=systemd:/system.slice/foo.service\n0::/\n",
        {"", "foo.service", shown, "docker", ""});
  check("12:pids:/system.slice\n1:name=systemd:/system.slice/foo.service\n", {"", "foo.service", "", "", ""});
  for (const char* text :
       {"", "nonsense", "::", "0::", "\n\n", "0::/../../docker-abc", "0:://///", "0::/a/_/.service/"}) {
    CAPTURE(text);
    CHECK(parse_cgroup(text).container.empty());
    CHECK(parse_cgroup(text).pod_uid.empty());
  }
}

TEST_CASE("whatever a group is called, it is taken apart") {
  const std::vector<std::string> parts = {"docker-",
                                          id,
                                          ".scope",
                                          ".slice",
                                          "/",
                                          "pod",
                                          uid,
                                          "_",
                                          "\\x2",
                                          "\\xzz",
                                          "-",
                                          "kubepods",
                                          ":",
                                          "lxc",
                                          "lxc.payload.",
                                          "machine.slice/machine-",
                                          "\xff",
                                          "app-flatpak-",
                                          "user@1000.service",
                                          "systemd-nspawn@",
                                          ".service",
                                          "\n"};
  std::mt19937 random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string text = "0::/";
    for (unsigned k = random() % 9; k > 0; --k) text += parts[random() % parts.size()];
    CAPTURE(text);
    const CgroupNames names = parse_cgroup(text);
    REQUIRE(names.container.size() <= text.size());
    REQUIRE(names.unit.find('/') == std::string::npos);
    REQUIRE((names.pod_uid.empty() || names.pod_uid.size() == 36 || names.pod_uid.size() == 32));
  }
}

}  // namespace asyncleak::python
