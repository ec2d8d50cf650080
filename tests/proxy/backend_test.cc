#include "proxy/backend.h"

#include <gtest/gtest.h>

#include <map>

namespace postern {
namespace {

conf::Backend Conf(conf::Balance balance, std::vector<uint32_t> weights) {
  conf::Backend conf;
  conf.name = "b";
  conf.balance = balance;
  uint16_t port = 1000;
  for (const uint32_t weight : weights) {
    conf::Server server;
    server.address.host = "127.0.0.1";
    server.address.port = port++;
    server.weight = weight;
    server.name = server.address.Text();
    conf.servers.push_back(server);
  }
  return conf;
}

void Down(Backend& backend, size_t server) {
  const conf::Health health{};
  for (uint32_t i = 0; i < health.fall; ++i)
    backend.servers()[server]->Checked(false, "refused", health);
}

TEST(Backend, RoundRobinFollowsTheWeights) {
  Backend backend(Conf(conf::Balance::kRoundRobin, {3, 1}), nullptr);
  std::map<uint32_t, int> first;
  for (int i = 0; i < 40; ++i) {
    const auto order = backend.Order(0);
    EXPECT_EQ(order.size(), 2u);
    ++first[order[0]];
  }
  EXPECT_EQ(first[0], 30);
  EXPECT_EQ(first[1], 10);
}

TEST(Backend, ServersThatAreDownComeLast) {
  Backend backend(Conf(conf::Balance::kRoundRobin, {1, 1, 1}), nullptr);
  Down(backend, 1);
  for (int i = 0; i < 9; ++i) EXPECT_EQ(backend.Order(0)[2], 1u);
  Down(backend, 0);
  Down(backend, 2);
  EXPECT_FALSE(backend.HasServerUp());
  EXPECT_EQ(backend.Order(0).size(), 3u) << "a check may be wrong: they are tried all the same";
}

TEST(Backend, LeastConnectionsCountsByWeight) {
  Backend backend(Conf(conf::Balance::kLeastConnections, {1, 2}), nullptr);
  backend.servers()[0]->active = 1;
  backend.servers()[1]->active = 2;
  EXPECT_EQ(backend.Order(0)[0], 1u);
  backend.servers()[1]->active = 4;
  EXPECT_EQ(backend.Order(0)[0], 0u);
}

TEST(Backend, ASourceKeepsItsServerWhenAnotherGoes) {
  Backend backend(Conf(conf::Balance::kSource, {1, 1, 1, 1}), nullptr);
  std::map<uint64_t, uint32_t> before;
  std::map<uint32_t, int> used;
  for (uint64_t source = 1; source <= 400; ++source) {
    before[source] = backend.Order(source * 0x9e3779b97f4a7c15u)[0];
    ++used[before[source]];
  }
  EXPECT_EQ(used.size(), 4u);
  Down(backend, 2);
  for (uint64_t source = 1; source <= 400; ++source) {
    const uint32_t now = backend.Order(source * 0x9e3779b97f4a7c15u)[0];
    EXPECT_NE(now, 2u);
    if (before[source] != 2) {
      EXPECT_EQ(now, before[source]);
    }
  }
}

TEST(Backend, RiseAndFall) {
  Backend backend(Conf(conf::Balance::kRoundRobin, {1}), nullptr);
  const conf::Health health{};  // rise 2, fall 3
  Server& server = *backend.servers()[0];
  EXPECT_FALSE(backend.Checked());
  EXPECT_FALSE(server.Checked(false, "refused", health));
  EXPECT_TRUE(backend.Checked());
  EXPECT_FALSE(server.Checked(false, "refused", health));
  EXPECT_TRUE(server.Checked(false, "refused", health));
  EXPECT_FALSE(server.up());
  EXPECT_EQ(server.view().last_error, "refused");
  EXPECT_FALSE(server.Checked(true, "", health));
  EXPECT_TRUE(server.Checked(true, "", health));
  EXPECT_TRUE(server.up());
}

}  // namespace
}  // namespace postern
