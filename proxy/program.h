// `postern run`: the main thread. It owns everything that lives as long as the process, hears
// signals, loads and reloads configurations, watches files, checks backends, publishes the status,
// and ends it all.
#pragma once

#include <uv.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "conf/load.h"
#include "proxy/admin.h"
#include "proxy/admin_socket.h"
#include "proxy/health.h"
#include "proxy/listen_sockets.h"
#include "proxy/log.h"
#include "proxy/service_manager.h"
#include "proxy/snapshot.h"
#include "proxy/status.h"
#include "proxy/worker.h"

namespace postern {

// Judges a configuration with all its files. Null where something is wrong; `mistakes` has
// everything, warnings too, in the order of the file.
std::shared_ptr<const Snapshot> Judge(conf::LoadResult loaded, Shared& shared,
                                      const Snapshot* previous,
                                      std::vector<conf::Mistake>& mistakes);
// How many the configuration asks for.
size_t WorkerCount(const conf::Config& config);

class Program {
 public:
  explicit Program(std::string config_file);
  ~Program();

  int Run();  // the exit status

 private:
  // A file as it was when last looked at.
  struct Signature {
    uint64_t device = 0, inode = 0, size = 0, seconds = 0, nanoseconds = 0;
    bool operator==(const Signature&) const = default;
  };

  bool Begin();
  bool OpenSockets(const conf::Config& config, bool unix_ones);
  bool StartAdmin(const conf::Config& config, const AdminSocket& socket, std::string& error);
  void StartWorkers();
  void ListenOn(const std::string& address);
  void LogListening(const ListenerRuntime& listener);
  void OnSignal(int signal);
  void Tick();
  void TickSecond();
  void FeedWatchdog();

  // program_reload.cc
  void Reload();
  void CloseGone(const Snapshot& next);
  bool PrepareAdmin(const conf::Config& next, AdminSocket& socket,
                    std::vector<conf::Mistake>& mistakes);
  void ChangeAdmin(const conf::Config& before, const AdminSocket& socket);
  void ReloadFiles();
  void Adopt(std::shared_ptr<const Snapshot> snapshot);
  bool PrepareSockets(const conf::Config& next, std::map<std::string, ListenSocket>& fresh,
                      std::vector<conf::Mistake>& mistakes);
  void ReloadFailed(const std::vector<conf::Mistake>& mistakes);
  void LogWarnings(std::string_view event, const std::vector<conf::Mistake>& warnings);
  void WatchFiles();
  static Signature Look(const std::string& file);
  void LimitConnections(const conf::Config& config);

  void BeginDrain();
  void CloseListeners();
  void TickDrain();
  void StopAll();

  std::string NotReady() const;
  void PublishStatus();
  void PublishMetrics();

  std::string config_file_;
  ServiceManager manager_;
  uv_loop_t loop_{};
  uv_timer_t clock_{};
  std::vector<std::unique_ptr<uv_signal_t>> signals_;
  std::unique_ptr<Shared> shared_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<StatusBoard> board_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::map<std::string, ListenSocket> sockets_;  // by Address::Text
  std::vector<std::unique_ptr<Worker>> workers_;
  std::unique_ptr<HealthChecker> health_;
  std::unique_ptr<AdminServer> admin_;
  std::map<std::string, Signature> watched_;
  bool files_changed_ = false;  // seen at the last look: read when they have come to rest
  uint64_t ticks_ = 0;
  std::chrono::steady_clock::time_point watchdog_fed_{};
  std::vector<uint64_t> beats_;  // of the workers, when the watchdog was last fed
  std::chrono::system_clock::time_point started_ = std::chrono::system_clock::now();
  std::chrono::steady_clock::time_point tickets_turned_ = std::chrono::steady_clock::now();
  std::optional<std::chrono::system_clock::time_point> reloaded_;
  bool reload_ok_ = true;
  std::string reload_error_;
  uint64_t descriptor_limit_ = 0;
  uint64_t drain_ends_ = 0;  // ms of the loop's clock; 0: no drain
  size_t sockets_to_close_ = 0;
  bool stopping_ = false;
  int exit_status_ = 0;
};

}  // namespace postern
