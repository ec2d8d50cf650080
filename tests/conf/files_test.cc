// Files: the configuration's own, those that it names, and the examples that we ship.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>

#include "tests/conf/loading.h"

namespace postern::conf {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kCertificate =
    "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
constexpr std::string_view kKey = "-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n";

// A folder of the test's own with a good chain, key, OCSP response and ticket keys.
class Files : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "conf_test.XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    Write("chain.pem", kCertificate);
    Write("key.pem", kKey);
    Write("ocsp.der", "0\x03\x0a\x01\x06");
    Write("tickets", std::string(96, 't'));
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& name, std::string_view text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
  }
  // The lines about a configuration in that folder, without the folder's name.
  std::vector<std::string> Check(std::string_view tls) {
    Write("postern.yaml", "tls: " + std::string(tls) +
                              "\nlisteners: [ { protocol: imap, address: \":1\", backend: "
                              "\"127.0.0.1:1\" } ]\n");
    std::vector<std::string> lines;
    for (const Mistake& mistake : Load((folder_ / "postern.yaml").string()).mistakes) {
      std::string line = mistake.Text();
      const std::string prefix = folder_.string() + "/";
      for (size_t at; (at = line.find(prefix)) != std::string::npos;) line.erase(at, prefix.size());
      lines.push_back(line);
    }
    return lines;
  }

  std::filesystem::path folder_;
};

TEST_F(Files, AreLookedUpFromTheFolderOfTheConfiguration) {
  EXPECT_THAT(Check("{ certificates: [ { chain: chain.pem, key: ./key.pem, ocsp: ocsp.der } ], "
                    "session_ticket_keys: tickets, client_ca: chain.pem }"),
              IsEmpty());
  const LoadResult result = Load((folder_ / "postern.yaml").string());
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result.config->listeners[0].tls.certificates[0].key, (folder_ / "key.pem").string());
}

TEST_F(Files, ThatAreMissingOrNoPem) {
  Write("text", "hello\n");
  Write("locked",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n");
  Write("empty", "");
  std::filesystem::create_directory(folder_ / "sub");
  const auto pair = [&](const std::string& chain, const std::string& key) {
    return Check("{ certificates: [ { chain: " + chain + ", key: " + key + " } ] }");
  };
  EXPECT_THAT(
      pair("gone.pem", "key.pem"),
      ElementsAre("postern.yaml:1:33: tls.certificates[0].chain: \"gone.pem\" cannot be read: "
                  "No such file or directory"));
  EXPECT_THAT(pair("text", "text"),
              ElementsAre(HasSubstr("chain: \"text\" is no PEM file with a cert"),
                          HasSubstr("key: \"text\" is no PEM file with a priv")));
  EXPECT_THAT(pair("key.pem", "chain.pem"),
              ElementsAre(HasSubstr("swapped?"), HasSubstr("swapped?")));
  EXPECT_THAT(pair("chain.pem", "locked"), ElementsAre(HasSubstr("passphrase")));
  EXPECT_THAT(pair("sub", "key.pem"), ElementsAre(HasSubstr("it is a directory")));
  EXPECT_THAT(pair("/dev/zero", "key.pem"), ElementsAre(HasSubstr("it is no plain file")));
  EXPECT_THAT(pair("empty", "key.pem"), ElementsAre(HasSubstr("is no PEM")));
}

TEST_F(Files, OfOtherKinds) {
  const std::string pair = "{ certificates: [ { chain: chain.pem, key: key.pem, ocsp: ";
  EXPECT_THAT(Check(pair + "chain.pem } ] }"),
              ElementsAre(HasSubstr("ocsp: \"chain.pem\" is no OCSP")));
  Write("short", std::string(50, 't'));
  EXPECT_THAT(Check(pair + "\"\" } ], session_ticket_keys: short }"),
              ElementsAre(HasSubstr("tls.session_ticket_keys: \"short\" is 50 bytes long")));
  EXPECT_THAT(Check(pair + "\"\" } ], client_ca: key.pem }"),
              ElementsAre(HasSubstr("tls.client_ca: ")));
}

TEST_F(Files, AKeyInsteadOfAFileIsNotRepeated) {
  const std::string secret = "-----BEGIN PRIVATE KEY-----MHcCAQEE-----END PRIVATE KEY-----";
  const auto lines = Check("{ certificates: [ { chain: chain.pem, key: \"" + secret + "\" } ] }");
  ASSERT_EQ(lines.size(), 1u);
  EXPECT_EQ(lines[0].find("MHcCAQEE"), std::string::npos) << lines[0];
}

TEST_F(Files, TheConfigurationItself) {
  const std::string gone = (folder_ / "gone.yaml").string();
  LoadResult result = Load(gone);
  ASSERT_EQ(result.mistakes.size(), 1u);
  EXPECT_EQ(result.mistakes[0].Text(), gone + ": cannot be read: No such file or directory");
  EXPECT_FALSE(Load(folder_.string()).ok());
  Write("large.yaml", std::string(kMaxFileSize + 10, '#'));
  result = Load((folder_ / "large.yaml").string());
  ASSERT_EQ(result.mistakes.size(), 1u);
  EXPECT_THAT(result.mistakes[0].Text(), HasSubstr("is larger than"));
}

TEST_F(Files, UserAndGroupAreLookedUp) {
  Write("postern.yaml",
        "user: nobody-of-that-name\ngroup: no-such-group\nlisteners: [ { protocol: "
        "lmtp, address: \":1\", tls: none, backend: \"127.0.0.1:1\" } ]\n");
  const LoadResult result = Load((folder_ / "postern.yaml").string());
  ASSERT_EQ(result.mistakes.size(), 2u);
  EXPECT_THAT(result.mistakes[0].Text(), HasSubstr(":1:7: user: there is no user"));
  EXPECT_THAT(result.mistakes[1].Text(), HasSubstr(":2:8: group: there is no group"));
}

std::string TextOf(const std::filesystem::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

TEST(Examples, AreAllGood) {
  size_t seen = 0;
  const auto folder = std::filesystem::path(POSTERN_SOURCE_DIR) / "conf" / "examples";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".yaml") continue;
    ++seen;
    const LoadResult result = LoadFromString(TextOf(entry.path()), entry.path().string(), false);
    std::string said;
    for (const Mistake& mistake : result.mistakes) said += mistake.Text() + "\n";
    EXPECT_TRUE(result.ok()) << said;
  }
  EXPECT_GE(seen, 10u);
}

