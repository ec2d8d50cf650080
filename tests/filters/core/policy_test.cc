#include "filters/policy.h"

#include <gtest/gtest.h>

#include "filters/mechanism.h"

namespace postern {
namespace {

TEST(Policy, OwnNameBeforeOthers) {
  const Policy policy({{"BASIC", Rule::kTls}, {"PLAIN", Rule::kNever}, {"NTLM", Rule::kAlways}},
                      Rule::kTls);
  EXPECT_EQ(policy.Judge("basic", Channel::kClear), Verdict::kNeedsTls);
  EXPECT_EQ(policy.Judge("BASIC", Channel::kTls), Verdict::kAllow);
  EXPECT_EQ(policy.Judge("plain", Channel::kTls), Verdict::kNever);
  EXPECT_EQ(policy.Judge("Ntlm", Channel::kClear), Verdict::kAllow);
  EXPECT_EQ(policy.Judge("LOGIN", Channel::kClear), Verdict::kNeedsTls);
  EXPECT_EQ(policy.Judge("X-NEW", Channel::kClear), Verdict::kNeedsTls);
  EXPECT_EQ(policy.Judge("X-NEW", Channel::kTls), Verdict::kAllow);
}

TEST(Policy, WhatCannotPassAProxyIsNeverAllowed) {
  const Policy policy({{"EXTERNAL", Rule::kAlways}, {"SCRAM-SHA-256-PLUS", Rule::kAlways}},
                      Rule::kAlways);
  for (const char* name : {"EXTERNAL", "external", "SCRAM-SHA-256-PLUS", "gs2-x-plus", "-PLUS"}) {
    EXPECT_EQ(policy.Judge(name, Channel::kTls), Verdict::kNever) << name;
  }
  EXPECT_EQ(policy.Judge("PLUS", Channel::kTls), Verdict::kAllow);
}

TEST(Policy, DefaultNeedsTls) {
  EXPECT_EQ(Policy().Judge("CRAM-MD5", Channel::kClear), Verdict::kNeedsTls);
  EXPECT_EQ(Policy().Judge("CRAM-MD5", Channel::kTls), Verdict::kAllow);
}

TEST(Mechanism, NamesThereAndBack) {
  for (size_t i = 0; i < kMechanismCount; ++i) {
    const auto mechanism = static_cast<Mechanism>(i);
    EXPECT_EQ(MechanismFromName(ToString(mechanism)), mechanism);
  }
  EXPECT_EQ(MechanismFromName("scram-sha-256"), Mechanism::kScramSha256);
  EXPECT_EQ(MechanismFromName("SCRAM-SHA-256-PLUS"), Mechanism::kOther);
  EXPECT_EQ(MechanismFromName(""), Mechanism::kOther);
}

TEST(Mechanism, BasicOnesHandOverThePassword) {
  EXPECT_TRUE(IsBasic("basic"));
  EXPECT_TRUE(IsBasic("Plain"));
  EXPECT_TRUE(IsBasic("LOGIN"));
  EXPECT_FALSE(IsBasic("CRAM-MD5"));
  EXPECT_FALSE(IsBasic("XOAUTH2"));
}

}  // namespace
}  // namespace postern
