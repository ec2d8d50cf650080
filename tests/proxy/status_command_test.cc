#include "proxy/status_command.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "proxy/admin.h"
#include "proxy/admin_socket.h"
#include "proxy/http_get.h"
#include "proxy/status.h"
#include "proxy/status_table.h"

namespace postern {
namespace {

using namespace std::chrono_literals;
using std::chrono::steady_clock;

constexpr StatusTime kNow{1764000000s};

Status Example() {
  Status status;
  status.version = "1.0";
  status.started = kNow - 24h;
  ListenerStatus listener;
  listener.name = "imaps";
  listener.protocol = "imap";
  listener.address = ":993";
  listener.tls = "implicit";
  listener.sessions = 12;
  listener.bytes_out = 5 * 1024 * 1024;
  status.listeners = {listener};
  PolicyStatus tls;
  tls.listener = "imaps";
  tls.mechanism = "BASIC";
  tls.channel = Channel::kTls;
  tls.action = PolicyStatus::Action::kRewritten;
  tls.to = "NTLM";
  tls.shown = true;
  tls.counts[0] = 7;
  status.policy = {tls};
  BackendStatus down;
  down.backend = "legacy";
  down.server = "10.0.0.5:143";
  down.up = false;
  down.since = kNow - 1h;
  down.last_error = "connection refused";
  status.backends = {down};
  status.certificates = {
      {"/etc/a.pem", {"mail.example", "\x1B[2Jb\xC3\xBC"}, "CA", "ECDSA P-256", kNow + 100h}};
  status.throttled = {{"192.0.2.9", 20, kNow + 5min}};
  return status;
}

// A listening socket of a server that the test plays itself.
class FakeServer {
 public:
  explicit FakeServer(std::string answer) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(listen(fd_, 8), 0);
    socklen_t size = sizeof address;
    getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    address_.host = "127.0.0.1";
    address_.port = ntohs(address.sin_port);
    if (answer.empty()) return;  // takes connections into its queue and never says a word
    thread_ = std::thread([this, answer = std::move(answer)] {
      int client = accept(fd_, nullptr, nullptr);
      send(client, answer.data(), answer.size(), MSG_NOSIGNAL);
      shutdown(client, SHUT_WR);
      char byte;
      while (recv(client, &byte, 1, 0) > 0) {
      }
      close(client);
    });
  }
  ~FakeServer() {
    if (thread_.joinable()) thread_.join();
    close(fd_);
  }
  const conf::Address& address() const { return address_; }

 private:
  int fd_;
  conf::Address address_;
  std::thread thread_;
};

int Command(std::vector<std::string> words) {
  CLI::App app("", "postern");
  int status = 0;
  AddStatusCommand(app, status);
  std::vector<std::string> reversed(words.rbegin(), words.rend());
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError&) {
    return 2;
  }
  return status;
}

TEST(StatusTable, ShowsEverything) {
  auto table = StatusTable(
      ToJson(Example(), {{kNow, "192.0.2.1", "imaps", "LOGIN", "needs TLS"}}, kNow), false);
  ASSERT_TRUE(table);
  for (const char* part :
       {"Postern 1.0  ready  up since 2025-11-23 16:00:00", "imaps     imap      :993     implicit",
        "5.0 MiB", "as NTLM (7 accepted)", "down", "2025-11-24 15:00:00", "connection refused",
        "ECDSA P-256  mail.example, ?[2Jb\xC3\xBC  CA", "192.0.2.9", "needs TLS"}) {
    EXPECT_NE(table->find(part), std::string::npos) << part << '\n' << *table;
  }
  EXPECT_EQ(table->find('\033'), std::string::npos);
  EXPECT_EQ(table->find(" \n"), std::string::npos) << "blanks at the end of a line";
}

TEST(StatusTable, ColoursWhatIsWrong) {
  Status status = Example();
  status.not_ready = "draining";
  auto table = StatusTable(ToJson(status, {}, kNow), true);
  ASSERT_TRUE(table);
  EXPECT_NE(table->find("\033[31mnot ready: draining\033[0m"), std::string::npos);
  EXPECT_NE(table->find("\033[31mdown\033[0m"), std::string::npos);
  EXPECT_NE(table->find("\033[31m4\033[0m"), std::string::npos);  // days left
}

