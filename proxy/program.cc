#include "proxy/program.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <utility>

#include "proxy/privileges.h"
#include "proxy/program_status.h"
#include "proxy/sandbox.h"
#include "proxy/version.h"

namespace postern {
namespace {

constexpr uint64_t kTick = 100;  // ms
constexpr uint64_t kTicksASecond = 10;
constexpr uint64_t kReserved = 64;    // descriptors for everything that is no session
constexpr uint64_t kStopTime = 3000;  // ms for the last words after a drain

std::string HostName() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  return name.data();
}

void Print(const std::vector<conf::Mistake>& mistakes) {
  for (const conf::Mistake& mistake : mistakes)
    std::fprintf(stderr, "%s\n", mistake.Text().c_str());
}

// A session takes two descriptors.
uint64_t SessionsThatFit(uint64_t descriptors) {
  return descriptors > kReserved + 2 ? (descriptors - kReserved) / 2 : 1;
}

// Where a number of connections was written that the descriptor limit does not allow.
void WarnOfDescriptors(const conf::Config& config, std::vector<conf::Mistake>& mistakes) {
  const uint64_t limit = RaiseDescriptorLimit();
  const uint64_t can = SessionsThatFit(limit);
  if (!config.Written("limits.connections") || config.limits.connections <= can) return;
  mistakes.push_back(config.MistakeAt(
      "limits.connections",
      "the descriptor limit of " + std::to_string(limit) + " allows only " + std::to_string(can),
      conf::Mistake::Severity::kWarning));
}

// A reload that is asked for before there is a loop to hear of it waits for that loop; by default
// it would end the program.
class HeldReload {
 public:
  HeldReload() {
    sigset_t reload;
    sigemptyset(&reload);
    sigaddset(&reload, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &reload, &before_);
  }
  HeldReload(const HeldReload&) = delete;
  HeldReload& operator=(const HeldReload&) = delete;
  ~HeldReload() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_{};
};

}  // namespace

size_t WorkerCount(const conf::Config& config) {
  return config.workers ? *config.workers : std::max(1u, uv_available_parallelism());
}

std::shared_ptr<const Snapshot> Judge(conf::LoadResult loaded, Shared& shared,
                                      const Snapshot* previous,
                                      std::vector<conf::Mistake>& mistakes) {
  mistakes = std::move(loaded.mistakes);
  std::shared_ptr<const Snapshot> snapshot;
  if (loaded.config) {
    snapshot = MakeSnapshot(std::move(*loaded.config), shared, previous, mistakes);
    if (snapshot) WarnOfDescriptors(snapshot->config, mistakes);
  } else if (loaded.draft) {
    FindMoreMistakes(*loaded.draft, mistakes);
  }
  std::stable_sort(mistakes.begin(), mistakes.end(),
                   [](const conf::Mistake& a, const conf::Mistake& b) { return a.at < b.at; });
  return snapshot;
}

Program::Program(std::string config_file) : config_file_(std::move(config_file)) {
  uv_loop_init(&loop_);
}

Program::~Program() { uv_loop_close(&loop_); }

int Program::Run() {
  if (!Begin()) return 1;
  uv_run(&loop_, UV_RUN_DEFAULT);
  log_->Write(LogLevel::kInfo, "stop", {});
  return exit_status_;
}

