#include "proxy/log.h"

#include <limits.h>
#include <poll.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <thread>
#include <utility>

#include "proxy/log_format.h"

namespace postern {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kLastWrites{1};
constexpr int kPollMillis = 100;
// Lines that come within this time leave together: under load the worker need not wake this thread
// for each, and one system call writes many.
constexpr std::chrono::milliseconds kGather{50};
constexpr size_t kMostGathered = 64 * 1024;

// Writes whole lines to a descriptor, on the log's thread alone. It waits for as long as the other
// end of a pipe sleeps, but no longer than kLastWrites once the program wants to end.
class DescriptorSink final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  DescriptorSink(int fd, const std::atomic<LogFormat>& format) : fd_(fd), format_(format) {}

  // Any thread; the last call to it.
  void Stop() { stop_at_.store((steady_clock::now() + kLastWrites).time_since_epoch().count()); }
  // Before the first line: who knows how many lines were pushed out of the queue.
  void Watch(spdlog::details::thread_pool* pool) { pool_ = pool; }
  // After the log's thread has ended: what it had gathered.
  void Finish() { WriteGathered(); }
  // Any thread: whether a flush that was asked for has been done.
  bool flushed() const { return flushed_.load(); }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    size_t lost = pool_->overrun_counter();
    if (lost > reported_lost_) {
      LogField field{"lines", static_cast<uint64_t>(lost - reported_lost_)};
      reported_lost_ = lost;
      AddLine(
          FormatLogLine(format_, LogTime::clock::now(), LogLevel::kError, "log_lost", &field, 1));
    }
    AddLine({message.payload.data(), message.payload.size()});
    if (MoreIsWaiting()) return;
    if (!Stopping()) std::this_thread::sleep_for(kGather);
    if (!MoreIsWaiting()) WriteGathered();
  }
  void flush_() override {
    WriteGathered();
    flushed_.store(true);
  }

 private:
  bool Stopping() const { return stop_at_.load() != 0; }
  bool MoreIsWaiting() const {
    return !Stopping() && gathered_.size() < kMostGathered && pool_->queue_size() > 0;
  }
  void AddLine(std::string_view line) {
    gathered_ += line;
    gathered_ += '\n';
  }

  bool WaitUntilWritable() const {
    while (true) {
      auto stop_at = stop_at_.load();
      bool late = stop_at != 0 && steady_clock::now().time_since_epoch().count() > stop_at;
      pollfd entry{fd_, POLLOUT, 0};
      int ready = poll(&entry, 1, late ? 0 : kPollMillis);
      if (ready > 0) return (entry.revents & POLLOUT) != 0;
      if (late || (ready < 0 && errno != EINTR)) return false;
    }
  }

  // A pipe that polls writable takes PIPE_BUF bytes without blocking, so no write is larger.
  void WriteGathered() {
    std::string_view rest = gathered_;
    while (!rest.empty()) {
      if (!WaitUntilWritable()) break;
      ssize_t written = write(fd_, rest.data(), std::min<size_t>(rest.size(), PIPE_BUF));
      if (written > 0) {
        rest.remove_prefix(static_cast<size_t>(written));
      } else if (written < 0 && errno != EINTR && errno != EAGAIN) {
        break;
      }
    }
    gathered_.clear();
  }

  const int fd_;
  const std::atomic<LogFormat>& format_;
  std::atomic<steady_clock::rep> stop_at_{0};
  std::atomic<bool> flushed_{false};
  spdlog::details::thread_pool* pool_ = nullptr;
  size_t reported_lost_ = 0;
  std::string gathered_;
};

}  // namespace

struct Log::State {
  State(LogLevel log_level, LogFormat log_format, int fd) : level(log_level), format(log_format) {
    sink = std::make_shared<DescriptorSink>(fd, format);
    pool = std::make_shared<spdlog::details::thread_pool>(kLogQueueLines, 1);
    sink->Watch(pool.get());
    logger = std::make_shared<spdlog::async_logger>("postern", sink, pool,
                                                    spdlog::async_overflow_policy::overrun_oldest);
    logger->set_level(spdlog::level::trace);
  }

  std::atomic<LogLevel> level;
  std::atomic<LogFormat> format;
  std::atomic<bool> closed{false};
  std::shared_ptr<DescriptorSink> sink;
  std::shared_ptr<spdlog::details::thread_pool> pool;  // its end joins the thread
  std::shared_ptr<spdlog::async_logger> logger;
};

Log::Log(LogLevel level, LogFormat format, int fd)
    : state_(std::make_unique<State>(level, format, fd)) {}

Log::~Log() {
  state_->sink->Stop();
  state_->pool.reset();
  state_->logger.reset();
  state_->sink->Finish();
}

void Log::Close() {
  if (state_->closed.exchange(true)) return;
  state_->sink->Stop();
  state_->logger->flush();
  const auto give_up = steady_clock::now() + 2 * kLastWrites;
  while (!state_->sink->flushed() && steady_clock::now() < give_up)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

void Log::Configure(LogLevel level, LogFormat format) {
  state_->level = level;
  state_->format = format;
}

bool Log::enabled(LogLevel level) const { return level >= state_->level.load(); }

void Log::Write(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  Write(level, event, fields.begin(), fields.size());
}

void Log::Write(LogLevel level, std::string_view event, const LogField* fields, size_t count) {
  if (!enabled(level) || state_->closed.load()) return;
  std::string line =
      FormatLogLine(state_->format, LogTime::clock::now(), level, event, fields, count);
  state_->logger->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace postern
