// Our client side against libgsasl's server side: it judges what we say, and we judge what it says.
#include <gsasl.h>

#include "tests/filters/sasl/steps.h"

namespace postern::sasl {
namespace {

struct Account {
  std::string user;
  std::string password;
};

int TellPassword(Gsasl* context, Gsasl_session* session, Gsasl_property property) {
  const auto& account = *static_cast<const Account*>(gsasl_callback_hook_get(context));
  if (property != GSASL_PASSWORD) return GSASL_NO_CALLBACK;
  const char* const user = gsasl_property_fast(session, GSASL_AUTHID);
  if (user == nullptr || account.user != user) return GSASL_NO_PASSWORD;
  return gsasl_property_set(session, GSASL_PASSWORD, account.password.c_str());
}

class Server {
 public:
  Server(std::string_view mechanism, Account account) : account_(std::move(account)) {
    EXPECT_EQ(gsasl_init(&context_), GSASL_OK);
    gsasl_callback_hook_set(context_, &account_);
    gsasl_callback_set(context_, TellPassword);
    EXPECT_EQ(gsasl_server_start(context_, std::string(mechanism).c_str(), &session_), GSASL_OK);
  }
  ~Server() {
    gsasl_finish(session_);
    gsasl_done(context_);
  }

  // Runs the exchange to its end. True where both sides are content.
  bool Admits(ClientMechanism& client) {
    constexpr int kMostSteps = 6;
    std::string input;
    if (client.client_first()) input = Respond(client, "");
    for (int i = 0; i < kMostSteps; ++i) {
      char* output = nullptr;
      size_t size = 0;
      const int result = gsasl_step(session_, input.data(), input.size(), &output, &size);
      const std::string challenge(output, size);
      gsasl_free(output);
      if (result == GSASL_OK) return client.Accept(challenge);
      if (result != GSASL_NEEDS_MORE) return false;
      input = Respond(client, challenge);
    }
    return false;
  }

 private:
  Account account_;
  Gsasl* context_ = nullptr;
  Gsasl_session* session_ = nullptr;
};

class GsaslTest : public testing::TestWithParam<Mechanism> {
 protected:
  static bool Admits(const Account& account, std::string_view user, std::string_view password) {
    Server server(ToString(GetParam()), account);
    const auto client = MakeTestMechanism(GetParam(), MakeCredentials(user, password));
    return server.Admits(*client);
  }
};

TEST_P(GsaslTest, AdmitsTheRightPassword) {
  for (const std::string_view password :
       {"secret", "with blanks", "\"quotes\" and \\backslashes\\", "{5}", "100% %n %s",
        "gr\xc3\xbc\xc3\x9f"
        "e",
        "\xe5\xaf\x86\xe7\xa0\x81", ",=,n=x"}) {
    EXPECT_TRUE(Admits({"tim", std::string(password)}, "tim", password)) << password;
  }
  const std::string longest(255, 'x');
  EXPECT_TRUE(Admits({"tim", longest}, "tim", longest));
}

TEST_P(GsaslTest, AdmitsOddUsers) {
  for (const std::string_view user :
       {"a=b,c", "CORP\\tim", "tim@example.org", "CORP/tim/info", "j\xc3\xb6rg", "two words"}) {
    EXPECT_TRUE(Admits({std::string(user), "secret"}, user, "secret")) << user;
  }
}

TEST_P(GsaslTest, RefusesTheWrongOne) {
  EXPECT_FALSE(Admits({"tim", "secret"}, "tim", "Secret"));
  EXPECT_FALSE(Admits({"tim", "secret"}, "tom", "secret"));
}

INSTANTIATE_TEST_SUITE_P(All, GsaslTest,
                         testing::Values(Mechanism::kPlain, Mechanism::kLogin, Mechanism::kCramMd5,
                                         Mechanism::kScramSha1, Mechanism::kScramSha256),
                         [](const testing::TestParamInfo<Mechanism>& info) {
                           std::string name(ToString(info.param));
                           std::erase(name, '-');
                           return name;
                         });

TEST(GsaslScram, PreparesPasswordsAlike) {
  for (const std::string_view password : {"u\xcc\x88", "I\xc2\xadX",
                                          "a\xc2\xa0"
                                          "b",
                                          "\xe2\x85\xa8"}) {
    Server server("SCRAM-SHA-256", {"tim", std::string(password)});
    const auto client =
        MakeTestMechanism(Mechanism::kScramSha256, MakeCredentials("tim", password));
    EXPECT_TRUE(server.Admits(*client)) << password;
  }
}

}  // namespace
}  // namespace postern::sasl
