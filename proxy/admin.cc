#include "proxy/admin.h"

#include <fcntl.h>
#include <microhttpd.h>
#include <poll.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <list>
#include <mutex>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include "proxy/admin_hosts.h"
#include "proxy/page.h"

namespace postern {
namespace {

using std::chrono::steady_clock;

constexpr const char* kText = "text/plain; charset=utf-8";
constexpr const char* kMetricsText = "text/plain; version=0.0.4; charset=utf-8";
constexpr const char* kJson = "application/json";
constexpr const char* kHtml = "text/html; charset=utf-8";
// Nothing of a text is ever to be run.
constexpr const char* kTextPolicy = "default-src 'none'; frame-ancestors 'none'";
constexpr int kSweepMillis = 1000;

struct Answer {
  unsigned status = MHD_HTTP_OK;
  const char* type = kText;
  std::string body;
};

struct Connection {
  int fd = -1;
  steady_clock::time_point since;  // when its present request began or was waited for
  // Of the present request, whose body, if it has one, is read over before the answer.
  std::optional<Answer> refusal;
  size_t body = 0;
};

Connection& Of(MHD_Connection* connection) {
  const MHD_ConnectionInfo* info =
      MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return *static_cast<Connection*>(info->socket_context);
}

// What counts of a request's headers.
struct Head {
  std::vector<std::string> hosts;
  uint64_t content_length = 0;
  bool chunked = false;

  bool body_too_large() const { return chunked || content_length > kMaxAdminBody; }
};

MHD_Result AddHeader(void* context, MHD_ValueKind, const char* key, const char* value) {
  auto& head = *static_cast<Head*>(context);
  if (strcasecmp(key, "Host") == 0) head.hosts.emplace_back(value == nullptr ? "" : value);
  if (strcasecmp(key, "Transfer-Encoding") == 0) head.chunked = true;
  if (strcasecmp(key, "Content-Length") == 0 && value != nullptr) {
    head.content_length = std::strtoull(value, nullptr, 10);
  }
  return MHD_YES;
}

Answer Error(unsigned status, std::string text) { return {status, kText, std::move(text) + "\n"}; }

}  // namespace

struct AdminServer::State {
  ~State();
  void Loop();
  void CutOffOld();
  std::optional<Answer> Refusal(const Head& head, const char* method, const char* version);
  Answer AnswerTo(std::string_view path) const;
  MHD_Result Queue(MHD_Connection* connection, const Answer& answer) const;
  MHD_Result OnRequest(MHD_Connection* connection, const char* url, const char* method,
                       const char* version, size_t* upload_size, void** context);
  void OnConnection(MHD_Connection* connection, void** context,
                    MHD_ConnectionNotificationCode code);

