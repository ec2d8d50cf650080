#include "proxy/admin.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "proxy/admin_hosts.h"
#include "proxy/admin_socket.h"
#include "proxy/page.h"

namespace postern {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr auto kSlack = 5s;  // for a machine that is busy with other things

class Client {
 public:
  explicit Client(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    Connect(reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  explicit Client(const std::string& path) : fd_(socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
    Connect(reinterpret_cast<sockaddr*>(&address), sizeof address);
  }
  Client(const Client&) = delete;
  Client(Client&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Client() {
    if (fd_ >= 0) close(fd_);
  }

  int fd() const { return fd_; }
  bool Send(std::string_view bytes) const {
    return send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }
  // Until the other side closes, or `stop` is found, or time is over.
  std::string Read(const std::string& stop = "\r\n\r\n\1") const {
    std::string all;
    char buffer[4096];
    pollfd entry{fd_, POLLIN, 0};
    while (all.find(stop) == std::string::npos && poll(&entry, 1, 60'000) > 0) {
      ssize_t n = recv(fd_, buffer, sizeof buffer, 0);
      if (n <= 0) break;
      all.append(buffer, static_cast<size_t>(n));
    }
    return all;
  }

 private:
  void Connect(const sockaddr* address, socklen_t size) const {
    EXPECT_EQ(connect(fd_, address, size), 0) << std::strerror(errno);
  }
  int fd_;
};

class AdminTest : public testing::Test {
 protected:
  void SetUp() override {
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(listen(fd, 512), 0);
    socklen_t size = sizeof address;
    getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    Start(fd);
  }
  void Start(int fd) {
    AdminSource source;
    source.metrics = [this] { return metrics_; };
    source.status_json = [] { return std::string("{}"); };
    source.not_ready = [this] { return ready_ ? std::string() : std::string("draining"); };
    std::string error;
    server_ = AdminServer::Start(fd, std::move(source), {"mail.example"}, error);
    ASSERT_TRUE(server_) << error;
  }
  std::string Ask(const std::string& request) const {
    Client client(port_);
    client.Send(request);
    return client.Read();
  }
  std::string Get(const std::string& path, const std::string& host = "localhost") const {
    return Ask("GET " + path + " HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n");
  }

  uint16_t port_ = 0;
  std::string metrics_ = "up 1\n";
  std::atomic<bool> ready_{true};
  std::unique_ptr<AdminServer> server_;
};

int StatusOf(const std::string& answer) {
  return answer.starts_with("HTTP/1.1 ") ? std::atoi(answer.c_str() + 9) : 0;
}
std::string BodyOf(const std::string& answer) {
  size_t end = answer.find("\r\n\r\n");
  return end == std::string::npos ? "" : answer.substr(end + 4);
}

TEST_F(AdminTest, Pages) {
  std::string metrics = Get("/metrics");
  EXPECT_EQ(StatusOf(metrics), 200);
  EXPECT_EQ(BodyOf(metrics), "up 1\n");
  EXPECT_NE(metrics.find("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"),
            std::string::npos);
  EXPECT_EQ(BodyOf(Get("/healthz")), "ok\n");
  EXPECT_EQ(BodyOf(Get("/status.json")), "{}");
  EXPECT_EQ(BodyOf(Get("/")), PageHtml());
  EXPECT_EQ(StatusOf(Get("/metrics/")), 404);
  EXPECT_EQ(StatusOf(Get("/../etc/passwd")), 404);
  EXPECT_EQ(StatusOf(Get("/metrics?name[]=up")), 200);
}

TEST_F(AdminTest, ReadyOrTheReason) {
  EXPECT_EQ(StatusOf(Get("/readyz")), 200);
  ready_ = false;
  std::string answer = Get("/readyz");
  EXPECT_EQ(StatusOf(answer), 503);
  EXPECT_EQ(BodyOf(answer), "draining\n");
  EXPECT_EQ(StatusOf(Get("/healthz")), 200);
}

TEST_F(AdminTest, HeadIsGetWithoutBody) {
  std::string answer =
      Ask("HEAD /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(StatusOf(answer), 200);
  EXPECT_NE(answer.find("Content-Length: 5\r\n"), std::string::npos);
  EXPECT_EQ(BodyOf(answer), "");
}

TEST_F(AdminTest, OtherMethods) {
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "get", "X"}) {
    std::string answer = Ask(std::string(method) + " /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
    EXPECT_EQ(StatusOf(answer), 405) << method;
    EXPECT_NE(answer.find("Allow: GET, HEAD\r\n"), std::string::npos);
  }
  EXPECT_EQ(StatusOf(Ask("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc")),
            405);
}

// The body comes in a packet of its own: the answer must not be lost in a reset.
TEST_F(AdminTest, PostWhoseBodyComesLaterIsAnswered) {
  for (int i = 0; i < 20; ++i) {
    Client client(port_);
    ASSERT_TRUE(client.Send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"));
    usleep(2000);
    ASSERT_TRUE(client.Send("012345678"));
    EXPECT_EQ(StatusOf(client.Read()), 405);
  }
}

TEST_F(AdminTest, BodyThatIsTooLarge) {
  EXPECT_EQ(StatusOf(Ask("GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\n\r\n")),
            413);
  EXPECT_EQ(
      StatusOf(Ask("GET / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")),
      413);
  EXPECT_EQ(StatusOf(Ask("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\n"
                         "Expect: 100-continue\r\n\r\n")),
            405);
}

TEST_F(AdminTest, HeadThatIsTooLarge) {
  std::string answer =
      Ask("GET / HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(1 << 20, 'x') + "\r\n\r\n");
  EXPECT_TRUE(answer.empty() || StatusOf(answer) / 100 == 4) << answer;
  answer = Ask("GET /" + std::string(1 << 20, 'x') + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(answer.empty() || StatusOf(answer) / 100 == 4) << answer;
  EXPECT_EQ(StatusOf(Get("/healthz")), 200);
}

TEST_F(AdminTest, ForeignHost) {
  EXPECT_EQ(StatusOf(Get("/metrics", "evil.example")), 403);
  EXPECT_EQ(StatusOf(Get("/metrics", "evil.example:9190")), 403);
  EXPECT_EQ(StatusOf(Get("/nothing", "evil.example")), 403);
  EXPECT_EQ(StatusOf(Get("/metrics", "mail.example:9190")), 200);
  EXPECT_EQ(StatusOf(Get("/metrics", "127.0.0.1:9190")), 200);
  EXPECT_EQ(StatusOf(Get("/metrics", "[::1]:9190")), 200);
  EXPECT_EQ(StatusOf(Ask("GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n")), 400);
  EXPECT_EQ(StatusOf(Ask("GET /metrics HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n"
                         "Connection: close\r\n\r\n")),
            400);
  server_->SetHosts({"other.example"});
  EXPECT_EQ(StatusOf(Get("/metrics", "mail.example")), 403);
  EXPECT_EQ(StatusOf(Get("/metrics", "other.example")), 200);
}

TEST_F(AdminTest, OldHealthCheckWithoutHost) {
  std::string answer = Ask("GET /healthz HTTP/1.0\r\n\r\n");
  EXPECT_EQ(BodyOf(answer), "ok\n");
}

TEST_F(AdminTest, KeepsAConnectionForTheNextRequest) {
  Client client(port_);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client.Send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    EXPECT_EQ(BodyOf(client.Read("ok\n")), "ok\n");
  }
}

TEST_F(AdminTest, SaysWhatABrowserMayDo) {
  std::string answer = Get("/");
  EXPECT_NE(answer.find("Content-Security-Policy: default-src 'none'; script-src 'sha256-"),
            std::string::npos);
  EXPECT_EQ(answer.find("unsafe"), std::string::npos);
  EXPECT_NE(answer.find("X-Content-Type-Options: nosniff\r\n"), std::string::npos);
  EXPECT_NE(answer.find("Cache-Control: no-store\r\n"), std::string::npos);
}

TEST_F(AdminTest, HundredScrapesAtOnce) {
  metrics_ = std::string(200'000, 'x');
  std::vector<Client> clients;
  for (int i = 0; i < 100; ++i) {
    clients.emplace_back(port_);
    clients.back().Send("GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  }
  for (const Client& client : clients) EXPECT_EQ(BodyOf(client.Read()), metrics_);
}

// More than there are places, none of them says a word or takes its answer: others are served as
// soon as these are cut off, and the memory that they hold is bounded.
TEST_F(AdminTest, DoesNotStallOnPeersThatHang) {
  metrics_ = std::string(8'000'000, 'x');
  Client reader(port_);
  reader.Send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  std::vector<Client> clients;
  for (unsigned i = 0; i < kMaxAdminConnections + 20; ++i) clients.emplace_back(port_);
  auto start = steady_clock::now();
  Client late(port_);
  late.Send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  // A byte a second, as slow readers do, and a byte a second of a head that never ends.
  char byte;
  pollfd entry{late.fd(), POLLIN, 0};
  while (poll(&entry, 1, 500) == 0 && steady_clock::now() - start < 60s) {
    recv(reader.fd(), &byte, 1, MSG_DONTWAIT);
    send(clients[0].fd(), "G", 1, MSG_NOSIGNAL);
  }
  EXPECT_EQ(BodyOf(late.Read()), "ok\n");
  EXPECT_LT(steady_clock::now() - start, kAdminExchange + kSlack);
  while (steady_clock::now() - start < kAdminExchange + kSlack) {
    recv(reader.fd(), &byte, 1, MSG_DONTWAIT);
    send(clients[0].fd(), "G", 1, MSG_NOSIGNAL);
    usleep(500'000);
  }
  EXPECT_FALSE(clients[0].Send("G"));
  std::string rest = reader.Read();
  EXPECT_LT(rest.size(), metrics_.size());
}

TEST(AdminSocket, UnixSocketTakesThePlaceOfAStaleOneAndAsksForNoHost) {
  std::string folder = testing::TempDir() + "admin_socket_XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  conf::Address address;
  address.kind = conf::Address::Kind::kUnix;
  address.path = folder + "/admin";
  for (int i = 0; i < 2; ++i) {
    AdminSocket opened = OpenAdminSocket(address);
    ASSERT_GE(opened.fd, 0) << opened.error;
    AdminSource source;
    source.not_ready = [] { return std::string(); };
    std::string error;
    auto server = AdminServer::Start(opened.fd, source, {}, error);
    ASSERT_TRUE(server) << error;
    Client client(address.path);
    client.Send("GET /healthz HTTP/1.1\r\nHost: any.example\r\nConnection: close\r\n\r\n");
    EXPECT_EQ(BodyOf(client.Read()), "ok\n");
    struct stat info {};
    ASSERT_EQ(stat(address.path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0660U);
  }
  unlink(address.path.c_str());
  EXPECT_EQ(rmdir(folder.c_str()), 0);  // nothing else is left behind
}

TEST(AdminSocket, PortInUseIsAnError) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in taken{};
  taken.sin_family = AF_INET;
  taken.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&taken), sizeof taken), 0);
  ASSERT_EQ(listen(fd, 1), 0);
  socklen_t size = sizeof taken;
  getsockname(fd, reinterpret_cast<sockaddr*>(&taken), &size);
  uint16_t port = ntohs(taken.sin_port);
  conf::Address address{conf::Address::Kind::kTcp, "127.0.0.1", port, ""};
  AdminSocket opened = OpenAdminSocket(address);
  EXPECT_LT(opened.fd, 0);
  EXPECT_NE(opened.error.find("in use"), std::string::npos) << opened.error;
  close(fd);

  AdminSocket first = OpenAdminSocket(address);
  ASSERT_GE(first.fd, 0) << first.error;
  EXPECT_FALSE(first.shared);
  AdminSocket second = OpenAdminSocket(address);
  ASSERT_GE(second.fd, 0) << second.error;
  EXPECT_TRUE(second.shared);
  close(first.fd);
  close(second.fd);
}

TEST(AdminHosts, WhichHostsAreOurs) {
  std::vector<std::string> names = {"mail.example"};
  for (const char* host :
       {"localhost", "LocalHost:9190", "localhost.", "127.0.0.1", "10.1.2.3:80", "[::1]",
        "[2001:db8::1]:443", "[::ffff:10.0.0.1]", "mail.example", "MAIL.Example.:1"}) {
    EXPECT_TRUE(HostAllowed(host, names)) << host;
  }
  for (const char* host :
       {"", ":9190", "evil.example", "mail.example.evil.example", "xmail.example", "localhost:x",
        "localhost:123456", "localhost:80:80", "[::1", "[::1]x", "[localhost]", "::1", "127.1",
        "1.2.3.4.evil.example", "localhost..", "user@localhost", "localhost/", "[127.0.0.1]",
        " localhost"}) {
    EXPECT_FALSE(HostAllowed(host, names)) << host;
  }
  EXPECT_FALSE(HostAllowed(std::string(100'000, 'a'), names));
}

TEST(AdminHosts, OwnNamesComeFromTheMachineAlone) {
  EXPECT_EQ(
      NamesFromHosts("127.0.0.1 localhost\n# 127.0.1.1 no\n127.0.1.1 Box.example box # x\n", "box"),
      (std::vector<std::string>{"box.example", "box"}));
  EXPECT_EQ(SearchDomains("nameserver 1.1.1.1\ndomain a.example\nsearch b.example. c.example .\n"),
            (std::vector<std::string>{"b.example", "c.example"}));
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  EXPECT_TRUE(HostAllowed(name, OwnNames()));
}

}  // namespace
}  // namespace postern
