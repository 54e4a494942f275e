// Work that kill -9 must not cut short: done by processes of its own which share our memory and our open files.
//
// Used by attachment.cpp. A SIGKILL that comes while the kernel puts a breakpoint in or takes it out makes it give up
// with EINTR (kernel/events/uprobes.c, uprobe_unregister_nosync(): "failed to unregister, leaking uprobe"), and the
// program that was watched goes on trapping for nobody. Who is killed is us; who is in the middle of it ends it, and
// the files that are then closed for good take the other probes with them. Knows nothing of probes.
#pragma once

#include <cstddef>
#include <functional>

namespace asyncleak::probe {

// Runs WORK in so many processes at once and waits for all of them. They are threads to each other and to this one, but
// with one errno and one stack guard for all: WORK with more than one may make system calls only. Where no process can
// be made WORK is done here. The others are outside our session and called "asyncleak-probe", so that what ends us by
// name or by group does not reach them; what ends a whole control group does.
void in_spare_processes(std::size_t processes, const std::function<void()>& work);

}  // namespace asyncleak::probe
