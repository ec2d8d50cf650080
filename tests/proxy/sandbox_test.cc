#include "proxy/sandbox.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <string>
#include <thread>

#include "proxy/privileges.h"

namespace postern {
namespace {

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // there is none under them

// Runs `body` in a process of its own that has entered the sandbox. What it returns is the status.
template <typename Body>
int InSandbox(Body body) {
  const pid_t child = fork();
  if (child == 0) {
    LockDown();
    std::string error;
    _exit(EnterSandbox(error) ? body() : 99);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(Sandbox, StartsNoProgramAndNoProcess) {
  EXPECT_EQ(InSandbox([] {
              char* const words[] = {const_cast<char*>("/bin/true"), nullptr};
              execv(words[0], words);
              return errno;
            }),
            EPERM);
  EXPECT_EQ(InSandbox([] { return fork() < 0 ? errno : 0; }), EPERM);
}

TEST(Sandbox, LooksIntoNoOther) {
  EXPECT_EQ(InSandbox([] { return ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) < 0 ? errno : 0; }),
            EPERM);
  EXPECT_EQ(InSandbox([] { return unshare(CLONE_NEWUSER) < 0 ? errno : 0; }), EPERM);
  EXPECT_EQ(InSandbox([] { return syscall(SYS_io_uring_setup, 1, nullptr) < 0 ? errno : 0; }),
            EPERM);
}

TEST(Sandbox, ThreadsSocketsAndFilesGoOn) {
  EXPECT_EQ(InSandbox([] {
              bool ran = false;
              std::thread([&ran] { ran = true; }).join();
              const int connection = socket(AF_INET, SOCK_STREAM, 0);
              FILE* const file = std::fopen("/proc/self/status", "r");
              return ran && connection >= 0 && file != nullptr ? 0 : 1;
            }),
            0);
}

#if defined(__x86_64__)
TEST(Sandbox, TheSameCallsUnderOtherNumbersEndThere) {
  EXPECT_EQ(InSandbox([] { return syscall(0x40000000 | SYS_getpid) < 0 ? errno : 0; }), EPERM);
}
#endif

#endif

}  // namespace
}  // namespace postern
