#include "conf/link.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <set>
#include <utility>

#include "conf/load.h"

namespace postern::conf {
namespace {

// What is left of a text when all that no name may hold is replaced.
std::string AsName(std::string text) {
  for (char& c : text) {
    if (!ParseName(std::string_view(&c, 1))) c = '_';
  }
  return text.substr(0, kMaxName);
}

// The names a listener could go by, the contract's first.
std::vector<std::string> DefaultNames(const ListenerDraft& draft) {
  const std::string protocol(Name(*draft.protocol));
  const Address& address = *draft.address;
  if (address.is_unix()) {
    const std::filesystem::path path(address.path);
    return {AsName(protocol + "-" + path.filename().string()),
            AsName(protocol + "-" + path.relative_path().string())};
  }
  const std::string port = std::to_string(address.port);
  return {AsName(protocol + "-" + port), AsName(protocol + "-" + address.host + ":" + port)};
}

// The first of `wanted` that is free, else the last of them with a number.
std::string FreeName(const std::vector<std::string>& wanted, const std::set<std::string>& taken) {
  for (const std::string& name : wanted) {
    if (!taken.contains(name)) return name;
  }
  for (int i = 2;; ++i) {
    const std::string number = "-" + std::to_string(i);
    const std::string name = wanted.back().substr(0, kMaxName - number.size()) + number;
    if (!taken.contains(name)) return name;
  }
}

std::vector<std::string_view> NamesOf(const std::vector<BackendDraft>& named) {
  std::vector<std::string_view> names;
  for (const BackendDraft& draft : named) names.push_back(draft.backend.name);
  return names;
}

// One configuration's backends while listeners ask for theirs.
class Linker {
 public:
  Linker(std::vector<BackendDraft> named, Config& config, Report& report)
      : named_(std::move(named)), config_(config), report_(report), index_(named_.size()) {}

  size_t Find(const ListenerDraft& draft) {
    if (draft.backend.empty()) return kNoBackend;  // which was complained about
    if (const auto named = Named(draft.backend)) return UseNamed(*named, draft);
    const auto address = AddressOf(draft);
    return address ? Implicit(*address, draft) : kNoBackend;
  }

  // What there is to complain about in the backend of a listener whose protocol is not known.
  void Judge(const ListenerDraft& draft) {
    if (!draft.backend.empty() && !Named(draft.backend)) AddressOf(draft);
  }

  // Without a protocol nothing can be said of a backend, and nothing would use it.
  void ReportUnused() {
    for (size_t i = 0; i < named_.size(); ++i) {
      if (index_[i]) continue;
      report_.Warning(config_.At(named_[i].backend.path), named_[i].backend.path,
                      "no listener uses it: it is not even probed");
    }
  }

 private:
  std::optional<size_t> Named(std::string_view name) const {
    for (size_t i = 0; i < named_.size(); ++i) {
      if (named_[i].backend.name == name) return i;
    }
    return std::nullopt;
  }

  size_t UseNamed(size_t i, const ListenerDraft& draft) {
    const Protocol protocol = *draft.protocol;
    if (!index_[i]) {
      named_[i].backend.protocol = protocol;
      index_[i] = config_.backends.size();
      config_.backends.push_back(named_[i].backend);
      first_user_.push_back(draft.listener.path);
    }
    const Backend& backend = config_.backends[*index_[i]];
    if (backend.protocol != protocol) {
      report_.Error(draft.backend_at, draft.listener.path + ".backend",
                    Quote(backend.name) + " speaks " + std::string(Name(backend.protocol)) +
                        " (to " + first_user_[*index_[i]] + ") and not " +
                        std::string(Name(protocol)) + " as well: one backend for each");
    }
    return *index_[i];
  }

  std::optional<Address> AddressOf(const ListenerDraft& draft) {
    const std::string path = draft.listener.path + ".backend";
    const auto names = NamesOf(named_);
    const auto address = ParseAddress(draft.backend);
    if (!address) {
      const std::string hint = DidYouMean(draft.backend, names);
      const bool like_address = draft.backend.find_first_of(":/") != std::string::npos;
      report_.Error(draft.backend_at, path,
                    like_address && hint.empty()
                        ? Quote(draft.backend) + " " + address.error
                        : "unknown backend " + Quote(draft.backend) + "; " + Choices(names) + hint);
      return std::nullopt;
    }
    if (address.value->any_host()) {
      report_.Error(draft.backend_at, path,
                    Quote(draft.backend) + " has no host: where is the server, 127.0.0.1?");
      return std::nullopt;
    }
    return *address.value;
  }