// full.yaml writes down every default: each value must be what it would be without it.
TEST(Examples, TheFullOneSaysTheDefaults) {
  const auto file = std::filesystem::path(POSTERN_SOURCE_DIR) / "conf" / "examples" / "full.yaml";
  const Config full = Good(TextOf(file));
  const Config bare = Good(R"(
tls: { certificates: [ { chain: fullchain.pem, key: privkey.pem } ] }
listeners: [ { protocol: imap, address: ":993", backend: legacy } ]
backends: { legacy: { servers: ["10.0.0.5:143"] } }
)");
  ASSERT_EQ(full.listeners.size(), 1u);
  const Listener& a = full.listeners[0];
  const Listener& b = bare.listeners[0];
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.tls, b.tls);
  EXPECT_EQ(a.require_tls, b.require_tls);
  EXPECT_EQ(a.require_auth, b.require_auth);
  EXPECT_EQ(a.bare_lf, b.bare_lf);
  EXPECT_EQ(a.auth.mechanisms, b.auth.mechanisms);
  EXPECT_EQ(a.auth.enforce, b.auth.enforce);
  EXPECT_EQ(a.auth.to_backend, b.auth.to_backend);
  EXPECT_EQ(a.limits.connections, b.limits.connections);
  EXPECT_EQ(a.limits.connections_per_ip, b.limits.connections_per_ip);
  EXPECT_EQ(a.limits.handshakes_per_ip, b.limits.handshakes_per_ip);
  EXPECT_EQ(a.limits.auth_failures_per_ip, b.limits.auth_failures_per_ip);
  EXPECT_EQ(a.limits.auth_failures_per_session, b.limits.auth_failures_per_session);
  EXPECT_EQ(a.limits.line, b.limits.line);
  EXPECT_EQ(a.limits.buffer, b.limits.buffer);
  EXPECT_EQ(a.timeouts.handshake, b.timeouts.handshake);
  EXPECT_EQ(a.timeouts.login, b.timeouts.login);
  EXPECT_EQ(a.timeouts.idle, b.timeouts.idle);
  EXPECT_EQ(a.timeouts.backend_connect, b.timeouts.backend_connect);
  EXPECT_EQ(a.timeouts.backend_greeting, b.timeouts.backend_greeting);
  EXPECT_EQ(full.drain_timeout, bare.drain_timeout);
  EXPECT_EQ(full.admin.address, bare.admin.address);
  EXPECT_EQ(full.log.level, bare.log.level);
  EXPECT_EQ(full.log.format, bare.log.format);
  EXPECT_EQ(full.backends[0].health.interval, bare.backends[0].health.interval);
  EXPECT_EQ(full.backends[0].health.timeout, bare.backends[0].health.timeout);
  EXPECT_EQ(full.backends[0].health.rise, bare.backends[0].health.rise);
  EXPECT_EQ(full.backends[0].health.fall, bare.backends[0].health.fall);
  EXPECT_EQ(full.backends[0].verify.on, bare.backends[0].verify.on);
}

}  // namespace
}  // namespace postern::conf
