#include "proxy/status_config.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "conf/load.h"

namespace postern {
namespace {

using Action = PolicyStatus::Action;

Status Describe(const std::string& yaml) {
  conf::LoadResult loaded = conf::LoadFromString(yaml, "/postern.yaml", false);
  EXPECT_TRUE(loaded.ok());
  Status status;
  if (loaded.ok()) DescribeConfig(*loaded.config, status);
  return status;
}

const PolicyStatus* Cell(const Status& status, const std::string& mechanism, Channel channel) {
  auto found = std::find_if(status.policy.begin(), status.policy.end(), [&](const auto& cell) {
    return cell.mechanism == mechanism && cell.channel == channel;
  });
  return found == status.policy.end() ? nullptr : &*found;
}

TEST(StatusConfig, ListenersAndPolicy) {
  Status status = Describe(R"(
tls: {certificates: [{chain: a.pem, key: a.key}]}
auth: {mechanisms: {NTLM: always, CRAM-MD5: never}}
listeners:
  - {name: in, protocol: imap, address: "127.0.0.1:143", tls: starttls, backend: "10.0.0.5:143"}
)");
  ASSERT_EQ(status.listeners.size(), 1U);
  EXPECT_EQ(status.listeners[0].name, "in");
  EXPECT_EQ(status.listeners[0].protocol, "imap");
  EXPECT_EQ(status.listeners[0].address, "127.0.0.1:143");
  EXPECT_EQ(status.listeners[0].tls, "starttls");
  EXPECT_EQ(status.listeners[0].backend, "10.0.0.5:143");
  ASSERT_TRUE(Cell(status, "BASIC", Channel::kClear));
  EXPECT_EQ(Cell(status, "BASIC", Channel::kClear)->action, Action::kBlocked);
  EXPECT_FALSE(Cell(status, "BASIC", Channel::kClear)->shown);
  EXPECT_EQ(Cell(status, "BASIC", Channel::kTls)->action, Action::kPassed);
  EXPECT_TRUE(Cell(status, "BASIC", Channel::kTls)->shown);
  EXPECT_EQ(Cell(status, "NTLM", Channel::kClear)->action, Action::kPassed);
  EXPECT_EQ(Cell(status, "CRAM-MD5", Channel::kTls)->action, Action::kBlocked);
}

TEST(StatusConfig, WhatCannotBeIsLeftOut) {
  Status status = Describe(R"(
tls: {certificates: [{chain: a.pem, key: a.key}]}
auth: {to_backend: NTLM}
listeners:
  - {protocol: imap, address: "127.0.0.1:993", tls: implicit, backend: "10.0.0.5:143"}
)");
  EXPECT_FALSE(Cell(status, "BASIC", Channel::kClear));
  ASSERT_TRUE(Cell(status, "BASIC", Channel::kTls));
  EXPECT_EQ(Cell(status, "BASIC", Channel::kTls)->action, Action::kRewritten);
  EXPECT_EQ(Cell(status, "BASIC", Channel::kTls)->to, "NTLM");
}

TEST(StatusConfig, Observed) {
  Status status = Describe(R"(
tls: {certificates: [{chain: a.pem, key: a.key}]}
auth: {enforce: observe}
listeners:
  - {protocol: imap, address: "127.0.0.1:143", tls: starttls, backend: "10.0.0.5:143"}
)");
  ASSERT_TRUE(Cell(status, "BASIC", Channel::kClear));
  EXPECT_EQ(Cell(status, "BASIC", Channel::kClear)->action, Action::kObserved);
  EXPECT_TRUE(Cell(status, "BASIC", Channel::kClear)->shown);
}

}  // namespace
}  // namespace postern