  static std::string Choices(const std::vector<std::string_view>& names) {
    if (names.empty()) return "there is none under backends, and it is no address";
    return "one of: " + Join(names) + ", or an address";
  }

  size_t Implicit(const Address& address, const ListenerDraft& draft) {
    for (size_t i : implicit_) {
      const Backend& backend = config_.backends[i];
      if (backend.protocol == *draft.protocol && backend.servers.front().address == address) {
        return i;
      }
    }
    Backend backend;
    backend.name = FreeBackendName(address.Text(), *draft.protocol);
    backend.protocol = *draft.protocol;
    backend.servers.push_back(Server{address, 1, address.Text()});
    backend.path = draft.listener.path + ".backend";
    implicit_.push_back(config_.backends.size());
    config_.backends.push_back(std::move(backend));
    first_user_.push_back(draft.listener.path);
    return config_.backends.size() - 1;
  }

  // Two protocols at one address are two backends, and need two names.
  std::string FreeBackendName(const std::string& text, Protocol protocol) const {
    const bool taken = std::any_of(config_.backends.begin(), config_.backends.end(),
                                   [&](const Backend& other) { return other.name == text; });
    return taken ? text + "-" + std::string(Name(protocol)) : text;
  }

  std::vector<BackendDraft> named_;
  Config& config_;
  Report& report_;
  std::vector<std::optional<size_t>> index_;  // of named_[i] in config_.backends, once used
  std::vector<std::string> first_user_;       // of config_.backends[i]: a listener's path
  std::vector<size_t> implicit_;
};

}  // namespace

void NameListeners(std::vector<ListenerDraft>& drafts, Report& report) {
  std::map<std::string, std::string> written;  // by name: the listener that has it
  std::set<std::string> taken;
  for (const ListenerDraft& draft : drafts) {
    if (!draft.name_written) continue;
    const auto [first, is_new] = written.emplace(draft.listener.name, draft.listener.path);
    taken.insert(draft.listener.name);
    if (is_new) continue;
    report.Error(draft.name_at, draft.listener.path + ".name",
                 Quote(draft.listener.name) + " is the name of " + first->second + " already");
  }
  for (ListenerDraft& draft : drafts) {
    if (draft.name_written || !draft.protocol || !draft.address) continue;
    draft.listener.name = FreeName(DefaultNames(draft), taken);
    taken.insert(draft.listener.name);
  }
}

void CheckAddresses(const std::vector<ListenerDraft>& drafts, const Config& config,
                    Report& report) {
  struct Bound {
    Address address;
    std::string owner;
  };
  std::vector<Bound> bound;
  const auto bind = [&](const Address& address, const std::string& owner) {
    const std::string path = owner + ".address";
    for (const Bound& other : bound) {
      if (!Overlap(address, other.address)) continue;
      const bool same = address == other.address;
      report.Error(config.At(path), path,
                   Quote(address.Text()) + (same ? " is the address of " : " overlaps with ") +
                       other.owner + (same ? " already" : ", " + Quote(other.address.Text())));
      break;
    }
    bound.push_back({address, owner});
  };
  for (const ListenerDraft& draft : drafts) {
    if (draft.address) bind(*draft.address, draft.listener.path);
  }
  if (config.admin.address) bind(*config.admin.address, "admin");
}

void LinkBackends(std::vector<ListenerDraft> drafts, std::vector<BackendDraft> named,
                  Config& config, Report& report) {
  Linker linker(std::move(named), config, report);
  bool all_known = true;
  for (ListenerDraft& draft : drafts) {
    if (!draft.protocol) {
      linker.Judge(draft);
      all_known = false;
      continue;
    }
    draft.listener.backend = linker.Find(draft);
    all_known = all_known && draft.listener.backend != kNoBackend;
    config.listeners.push_back(std::move(draft.listener));
  }
  if (all_known) linker.ReportUnused();
}

}  // namespace postern::conf
