#include "bench/loadgen/runner.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <numeric>

namespace postern::loadgen {

Runner::Runner(const Options& options)
    : options_(options),
      tls_(options.tls12),
      script_(MakeScript(options)),
      handshake_script_(MakeHandshakeScript(options)),
      epoll_(epoll_create1(EPOLL_CLOEXEC)) {}

Runner::~Runner() { close(epoll_); }

double Runner::Since(Clock::time_point time) {
  return std::chrono::duration<double>(Clock::now() - time).count();
}

bool Runner::Resolve() {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  std::string port = std::to_string(options_.port);
  if (getaddrinfo(options_.host.c_str(), port.c_str(), &hints, &found) != 0) return false;
  std::memcpy(&target_.address, found->ai_addr, found->ai_addrlen);
  target_.address_size = found->ai_addrlen;
  target_.tls = options_.tls;
  freeaddrinfo(found);
  return true;
}

bool Runner::Run(Result& result) {
  result_ = &result;
  if (!Resolve()) return false;
  for (size_t i = 0; i < options_.connections; ++i) {
    clients_.push_back(std::make_unique<Client>(target_, tls_, buffers_));
  }
  if (IsCold(options_.mode)) {
    RunCold();
  } else {
    RunWarm();
  }
  return true;
}

void Runner::RunCold() {
  for (auto& client : clients_) {
    client->cold = true;
    Open(*client, script_);
  }
  for (Clock::time_point from = Clock::now(); Since(from) < options_.warmup && !Hopeless();) {
    Turn(options_.warmup - Since(from));
  }
  BeginMeasuring();
  while (Since(measured_from_) < options_.seconds && !Full() && !Hopeless()) {
    Turn(options_.seconds - Since(measured_from_));
  }
  EndMeasuring();
}

void Runner::RunWarm() {
  bool idle = options_.mode == Mode::kIdle;
  if (idle) result_->proxy_before = UsageOfTrees(options_.proxy);
  if (!OpenAll()) return;
  if (!idle) StartActive();
  double warmup = idle ? options_.hold : options_.warmup;
  for (Clock::time_point from = Clock::now(); Since(from) < warmup && !Hopeless();) {
    Turn(warmup - Since(from));
  }
  if (idle) {
    result_->open = ready_.size();
    result_->proxy_after = UsageOfTrees(options_.proxy);
    return;
  }
  BeginMeasuring();
  while (Since(measured_from_) < options_.seconds && !Full() && !Hopeless()) {
    KeepRate();
    Turn(options_.mode == Mode::kMixed ? 0.001 : options_.seconds - Since(measured_from_));
  }
  EndMeasuring();
}

// Logs all in, some at a time, so that no queue of the proxy overflows.
bool Runner::OpenAll() {
  opening_ = true;
  size_t opened = 0;
  Clock::time_point from = Clock::now();
  auto failed = [this] {
    return std::accumulate(result_->failures.begin(), result_->failures.end(), uint64_t{0});
  };
  while (ready_.size() < clients_.size() && failed() == 0 && Since(from) < kOpeningSeconds) {
    while (opened < clients_.size() && opened < ready_.size() + kOpening) {
      Open(*clients_[opened++], script_);
    }
    Turn(1);
  }
  opening_ = false;
  result_->open = ready_.size();
  return ready_.size() == clients_.size();
}

void Runner::StartActive() {
  size_t active = options_.active > 0 ? options_.active : clients_.size();
  for (size_t i = 0; i < std::min(active, clients_.size()); ++i) StartNext();
  if (options_.mode != Mode::kMixed) return;
  for (size_t i = 0; i < options_.rate; ++i) {
    extras_.push_back(std::make_unique<Client>(target_, tls_, buffers_));
    extras_.back()->cold = true;
    free_extras_.push_back(extras_.back().get());
  }
  extras_from_ = Clock::now();
}

void Runner::StartNext() {
  Client* client = ready_.front();
  ready_.pop_front();
  client->counted = measuring_;
  OnEvent(*client, client->StartLoop());
}

// Mixed: as many handshakes begun as the rate asks for by now, unless they fall behind by a second.
void Runner::KeepRate() {
  if (options_.mode != Mode::kMixed) return;
  auto wanted = static_cast<uint64_t>(Since(extras_from_) * options_.rate);
  while (extras_started_ < wanted && !free_extras_.empty()) {
    Client* client = free_extras_.back();
    free_extras_.pop_back();
    ++extras_started_;
    Open(*client, handshake_script_);
  }
}

void Runner::BeginMeasuring() {
  measuring_ = true;
  measured_from_ = Clock::now();
  result_->operations = 0;
  result_->resumed = 0;
  result_->bytes = 0;
  result_->latency.Clear();
  result_->failures.fill(0);
  result_->proxy_before = CpuOfTrees(options_.proxy);
  backend_before_ = CpuOfTrees(options_.backend).cpu_seconds;
  own_before_ = OwnCpuSeconds();
}

void Runner::EndMeasuring() {
  result_->seconds = Since(measured_from_);
  result_->proxy_after = UsageOfTrees(options_.proxy);
  result_->backend_cpu = CpuOfTrees(options_.backend).cpu_seconds - backend_before_;
  result_->own_cpu = OwnCpuSeconds() - own_before_;
  measuring_ = false;
  stopping_ = true;
}

bool Runner::Hopeless() const {
  uint64_t failed =
      std::accumulate(result_->failures.begin(), result_->failures.end(), uint64_t{0});
  return failed >= kHopeless && result_->operations == 0;
}

void Runner::Turn(double seconds) {
  std::array<epoll_event, 256> events;
  int milliseconds = static_cast<int>(std::clamp(seconds, 0.0, 1.0) * 1000) + 1;
  int count = epoll_wait(epoll_, events.data(), events.size(), milliseconds);
  for (int i = 0; i < count; ++i) {
    OnClient(*static_cast<Client*>(events[i].data.ptr), events[i].events);
  }
}

void Runner::OnClient(Client& client, uint32_t events) {
  if (client.fd() < 0) return;
  bool ended = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  OnEvent(client, client.OnReady(ended));
}

void Runner::OnEvent(Client& client, Client::Event event) {
  switch (event) {
    case Client::Event::kNothing:
      return;
    case Client::Event::kOpened:
      return OnOpened(client);
    case Client::Event::kLooped:
      return OnLooped(client);
    case Client::Event::kFailed:
      return OnFailed(client);
  }
}

void Runner::OnOpened(Client& client) {
  if (!client.cold) {
    ready_.push_back(&client);
    return;
  }
  bool extra = options_.mode == Mode::kMixed;
  if (measuring_) {
    auto nanoseconds = static_cast<uint64_t>(Since(client.began()) * 1e9);
    (extra ? result_->handshake_latency : result_->latency).Add(nanoseconds);
    ++(extra ? result_->handshakes : result_->operations);
    if (client.resumed()) ++result_->resumed;
  }
  client.Close();
  if (extra) {
    free_extras_.push_back(&client);
  } else {
    Open(client, script_);
  }
}

void Runner::OnLooped(Client& client) {
  // A round trip that began before the measurement is not of it.
  if (measuring_ && client.counted) {
    result_->latency.Add(static_cast<uint64_t>(Since(client.began()) * 1e9));
    ++result_->operations;
    result_->bytes += client.TakeBytes();
  } else {
    client.TakeBytes();
  }
  ready_.push_back(&client);
  if (!stopping_ && !Full()) StartNext();
}

void Runner::OnFailed(Client& client) {
  ++result_->failures[static_cast<size_t>(client.failure())];
  client.Close();
  if (!client.cold || Hopeless()) return;
  if (options_.mode == Mode::kMixed) {
    free_extras_.push_back(&client);
  } else {
    Open(client, script_);
  }
}

void Runner::Open(Client& client, const Script& script) {
  const auto* address = reinterpret_cast<const sockaddr_in*>(&target_.address);
  bool loopback = address->sin_family == AF_INET && ntohl(address->sin_addr.s_addr) >> 24 == 127;
  uint32_t source = loopback ? 1 + next_source_++ % kSources : 0;
  if (!client.Open(script, source, options_.mode == Mode::kResume)) {
    ++result_->failures[static_cast<size_t>(client.failure())];
    client.Close();
    return;
  }
  epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                       .data = {.ptr = &client}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, client.fd(), &event);
}

}  // namespace postern::loadgen