// Opens everything; a line on stderr for what can't be.
bool Program::Begin() {
  const HeldReload held;
  std::vector<conf::Mistake> mistakes;
  conf::LoadResult loaded = conf::Load(config_file_);
  const size_t workers = loaded.config ? WorkerCount(*loaded.config) : 1;
  shared_ = std::make_unique<Shared>(workers);
  shared_->hostname = HostName();
  snapshot_ = Judge(std::move(loaded), *shared_, nullptr, mistakes);
  if (!snapshot_) {
    Print(mistakes);
    return false;
  }
  const conf::Config& config = snapshot_->config;

  std::signal(SIGPIPE, SIG_IGN);
  descriptor_limit_ = RaiseDescriptorLimit();
  std::string error;
  // Unix sockets may lie where only root can write; everything else is opened as the user that a
  // reload will be, since sockets share a port only with sockets of the same user.
  if (!OpenSockets(config, true)) return false;
  if (!DropPrivileges(config.user, config.group, error)) {
    Print({config.MistakeAt("user", error)});
    return false;
  }
  LockDown();
  if (!OpenSockets(config, false)) return false;
  manager_.DropUnused();
  std::string no_sandbox;
  const bool sandboxed = EnterSandbox(no_sandbox);
  log_ = std::make_unique<Log>(static_cast<LogLevel>(config.log.level),
                               static_cast<LogFormat>(config.log.format));
  log_->Write(LogLevel::kInfo, "start",
              {{"version", Version()},
               {"config", std::string_view(config_file_)},
               {"workers", static_cast<uint64_t>(workers)}});
  LogWarnings("config", mistakes);
  if (!sandboxed) {
    log_->Write(LogLevel::kWarn, "sandbox", {{"warning", std::string_view(no_sandbox)}});
  }
  LimitConnections(config);
  board_ = std::make_unique<StatusBoard>(shared_->metrics);
  health_ = std::make_unique<HealthChecker>(&loop_, *shared_, *log_, [this] { PublishStatus(); });
  if (config.admin.address) {
    const AdminSocket socket = OpenAdminSocket(*config.admin.address);
    error = socket.error;
    if (socket.fd < 0 || !StartAdmin(config, socket, error)) {
      Print({config.MistakeAt("admin.address", "cannot listen: " + error)});
      return false;
    }
    if (socket.shared) {
      log_->Write(LogLevel::kWarn, "listening",
                  {{"warning", "another process has the admin address, too"}});
    }
  }

  uv_timer_init(&loop_, &clock_);
  clock_.data = this;
  uv_timer_start(
      &clock_, [](uv_timer_t* h) { static_cast<Program*>(h->data)->Tick(); }, kTick, kTick);
  for (const int number : {SIGHUP, SIGTERM, SIGINT}) {
    auto& signal = signals_.emplace_back(std::make_unique<uv_signal_t>());
    uv_signal_init(&loop_, signal.get());
    signal->data = this;
    uv_signal_start(
        signal.get(), [](uv_signal_t* h, int n) { static_cast<Program*>(h->data)->OnSignal(n); },
        number);
  }
  StartWorkers();
  for (const auto& listener : snapshot_->listeners) LogListening(*listener);
  health_->Watch(snapshot_->backends, shared_->hostname);
  WatchFiles();
  PublishMetrics();
  PublishStatus();
  for (const auto& [address, socket] : sockets_) manager_.Keep(address, socket.fds());
  beats_.resize(workers_.size());
  manager_.Ready();
  return true;
}

bool Program::OpenSockets(const conf::Config& config, bool unix_ones) {
  bool good = true;
  for (const conf::Listener& listener : config.listeners) {
    if (listener.address.is_unix() != unix_ones) continue;
    std::string error;
    ListenSocket socket;
    if (std::vector<int> kept = manager_.TakeKept(listener.address.Text()); !kept.empty()) {
      socket = ListenSocket::Adopt(listener.address, std::move(kept));
    } else if (!ListenSocket::Open(listener.address, shared_->metrics.workers(), socket, error)) {
      Print({config.MistakeAt(listener.path + ".address", "cannot listen: " + error)});
      good = false;
      continue;
    }
    sockets_[listener.address.Text()] = std::move(socket);
  }
  return good;
}

bool Program::StartAdmin(const conf::Config& config, const AdminSocket& socket,
                         std::string& error) {
  AdminSource source;
  source.metrics = [this] { return shared_->metrics.Scrape(); };
  source.status_json = [this] { return board_->Json(std::chrono::system_clock::now()); };
  source.not_ready = [this] { return board_->NotReady(); };
  admin_ = AdminServer::Start(socket.fd, std::move(source), config.admin.hosts, error);
  return admin_ != nullptr;
}

void Program::StartWorkers() {
  for (size_t i = 0; i < shared_->metrics.workers(); ++i) {
    workers_.push_back(std::make_unique<Worker>(i, *shared_, *log_, board_->refusals()));
    workers_.back()->Start(snapshot_);
  }
  for (const auto& [address, socket] : sockets_) ListenOn(address);
}

// Lends the sockets of an address to the workers: each its own, a Unix socket to all.
void Program::ListenOn(const std::string& address) {
  const std::vector<int>& fds = sockets_.at(address).fds();
  for (size_t i = 0; i < workers_.size(); ++i) {
    for (size_t f = i % std::min(fds.size(), workers_.size()); f < fds.size();
         f += workers_.size()) {
      workers_[i]->Post([address, fd = fds[f]](Worker& w) { w.Listen(address, fd); });
    }
  }
}

void Program::LogListening(const ListenerRuntime& listener) {
  log_->Write(LogLevel::kInfo, "listening",
              {{"listener", std::string_view(listener.conf.name)},
               {"address", std::string_view(listener.conf.address.Text())},
               {"protocol", Name(listener.conf.protocol)},
               {"tls", Name(listener.conf.tls.mode)}});
}

void Program::OnSignal(int signal) {
  if (signal == SIGHUP) {
    if (drain_ends_ != 0) return;
    manager_.Reloading();
    Reload();
    manager_.Ready();
    return;
  }
  if (drain_ends_ == 0 && !stopping_) {
    BeginDrain();
    return;
  }
  log_->Write(LogLevel::kInfo, "stop", {});
  log_->Close();  // what is queued is written; the workers run on
  _exit(1);
}

void Program::Tick() {
  ++ticks_;
  health_->Tick();
  if (ticks_ % kTicksASecond == 0) TickSecond();
  if (drain_ends_ != 0) TickDrain();
  FeedWatchdog();
}

