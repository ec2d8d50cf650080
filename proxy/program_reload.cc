// What a SIGHUP or a changed file brings: all of the new configuration, or nothing of it.
#include <sys/stat.h>

#include <set>
#include <utility>

#include "proxy/program.h"

namespace postern {

void Program::Reload() {
  std::vector<conf::Mistake> mistakes;
  auto next = Judge(conf::Load(config_file_), *shared_, snapshot_.get(), mistakes);
  std::map<std::string, ListenSocket> fresh;
  AdminSocket admin;
  if (!next || !PrepareSockets(next->config, fresh, mistakes) ||
      !PrepareAdmin(next->config, admin, mistakes)) {
    ReloadFailed(mistakes);
    return;
  }
  LogWarnings("reload", mistakes);
  CloseGone(*next);
  std::set<std::string> added;
  for (auto& [address, socket] : fresh) {
    manager_.Keep(address, socket.fds());
    sockets_[address] = std::move(socket);
    added.insert(address);
  }
  const std::shared_ptr<const Snapshot> before = snapshot_;
  Adopt(std::move(next));
  for (const std::string& address : added) ListenOn(address);
  for (const auto& listener : snapshot_->listeners) {
    if (added.contains(listener->conf.address.Text())) LogListening(*listener);
  }
  const conf::Config& config = snapshot_->config;
  log_->Configure(static_cast<LogLevel>(config.log.level),
                  static_cast<LogFormat>(config.log.format));
  ChangeAdmin(before->config, admin);
  if (WorkerCount(config) != shared_->metrics.workers() || config.user != before->config.user ||
      config.group != before->config.group) {
    log_->Write(LogLevel::kWarn, "reload", {{"warning", "workers, user and group need a restart"}});
  }
  LimitConnections(config);
  WatchFiles();
}

// What waits in the queue of a listener that goes is still served by it.
void Program::CloseGone(const Snapshot& next) {
  std::set<std::string> kept;
  for (const auto& listener : next.listeners) kept.insert(listener->conf.address.Text());
  for (auto it = sockets_.begin(); it != sockets_.end();) {
    if (kept.contains(it->first)) {
      ++it;
      continue;
    }
    manager_.Forget(it->first);
    auto gone = std::make_shared<ListenSocket>(std::move(it->second));
    it = sockets_.erase(it);
    for (size_t i = 0; i < workers_.size(); ++i) {
      for (const int fd : gone->fds()) {
        workers_[i]->Post([fd, gone](Worker& w) { w.Unlisten(fd, false, [gone] {}); });
      }
    }
  }
}

// Opens the admin address of the next configuration where it is another one.
bool Program::PrepareAdmin(const conf::Config& next, AdminSocket& socket,
                           std::vector<conf::Mistake>& mistakes) {
  if (!next.admin.address || next.admin.address == snapshot_->config.admin.address) return true;
  socket = OpenAdminSocket(*next.admin.address);
  if (socket.fd >= 0) return true;
  mistakes.push_back(next.MistakeAt("admin.address", "cannot listen: " + socket.error));
  return false;
}

void Program::ChangeAdmin(const conf::Config& before, const AdminSocket& socket) {
  const conf::Config& config = snapshot_->config;
  if (config.admin.address == before.admin.address) {
    if (admin_) admin_->SetHosts(config.admin.hosts);
    return;
  }
  std::string error;
  admin_.reset();
  if (socket.fd >= 0 && !StartAdmin(config, socket, error)) {
    log_->Write(LogLevel::kError, "reload", {{"error", std::string_view(error)}});
  }
}

// A certificate, key, OCSP, CA or ticket-key file has changed: the same configuration with what
// they hold now.
void Program::ReloadFiles() {
  bool changed = false;
  bool resting = true;
  for (auto& [file, signature] : watched_) {
    const Signature now = Look(file);
    if (now == signature) continue;
    signature = now;
    changed = true;
    resting = false;
  }
  files_changed_ = files_changed_ || changed;
  if (!files_changed_ || !resting) return;
  files_changed_ = false;
  std::vector<conf::Mistake> mistakes;
  auto next = MakeSnapshot(snapshot_->config, *shared_, snapshot_.get(), mistakes);
  if (!next) {
    ReloadFailed(mistakes);
    return;
  }
  Adopt(std::move(next));
}

void Program::Adopt(std::shared_ptr<const Snapshot> snapshot) {
  snapshot_ = std::move(snapshot);
  for (const auto& worker : workers_) {
    worker->Post([next = snapshot_](Worker& w) { w.SetSnapshot(next); });
  }
  health_->Watch(snapshot_->backends, shared_->hostname);
  reloaded_ = std::chrono::system_clock::now();
  reload_ok_ = true;
  reload_error_.clear();
  shared_->metrics.CountReload(true, *reloaded_);
  log_->Write(LogLevel::kInfo, "reload", {{"result", "ok"}});
  PublishMetrics();
  PublishStatus();
}

// Opens what is new before anything changes.
bool Program::PrepareSockets(const conf::Config& next, std::map<std::string, ListenSocket>& fresh,
                             std::vector<conf::Mistake>& mistakes) {
  bool good = true;
  for (const conf::Listener& listener : next.listeners) {
    const std::string address = listener.address.Text();
    if (sockets_.contains(address)) continue;
    std::string why;
    ListenSocket socket;
    if (!ListenSocket::Open(listener.address, workers_.size(), socket, why)) {
      mistakes.push_back(next.MistakeAt(listener.path + ".address", "cannot listen: " + why));
      good = false;
      continue;
    }
    fresh[address] = std::move(socket);
  }
  return good;
}

void Program::ReloadFailed(const std::vector<conf::Mistake>& mistakes) {
  reloaded_ = std::chrono::system_clock::now();
  reload_ok_ = false;
  reload_error_ = "nothing changed";
  shared_->metrics.CountReload(false, *reloaded_);
  for (const conf::Mistake& mistake : mistakes) {
    if (mistake.severity != conf::Mistake::Severity::kError) continue;
    reload_error_ = mistake.Text();
    log_->Write(LogLevel::kError, "reload",
                {{"result", "error"}, {"error", std::string_view(reload_error_)}});
  }
  PublishStatus();
}

// Of a configuration that is good.
void Program::LogWarnings(std::string_view event, const std::vector<conf::Mistake>& warnings) {
  for (const conf::Mistake& warning : warnings) {
    log_->Write(LogLevel::kWarn, event, {{"warning", std::string_view(warning.Text())}});
  }
}

void Program::WatchFiles() {
  watched_.clear();
  for (const conf::FileRef& ref : snapshot_->config.files) watched_[ref.file] = Look(ref.file);
  files_changed_ = false;
}

Program::Signature Program::Look(const std::string& file) {
  struct stat info {};
  if (stat(file.c_str(), &info) != 0) return {};
  return {info.st_dev, info.st_ino, static_cast<uint64_t>(info.st_size),
          static_cast<uint64_t>(info.st_mtim.tv_sec), static_cast<uint64_t>(info.st_mtim.tv_nsec)};
}

}  // namespace postern
