// A seccomp filter over all threads: system calls that a mail proxy never makes fail, whoever takes
// over its memory (docs/threats.md lists them and what they would be good for). Kept whole: reload,
// renewal, takeover.
#pragma once

#include <string>

namespace postern {

// On the main thread, after no_new_privs is set and privileges are dropped, before other threads
// are there. False with `error` set where the kernel has no seccomp: the program goes on without,
// and says so.
bool EnterSandbox(std::string& error);

}  // namespace postern