TEST(StatusTable, RefusesWhatIsNoStatus) {
  for (const char* text : {"", "{", "[]", "null", "{}", "{\"version\":7}"}) {
    EXPECT_FALSE(StatusTable(text, false)) << text;
  }
}

TEST(StatusCommand, AsksARunningProgram) {
  conf::Address address;
  std::string folder = testing::TempDir() + "status_XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  address.kind = conf::Address::Kind::kUnix;
  address.path = folder + "/admin";
  AdminSocket opened = OpenAdminSocket(address);
  ASSERT_GE(opened.fd, 0) << opened.error;
  std::string reason;
  AdminSource source;
  source.status_json = [] { return ToJson(Example(), {}, kNow); };
  source.not_ready = [&] { return reason; };
  std::string error;
  auto server = AdminServer::Start(opened.fd, source, {}, error);
  ASSERT_TRUE(server) << error;

  testing::internal::CaptureStdout();
  EXPECT_EQ(Command({"status", "--admin", "unix:" + address.path}), 0);
  EXPECT_NE(testing::internal::GetCapturedStdout().find("10.0.0.5:143"), std::string::npos);
  testing::internal::CaptureStdout();
  EXPECT_EQ(Command({"status", "--ready", "--admin", "unix:" + address.path}), 0);
  reason = "backend legacy: no server is up";
  EXPECT_EQ(Command({"status", "--ready", "--admin", "unix:" + address.path}), 1);
  EXPECT_EQ(testing::internal::GetCapturedStdout(), "");

  std::string config = folder + "/postern.yaml";
  std::ofstream(config) << "admin: {address: \"unix:" << address.path << "\"}\n"
                        << "tls: {certificates: [{chain: none.pem, key: none.key}]}\n"
                        << "listeners: [{protocol: imap, address: \":993\", tls: implicit, "
                           "backend: \"127.0.0.1:143\"}]\n";
  testing::internal::CaptureStdout();
  EXPECT_EQ(Command({"status", "-c", config}), 0);
  testing::internal::GetCapturedStdout();
  unlink(config.c_str());
  unlink(address.path.c_str());
  rmdir(folder.c_str());
}

TEST(StatusCommand, WrongCommandLines) {
  EXPECT_EQ(Command({"status", "--admin", "nowhere"}), 2);
  EXPECT_EQ(Command({"status", "--admin", ""}), 2);
  EXPECT_EQ(Command({"status", "--admin", ":1", "-c", "x"}), 2);
  EXPECT_EQ(Command({"status", "surplus"}), 2);
}

TEST(StatusCommand, NobodyThere) {
  EXPECT_EQ(Command({"status", "--admin", "127.0.0.1:1"}), 1);
  EXPECT_EQ(Command({"status", "--ready", "--admin", "127.0.0.1:1"}), 1);
  EXPECT_EQ(Command({"status", "-c", "/nowhere.yaml"}), 1);
}

TEST(HttpGet, IsNotHeldUpByAServerThatHangs) {
  FakeServer server("");
  auto start = steady_clock::now();
  HttpAnswer answer = HttpGet(server.address(), "/", 300ms);
  EXPECT_EQ(answer.status, 0);
  EXPECT_FALSE(answer.error.empty());
  EXPECT_LT(steady_clock::now() - start, 20s);
}

TEST(HttpGet, TakesNoHalfAnswerForAWholeOne) {
  for (const char* bytes :
       {"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "HTTP/1.1 200 OK\r\n",
        "SSH-2.0-x\r\n", "HTTP/1.1 2", "HTTP/1.1 x00 OK\r\n\r\n"}) {
    FakeServer server(bytes);
    HttpAnswer answer = HttpGet(server.address(), "/");
    EXPECT_EQ(answer.status, 0) << bytes;
    EXPECT_FALSE(answer.error.empty());
  }
  FakeServer whole("HTTP/1.1 503 No\r\ncontent-LENGTH: 4\r\n\r\nhalf");
  HttpAnswer answer = HttpGet(whole.address(), "/");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, "half");
}

}  // namespace
}  // namespace postern
