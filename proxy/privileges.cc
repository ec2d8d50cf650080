#include "proxy/privileges.h"

#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace postern {
namespace {

constexpr uint32_t kKept = (1u << CAP_NET_BIND_SERVICE) | (1u << CAP_DAC_READ_SEARCH);

bool KeepOnly(uint32_t capabilities) {
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, 2> data{};
  data[0].effective = data[0].permitted = capabilities;
  return syscall(SYS_capset, &header, data.data()) == 0;
}

bool Fail(std::string& error, const char* what) {
  error = std::string(what) + ": " + strerror(errno);
  return false;
}

}  // namespace

uint64_t RaiseDescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return before;
  return limit.rlim_cur;
}

void LockDown() {
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // their reports need it
  prctl(PR_SET_DUMPABLE, 0);
#endif
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

bool DropPrivileges(const std::string& user, const std::string& group, std::string& error) {
  if (user.empty()) return true;
  const passwd* account = getpwnam(user.c_str());
  if (account == nullptr) {
    error = "there is no user of this name";
    return false;
  }
  const uid_t uid = account->pw_uid;
  gid_t gid = account->pw_gid;
  if (!group.empty()) {
    const struct group* entry = getgrnam(group.c_str());
    if (entry == nullptr) {
      error = "there is no group of this name";
      return false;
    }
    gid = entry->gr_gid;
  }
  if (geteuid() != 0) {
    if (geteuid() == uid) return true;
    error = "only root can become another user";
    return false;
  }
  if (initgroups(user.c_str(), gid) != 0) return Fail(error, "initgroups");
  if (setresgid(gid, gid, gid) != 0) return Fail(error, "setresgid");
  if (prctl(PR_SET_KEEPCAPS, 1) != 0) return Fail(error, "keep capabilities");
  if (setresuid(uid, uid, uid) != 0) return Fail(error, "setresuid");
  if (!KeepOnly(kKept)) {
    // A container may have given none of them: going on without is safe, only a reload can do less.
    if (!KeepOnly(0)) return Fail(error, "drop capabilities");
  }
  return true;
}

}  // namespace postern
