"""The container of deploy/kubernetes/daemonset.yaml, run as a node would, by runc.

Used by test_kubernetes.py. Knows how a runtime reads a pod's specification (OCI runtime-spec 1.0), nothing of the tool.
"""

import contextlib
import json
import os
import re
import shutil
import subprocess

import yaml
from processes import PROJECT, TOOL, Failure

MANIFEST = os.path.join(PROJECT, "deploy", "kubernetes", "daemonset.yaml")

# Of what containerd and Docker hide and protect in /proc and /sys (moby oci/defaults.go).
MASKED = "acpi asound kcore keys latency_stats timer_list timer_stats sched_debug scsi".split()
READ_ONLY = "bus fs irq sys sysrq-trigger".split()
# The best known of the calls that their profiles refuse without CAP_SYS_ADMIN and the like (docs.docker.com, "Significant
# syscalls blocked by the default profile"); bpf and perf_event_open are allowed by CAP_BPF and CAP_PERFMON.
REFUSED = """acct add_key adjtimex chroot delete_module finit_module fsopen init_module io_uring_setup ioperm iopl
  kexec_load keyctl mount move_mount name_to_handle_at open_by_handle_at open_tree personality pivot_root
  process_madvise quotactl reboot request_key setdomainname sethostname setns settimeofday swapon swapoff syslog
  umount2 unshare userfaultfd vhangup""".split()


def daemonset():
    with open(MANIFEST) as file:
        return next(each for each in yaml.safe_load_all(file) if each["kind"] == "DaemonSet")


def specification():
    return daemonset()["spec"]["template"]["spec"]


def capabilities(container):
    return ["CAP_" + name for name in container["securityContext"]["capabilities"]["add"]]


def in_bytes(quantity):
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)", quantity).groups()
    return int(number) << {"Mi": 20, "Gi": 30}[unit]


def in_cores(quantity):
    return int(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)


def image(root):
    """ROOT becomes what is in the image: the program and its libraries."""
    for folder in ("proc", "sys", "dev", "textfile", "usr/bin"):
        os.makedirs(os.path.join(root, folder))
    # Without the symbols, as it is packaged: what is mapped of it is charged to the container.
    subprocess.run(["strip", "-o", os.path.join(root, "usr/bin/asyncleak-top"), TOOL], check=True)
    listed = subprocess.run(["ldd", TOOL], capture_output=True, text=True).stdout
    for path in re.findall(r"(/\S+) \(0x", listed):
        os.makedirs(root + os.path.dirname(path), exist_ok=True)
        shutil.copy(path, root + path)


def runtime_config(pod, container, textfiles):
    security, limits = container["securityContext"], container["resources"]["limits"]
    if pod["hostPID"] is not True or security["privileged"] is not False:
        raise Failure("this is another kind of pod: %r" % pod)
    if security["capabilities"]["drop"] != ["ALL"] or security["seccompProfile"] != {"type": "RuntimeDefault"}:
        raise Failure("this is another kind of container: %r" % security)
    granted = capabilities(container)
    (mount,) = container["volumeMounts"]
    namespaces = ["mount", "ipc", "uts", "network", "cgroup"]  # not pid: hostPID
    period = 100000
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": security["runAsUser"], "gid": security["runAsGroup"]},
            "args": container["command"] + container["args"],
            "env": ["PATH=/usr/bin"],
            "cwd": "/",
            "noNewPrivileges": not security["allowPrivilegeEscalation"],
            "capabilities": {each: granted for each in ("bounding", "effective", "permitted")},
        },
        "root": {"path": "root", "readonly": security["readOnlyRootFilesystem"]},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
            {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
            {"destination": mount["mountPath"], "type": "bind", "source": textfiles, "options": ["rbind", "rw"]},
        ],
        "linux": {
            "namespaces": [{"type": each} for each in namespaces],
            "cgroupsPath": "/" + os.path.basename(os.path.dirname(textfiles)),
            "resources": {
                "memory": {"limit": in_bytes(limits["memory"])},
                "cpu": {"period": period, "quota": int(period * in_cores(limits["cpu"]))},
            },
            "maskedPaths": ["/proc/" + name for name in MASKED] + ["/sys/firmware"],
            "readonlyPaths": ["/proc/" + name for name in READ_ONLY],
            "seccomp": {
                "defaultAction": "SCMP_ACT_ALLOW",
                "architectures": ["SCMP_ARCH_X86_64"],
                "syscalls": [{"names": REFUSED, "action": "SCMP_ACT_ERRNO", "errnoRet": 1}],
            },
        },
    }


class Container:
    """FOLDER: an empty one, whose name names the container. Its text files are in FOLDER/textfiles."""

    def __init__(self, folder):
        self.textfiles = os.path.join(folder, "textfiles")
        self._name, self._state = os.path.basename(folder), os.path.join(folder, "state")
        bundle = os.path.join(folder, "bundle")
        os.makedirs(self.textfiles)
        image(os.path.join(bundle, "root"))
        pod = specification()
        with open(os.path.join(bundle, "config.json"), "w") as file:
            json.dump(runtime_config(pod, pod["containers"][0], self.textfiles), file)
        self._log = os.path.join(folder, "log")
        with open(self._log, "wb") as log:
            self._runc = subprocess.Popen(
                [*self._command("run"), "--bundle", bundle, self._name], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def _command(self, verb):
        return ["runc", "--root", self._state, verb]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._runc.poll() is None:
            subprocess.run([*self._command("kill"), self._name, "KILL"])
            self._runc.wait(30)

    def log(self):
        with open(self._log, errors="replace") as file:
            return file.read()

    def status(self):
        """None: it runs."""
        return self._runc.poll()

    def pid(self):
        listed = subprocess.run([*self._command("state"), self._name], capture_output=True, text=True, check=True)
        return json.loads(listed.stdout)["pid"]

    def memory_peak_bytes(self):
        """With the kernel's memory for it."""
        for path in ("memory/%s/memory.max_usage_in_bytes", "%s/memory.peak"):
            with contextlib.suppress(FileNotFoundError), open("/sys/fs/cgroup/" + path % self._name) as file:
                return int(file.read())
        raise Failure("no cgroup of %s counts memory" % self._name)

    def stop(self):
        """As the kubelet does; its status."""
        subprocess.run([*self._command("kill"), self._name, "TERM"], check=True)
        return self._runc.wait(specification()["terminationGracePeriodSeconds"])
