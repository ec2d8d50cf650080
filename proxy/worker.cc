#include "proxy/worker.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace postern {
namespace {

constexpr uint64_t kTick = 100;        // ms: how coarse timeouts are
constexpr size_t kAcceptsAtOnce = 64;  // then the sessions at hand get their turn
constexpr uint64_t kRestTold =
    30'000;  // ms: after EMFILE and its like the log is told this often at most

void CloseHandle(uv_handle_t* handle) {
  if (!uv_is_closing(handle)) uv_close(handle, nullptr);
}

}  // namespace

Worker::Worker(size_t index, Shared& shared, Log& log, RefusalRing& refusals)
    : index_(index), shared_(shared), log_(log), refusals_(refusals) {
  uv_loop_init(&loop_);
  uv_async_init(&loop_, &wake_, [](uv_async_t* h) { static_cast<Worker*>(h->data)->RunTasks(); });
  wake_.data = this;
  uv_timer_init(&loop_, &clock_);
  clock_.data = this;
  uv_prepare_init(&loop_, &sweep_);
  sweep_.data = this;
}

Worker::~Worker() { uv_loop_close(&loop_); }

void Worker::Start(std::shared_ptr<const Snapshot> snapshot) {
  snapshot_ = std::move(snapshot);
  thread_ = std::thread([this] { Run(); });
}

void Worker::Join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::Run() {
  tick_due_ = uv_hrtime() + kTick * 1'000'000;
  uv_timer_start(
      &clock_, [](uv_timer_t* h) { static_cast<Worker*>(h->data)->Tick(); }, kTick, kTick);
  uv_prepare_start(&sweep_, [](uv_prepare_t* h) { static_cast<Worker*>(h->data)->Sweep(); });
  uv_run(&loop_, UV_RUN_DEFAULT);
  snapshot_.reset();
}

void Worker::Post(std::function<void(Worker&)> task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  uv_async_send(&wake_);
}

void Worker::RunTasks() {
  std::vector<std::function<void(Worker&)>> tasks;
  {
    const std::lock_guard lock(mutex_);
    tasks.swap(tasks_);
  }
  for (const auto& task : tasks) task(*this);
}