  AdminSource source;
  bool is_unix = false;
  std::string page_policy = PageSecurityPolicy(PageHtml());
  std::vector<std::string> own_names = OwnNames();
  std::mutex mutex;  // for `hosts`
  std::vector<std::string> hosts;
  std::list<Connection> connections;  // admin thread; the daemon holds pointers into it
  MHD_Daemon* daemon = nullptr;
  int epoll_fd = -1;  // the daemon's
  int stop_fd = -1;
  std::thread thread;
};

AdminServer::State::~State() {
  if (thread.joinable()) {
    uint64_t one = 1;
    if (write(stop_fd, &one, sizeof one) < 0) std::abort();  // cannot be: the counter is 0
    thread.join();
  }
  if (daemon != nullptr) MHD_stop_daemon(daemon);
  if (stop_fd >= 0) close(stop_fd);
}

// libmicrohttpd's own thread would know of idle connections, but not of slow ones: driven from
// here, the two never need a lock.
void AdminServer::State::Loop() {
  while (true) {
    MHD_UNSIGNED_LONG_LONG wait = kSweepMillis;
    if (MHD_get_timeout(daemon, &wait) != MHD_YES) wait = kSweepMillis;
    int millis = static_cast<int>(std::min<MHD_UNSIGNED_LONG_LONG>(wait, kSweepMillis));
    pollfd entries[] = {{epoll_fd, POLLIN, 0}, {stop_fd, POLLIN, 0}};
    poll(entries, std::size(entries), millis);
    if (entries[1].revents != 0) return;
    MHD_run(daemon);
    CutOffOld();
  }
}

void AdminServer::State::CutOffOld() {
  auto now = steady_clock::now();
  for (Connection& connection : connections) {
    if (now - connection.since < kAdminExchange) continue;
    // What the peer was too slow to take is thrown away. The daemon sees the end and closes.
    linger at_once{1, 0};
    setsockopt(connection.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    shutdown(connection.fd, SHUT_RDWR);
  }
}

std::optional<Answer> AdminServer::State::Refusal(const Head& head, const char* method,
                                                  const char* version) {
  bool needs_host = strcmp(version, MHD_HTTP_VERSION_1_1) == 0;
  if (head.hosts.size() > 1 || (needs_host && head.hosts.empty())) {
    return Error(MHD_HTTP_BAD_REQUEST, "one Host header, please");
  }
  if (!is_unix && !head.hosts.empty()) {
    std::lock_guard lock(mutex);
    if (!HostAllowed(head.hosts[0], own_names) && !HostAllowed(head.hosts[0], hosts)) {
      return Error(MHD_HTTP_FORBIDDEN, "this Host is not one of admin.hosts");
    }
  }
  if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
    return Error(MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD alone");
  }
  if (head.body_too_large()) return Error(MHD_HTTP_CONTENT_TOO_LARGE, "too large");
  return std::nullopt;
}

Answer AdminServer::State::AnswerTo(std::string_view path) const {
  if (path == "/metrics") return {MHD_HTTP_OK, kMetricsText, source.metrics()};
  if (path == "/healthz") return {MHD_HTTP_OK, kText, "ok\n"};
  if (path == "/status.json") return {MHD_HTTP_OK, kJson, source.status_json()};
  if (path == "/") return {MHD_HTTP_OK, kHtml, std::string(PageHtml())};
  if (path == "/readyz") {
    std::string reason = source.not_ready();
    if (reason.empty()) return {MHD_HTTP_OK, kText, "ready\n"};
    return Error(MHD_HTTP_SERVICE_UNAVAILABLE, std::move(reason));
  }
  return Error(MHD_HTTP_NOT_FOUND, "there are /, /metrics, /healthz, /readyz and /status.json");
}

MHD_Result AdminServer::State::Queue(MHD_Connection* connection, const Answer& answer) const {
  MHD_Response* response = MHD_create_response_from_buffer(
      answer.body.size(), const_cast<char*>(answer.body.data()), MHD_RESPMEM_MUST_COPY);
  if (response == nullptr) return MHD_NO;
  auto add = [&](const char* name, const char* value) {
    MHD_add_response_header(response, name, value);
  };
  add("Content-Type", answer.type);
  add("Cache-Control", "no-store");
  add("Content-Security-Policy", answer.type == kHtml ? page_policy.c_str() : kTextPolicy);
  add("Cross-Origin-Resource-Policy", "same-origin");
  add("Cross-Origin-Opener-Policy", "same-origin");
  add("Referrer-Policy", "no-referrer");
  add("X-Content-Type-Options", "nosniff");
  add("X-Frame-Options", "DENY");
  if (answer.status == MHD_HTTP_METHOD_NOT_ALLOWED) add("Allow", "GET, HEAD");
  // Whoever asks for what is not there has no business in keeping a place.
  if (answer.status >= 400 && answer.status < 500) add("Connection", "close");
  MHD_Result result = MHD_queue_response(connection, answer.status, response);
  MHD_destroy_response(response);
  return result;
}

// Called once with the head of a request, once for each piece of its body, and once at its end.
MHD_Result AdminServer::State::OnRequest(MHD_Connection* connection, const char* url,
                                         const char* method, const char* version,
                                         size_t* upload_size, void** context) {
  Connection& state = Of(connection);
  if (*context == nullptr) {
    *context = &state;
    Head head;
    MHD_get_connection_values(connection, MHD_HEADER_KIND, AddHeader, &head);
    state.refusal = Refusal(head, method, version);
    return head.body_too_large() ? Queue(connection, *state.refusal) : MHD_YES;
  }
  if (*upload_size > 0) {
    state.body += *upload_size;
    *upload_size = 0;
    return state.body <= kMaxAdminBody ? MHD_YES : MHD_NO;
  }
  return Queue(connection, state.refusal ? *state.refusal : AnswerTo(url));
}

void AdminServer::State::OnConnection(MHD_Connection* connection, void** context,
                                      MHD_ConnectionNotificationCode code) {
  if (code == MHD_CONNECTION_NOTIFY_STARTED) {
    const MHD_ConnectionInfo* info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    connections.push_back({info->connect_fd, steady_clock::now(), std::nullopt, 0});
    *context = &connections.back();
  } else {
    connections.remove_if([&](const Connection& entry) { return &entry == *context; });
  }
}

AdminServer::AdminServer() : state_(std::make_unique<State>()) {}
AdminServer::~AdminServer() = default;

std::unique_ptr<AdminServer> AdminServer::Start(int listen_fd, AdminSource source,
                                                std::vector<std::string> hosts,
                                                std::string& error) {
  std::unique_ptr<AdminServer> server(new AdminServer());
  State& state = *server->state_;
  state.source = std::move(source);
  server->SetHosts(std::move(hosts));
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  getsockname(listen_fd, reinterpret_cast<sockaddr*>(&address), &size);
  state.is_unix = address.ss_family == AF_UNIX;
  fcntl(listen_fd, F_SETFL, fcntl(listen_fd, F_GETFL) | O_NONBLOCK);

  MHD_AccessHandlerCallback on_request = [](void* self, MHD_Connection* connection, const char* url,
                                            const char* method, const char* version, const char*,
                                            size_t* upload_size, void** context) {
    return static_cast<State*>(self)->OnRequest(connection, url, method, version, upload_size,
                                                context);
  };
  MHD_RequestCompletedCallback on_completed = [](void*, MHD_Connection* connection, void**,
                                                 MHD_RequestTerminationCode) {
    Connection& done = Of(connection);
    done = {done.fd, steady_clock::now(), std::nullopt, 0};
  };
  MHD_NotifyConnectionCallback on_connection = [](void* self, MHD_Connection* connection,
                                                  void** context,
                                                  MHD_ConnectionNotificationCode code) {
    static_cast<State*>(self)->OnConnection(connection, context, code);
  };
  state.daemon = MHD_start_daemon(
      MHD_USE_EPOLL, 0, nullptr, nullptr, on_request, &state, MHD_OPTION_LISTEN_SOCKET, listen_fd,
      MHD_OPTION_NOTIFY_COMPLETED, on_completed, nullptr, MHD_OPTION_NOTIFY_CONNECTION,
      on_connection, &state, MHD_OPTION_CONNECTION_LIMIT, kMaxAdminConnections,
      MHD_OPTION_CONNECTION_TIMEOUT, static_cast<unsigned>(kAdminIdle.count()),
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, kMaxAdminHead, MHD_OPTION_STRICT_FOR_CLIENT, 1,
      MHD_OPTION_END);
  if (state.daemon == nullptr) {
    close(listen_fd);
    error = "the admin server does not start";
    return nullptr;
  }
  state.epoll_fd = MHD_get_daemon_info(state.daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
  state.stop_fd = eventfd(0, EFD_CLOEXEC);
  if (state.stop_fd < 0) {
    error = std::string("the admin server does not start: ") + std::strerror(errno);
    return nullptr;
  }
  state.thread = std::thread([&state] { state.Loop(); });
  return server;
}

void AdminServer::SetHosts(std::vector<std::string> hosts) {
  std::lock_guard lock(state_->mutex);
  state_->hosts = std::move(hosts);
}

}  // namespace postern
