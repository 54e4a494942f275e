// What a test cannot do to its own process is done in one of its own.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

namespace asyncleak::probe {

// What CHECK returned there: 0 is well, else the step that is not; -1: it did not return.
template <class Check>
int in_child(Check check) {
  const pid_t child = fork();
  if (child == 0) _exit(check());
  int code = -1;
  waitpid(child, &code, 0);
  return WIFEXITED(code) ? WEXITSTATUS(code) : -1;
}

}  // namespace asyncleak::probe