void Worker::Tick() {
  beats_.store(beats_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  const uint64_t now = uv_hrtime();
  const uint64_t late = now > tick_due_ ? now - tick_due_ : 0;
  shared_.metrics.Worker(index_).loop_lag.Observe(static_cast<double>(late) / 1e9);
  tick_due_ = now + kTick * 1'000'000;
  timers_.Expire(uv_now(&loop_));
  for (const auto& acceptor : acceptors_) {
    if (!acceptor->resting) continue;
    acceptor->resting = false;
    uv_poll_start(&acceptor->poll, UV_READABLE, acceptor->poll.poll_cb);
  }
  if (drain_started_ != 0 && !drain_over_) TickDrain();
}

void Worker::Sweep() {
  ++turn_;
  handshake_turns_.Next();
  for (Session* session : std::exchange(doomed_, {})) sessions_.erase(session);
  if (!stopping_ || !sessions_.empty()) return;
  CloseHandle(reinterpret_cast<uv_handle_t*>(&wake_));
  CloseHandle(reinterpret_cast<uv_handle_t*>(&clock_));
  CloseHandle(reinterpret_cast<uv_handle_t*>(&sweep_));
}

void Worker::Erase(Session& session) {
  if (std::find(doomed_.begin(), doomed_.end(), &session) == doomed_.end()) {
    doomed_.push_back(&session);
  }
}

// Listening.

void Worker::Listen(const std::string& address, int fd) {
  auto acceptor = std::make_unique<Acceptor>();
  acceptor->worker = this;
  acceptor->address = address;
  acceptor->fd = fd;
  uv_poll_init(&loop_, &acceptor->poll, fd);
  acceptor->poll.data = acceptor.get();
  uv_poll_start(&acceptor->poll, UV_READABLE, [](uv_poll_t* h, int, int) {
    auto* self = static_cast<Acceptor*>(h->data);
    self->worker->OnAcceptable(*self);
  });
  acceptors_.push_back(std::move(acceptor));
}

void Worker::Unlisten(int fd, bool leave_queue, std::function<void()> done) {
  const auto found = std::find_if(acceptors_.begin(), acceptors_.end(),
                                  [fd](const auto& a) { return a->fd == fd; });
  if (found == acceptors_.end()) {
    done();
    return;
  }
  Acceptor& acceptor = **found;
  while (!leave_queue && AcceptFrom(acceptor, kAcceptsAtOnce)) {
  }
  acceptor.closed = std::move(done);
  uv_close(reinterpret_cast<uv_handle_t*>(&acceptor.poll), [](uv_handle_t* h) {
    auto* self = static_cast<Acceptor*>(h->data);
    auto& all = self->worker->acceptors_;
    const auto closed = std::move(self->closed);
    std::erase_if(all, [self](const auto& a) { return a.get() == self; });
    closed();
  });
}

// One client is the rule, and asking for a second costs a system call; where one turn of the loop
// after the other finds somebody waiting, more are taken at once.
void Worker::OnAcceptable(Acceptor& acceptor) {
  acceptor.burst =
      acceptor.woken_at + 1 == turn_ ? std::min(acceptor.burst * 2, kAcceptsAtOnce) : 1;
  acceptor.woken_at = turn_;
  AcceptFrom(acceptor, acceptor.burst);
}

// True where there may be more.
bool Worker::AcceptFrom(Acceptor& acceptor, size_t most) {
  for (size_t i = 0; i < most; ++i) {
    sockaddr_storage client{};
    socklen_t size = sizeof client;
    const int fd = accept4(acceptor.fd, reinterpret_cast<sockaddr*>(&client), &size,
                           SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      Begin(acceptor, fd, client);
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      Rest(acceptor, errno);
    }
    return false;
  }
  return true;
}

// Out of descriptors or memory: the queue of the kernel holds the clients until some are free
// again.
void Worker::Rest(Acceptor& acceptor, int error) {
  if (acceptor.rest_told == 0 || now() - acceptor.rest_told >= kRestTold) {
    acceptor.rest_told = now();
    log_.Write(LogLevel::kError, "accept",
               {{"address", std::string_view(acceptor.address)},
                {"error", std::string_view(strerror(error))}});
  }
  acceptor.resting = true;
  if (!uv_is_closing(reinterpret_cast<uv_handle_t*>(&acceptor.poll))) uv_poll_stop(&acceptor.poll);
}

void Worker::Begin(const Acceptor& acceptor, int fd, const sockaddr_storage& client) {
  const ListenerRuntime* listener = snapshot_->At(acceptor.address);
  if (listener == nullptr) {  // being removed
    ::close(fd);
    return;
  }
  auto session = std::make_unique<Session>(*this, snapshot_, *listener, client);
  Session& started = *session;
  sessions_.emplace(&started, std::move(session));
  started.Start(fd);
}

bool Worker::CountConnection(const ListenerRuntime& listener) {
  const uint64_t most = shared_.max_connections.load(std::memory_order_relaxed);
  const uint64_t own_most = listener.conf.limits.connections;
  const bool own = listener.conf.own_limits.connections;
  if (shared_.connections.fetch_add(1, std::memory_order_relaxed) >= most && most != 0) {
    shared_.connections.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  if (own && own_most != 0 &&
      listener.own->connections.load(std::memory_order_relaxed) >= own_most) {
    shared_.connections.fetch_sub(1, std::memory_order_relaxed);
    return false;
  }
  listener.own->connections.fetch_add(1, std::memory_order_relaxed);
  return true;
}

void Worker::UncountConnection(const ListenerRuntime& listener) {
  shared_.connections.fetch_sub(1, std::memory_order_relaxed);
  listener.own->connections.fetch_sub(1, std::memory_order_relaxed);
}

// Draining and stopping.

void Worker::Drain(std::chrono::milliseconds time) {
  drain_started_ = now();
  drain_ends_ = drain_started_ + static_cast<uint64_t>(time.count());
  TickDrain();
}

void Worker::TickDrain() {
  const uint64_t now = uv_now(&loop_);
  const uint64_t half = (drain_ends_ - drain_started_) / 2;
  const uint64_t into = now - drain_started_;
  if (now >= drain_ends_) {
    drain_over_ = true;
    for (const auto& [session, owner] : sessions_) session->End(End::kDrain, Farewell::kShutdown);
    return;
  }
  // In the second half every session has a moment of its own, so that clients don't come back all
  // at once. The last tenth is for those that were busy at theirs.
  const uint64_t spread = std::max<uint64_t>(1, half * 9 / 10);
  for (const auto& [session, owner] : sessions_) {
    session->TryDrain(into >= half && into - half >= session->drain_spread() % spread);
  }
}

void Worker::Stop() {
  stopping_ = true;
  for (const auto& [session, owner] : sessions_) session->End(End::kDrain, Farewell::kShutdown);
  for (const auto& acceptor : acceptors_) {
    CloseHandle(reinterpret_cast<uv_handle_t*>(&acceptor->poll));
  }
}

// Logging.

void Worker::NoteRefusal(std::string_view client, std::string_view listener,
                         std::string_view mechanism, std::string_view why) {
  refusals_.Add({std::chrono::system_clock::now(), std::string(client), std::string(listener),
                 std::string(mechanism), std::string(why)});
}

std::string Worker::IdText(uint64_t id) { return fmt::format("{:016x}", id); }

void Worker::LogSession(LogLevel level, std::string_view event, uint64_t id,
                        std::initializer_list<LogField> fields) {
  if (!log_.enabled(level)) return;
  constexpr size_t kMostFields = 24;
  std::array<LogField, kMostFields> all;
  const std::string text = IdText(id);
  all[0] = {"id", std::string_view(text)};
  const size_t count = std::min(fields.size(), kMostFields - 1);
  std::copy_n(fields.begin(), count, all.begin() + 1);
  log_.Write(level, event, all.data(), count + 1);
}

}  // namespace postern