// Only while every worker's loop turns: a hung one is a reason to be restarted.
void Program::FeedWatchdog() {
  const auto now = std::chrono::steady_clock::now();
  if (!manager_.watchdog() || now - watchdog_fed_ < *manager_.watchdog()) return;
  for (size_t i = 0; i < workers_.size(); ++i) {
    if (workers_[i]->beats() == beats_[i] && !stopping_) return;
  }
  for (size_t i = 0; i < workers_.size(); ++i) beats_[i] = workers_[i]->beats();
  watchdog_fed_ = now;
  manager_.Alive();
}

void Program::TickSecond() {
  board_->Tick(std::chrono::steady_clock::now());
  PublishStatus();
  if (std::chrono::steady_clock::now() - tickets_turned_ >= TicketKeys::kTurn) {
    shared_->own_tickets.Turn();
    tickets_turned_ = std::chrono::steady_clock::now();
  }
  if (drain_ends_ == 0 && ticks_ % (2 * kTicksASecond) == 0) ReloadFiles();
}

void Program::LimitConnections(const conf::Config& config) {
  const uint64_t can = SessionsThatFit(descriptor_limit_);
  const uint64_t wanted = config.limits.connections;
  shared_->max_connections = wanted == 0 ? can : std::min(wanted, can);
}

// The end.

void Program::BeginDrain() {
  const auto time = snapshot_->config.drain_timeout;
  drain_ends_ = std::max<uint64_t>(1, uv_now(&loop_) + static_cast<uint64_t>(time.count()));
  log_->Write(LogLevel::kInfo, "drain",
              {{"sessions", shared_->connections.load()},
               {"seconds", static_cast<double>(time.count()) / 1000.0}});
  PublishStatus();
  manager_.Stopping();
  CloseListeners();
  for (const auto& worker : workers_) worker->Post([time](Worker& w) { w.Drain(time); });
}

// New connections go to another instance where there is one; what waits in the queues is still
// accepted.
void Program::CloseListeners() {
  for (auto& [address, socket] : sockets_) {
    // Where a service manager keeps the sockets, clients wait in the queue for the next instance.
    const bool kept = manager_.keeps();
    if (kept) {
      socket.LeaveToOthers();
    } else {
      socket.SteerAway();
    }
    auto closing = std::make_shared<ListenSocket>(std::move(socket));
    for (const auto& worker : workers_) {
      for (const int fd : closing->fds()) {
        worker->Post([fd, closing, kept](Worker& w) { w.Unlisten(fd, kept, [closing] {}); });
      }
    }
  }
  sockets_.clear();
}

void Program::TickDrain() {
  const uint64_t now = uv_now(&loop_);
  const bool empty = shared_->connections.load() == 0;
  if (!stopping_ && ((empty && ticks_ % 3 == 0) || now >= drain_ends_)) StopAll();
  if (stopping_ && (empty || now >= drain_ends_ + kStopTime)) {
    if (!empty) {  // what does not even close is left to the kernel
      log_->Close();
      _exit(0);
    }
    for (const auto& worker : workers_) worker->Join();
    admin_.reset();
    for (const auto& signal : signals_)
      uv_close(reinterpret_cast<uv_handle_t*>(signal.get()), nullptr);
    uv_close(reinterpret_cast<uv_handle_t*>(&clock_), nullptr);
    health_->Stop();
    drain_ends_ = 0;
    if (health_->looking_up()) {
      log_->Write(LogLevel::kInfo, "stop", {});
      log_->Close();
      _exit(exit_status_);
    }
  }
}

void Program::StopAll() {
  stopping_ = true;
  for (const auto& worker : workers_) worker->Post([](Worker& w) { w.Stop(); });
}

// What others see.

std::string Program::NotReady() const {
  if (drain_ends_ != 0 || stopping_) return "draining";
  for (const auto& backend : snapshot_->backends) {
    if (!backend->Checked()) return "backend " + backend->name() + " has not been checked yet";
    if (!backend->HasServerUp()) return "backend " + backend->name() + " has no server up";
  }
  return {};
}

void Program::PublishStatus() {
  Status status = StatusOf(*snapshot_, *shared_);
  status.started = started_;
  status.not_ready = NotReady();
  status.draining = drain_ends_ != 0 || stopping_;
  status.reload = reloaded_;
  status.reload_ok = reload_ok_;
  status.reload_error = reload_error_;
  board_->Publish(std::move(status));
}

void Program::PublishMetrics() {
  std::vector<std::string> names;
  for (const auto& listener : snapshot_->listeners) names.push_back(listener->conf.name);
  shared_->metrics.SetListeners(std::move(names));
  std::vector<MetricsRegistry::ServerName> servers;
  for (const auto& backend : snapshot_->backends) {
    for (const auto& server : backend->servers())
      servers.push_back({backend->name(), server->name()});
  }
  shared_->metrics.SetServers(std::move(servers));
  std::vector<CertificateExpiry> certificates;
  for (const CertificateInfo& info : snapshot_->Certificates()) {
    certificates.push_back({info.chain, info.not_after});
  }
  shared_->metrics.SetCertificates(std::move(certificates));
}

}  // namespace postern
