#include <gtest/gtest.h>

#include <string>

#include "filters/imap/imap_id.h"
#include "filters/imap/imap_owed.h"
#include "filters/imap/imap_syntax.h"

namespace postern::imap {
namespace {

TEST(ReadCommand, NeedsATagAndAName) {
  Command command;
  ASSERT_EQ(ReadCommand("a.1 LOGIN fred  x", command), Shape::kCommand);
  EXPECT_EQ(command.tag, "a.1");
  EXPECT_EQ(command.name, "LOGIN");
  EXPECT_EQ(command.arguments, "fred  x");
  ASSERT_EQ(ReadCommand("a NOOP", command), Shape::kCommand);
  EXPECT_FALSE(command.has_arguments);
  for (const char* line : {"a", "a ", "a  NOOP", "a \"NOOP\"", "a {4}", "a NO(OP"}) {
    EXPECT_EQ(ReadCommand(line, command), Shape::kNoCommand) << line;
  }
  for (const char* line : {"", " a NOOP", "+ NOOP", "a+ NOOP", "a%n NOOP", "* NOOP", "\xe9 NOOP"}) {
    EXPECT_EQ(ReadCommand(line, command), Shape::kNoTag) << line;
  }
}

TEST(FindVerb, KnowsThemInAnyCase) {
  EXPECT_EQ(FindVerb("capability"), Verb::kCapability);
  EXPECT_EQ(FindVerb("Id"), Verb::kId);
  EXPECT_EQ(FindVerb("fetch"), Verb::kLater);
  EXPECT_EQ(FindVerb("unauthenticate"), Verb::kNever);
  EXPECT_EQ(FindVerb("LOGI"), Verb::kUnknown);
  EXPECT_EQ(FindVerb(""), Verb::kUnknown);
}

TEST(ArgumentReader, ReadsStringsOfEveryKind) {
  ArgumentReader reader("atom% \"quo\\\"ted\\\\\" {3}\r\na\nb ~{1+}\nx");
  std::string value;
  EXPECT_TRUE(reader.AString(value) && value == "atom%");
  EXPECT_TRUE(reader.Take(' ') && reader.AString(value) && value == "quo\"ted\\");
  EXPECT_TRUE(reader.Take(' ') && reader.AString(value) && value == "a\nb");
  EXPECT_TRUE(reader.Take(' ') && reader.AString(value) && value == "x");
  EXPECT_TRUE(reader.empty());
}

TEST(ArgumentReader, RefusesHalfOfOne) {
  for (const char* text : {"", "\"a", "\"a\\", "\"a\\b\"", "{3}\r\nab", "{3}", "{x}\r\nabc",
                           "x{1}\r\na", "(a)", "\"a\r\nb\""}) {
    std::string value;
    EXPECT_FALSE(ArgumentReader(text).AString(value)) << text;
  }
}

TEST(ReadAnswer, TellsTheKindsApart) {
  Answer answer = ReadAnswer("a1 OK [CAPABILITY IMAP4rev1 IDLE] done");
  EXPECT_EQ(answer.kind, Answer::Kind::kTagged);
  EXPECT_EQ(answer.tag, "a1");
  EXPECT_EQ(answer.status, Status::kOk);
  EXPECT_EQ(FindCapabilities(answer), "IMAP4rev1 IDLE");
  answer = ReadAnswer("* capability IMAP4rev1");
  EXPECT_EQ(answer.kind, Answer::Kind::kUntagged);
  EXPECT_EQ(answer.status, Status::kNone);
  EXPECT_EQ(FindCapabilities(answer), "IMAP4rev1");
  answer = ReadAnswer("* OK capability IMAP4rev1");
  EXPECT_EQ(FindCapabilities(answer).data(), nullptr);
  EXPECT_EQ(ReadAnswer("+").kind, Answer::Kind::kContinuation);
  EXPECT_EQ(ReadAnswer("+ abc").text, "abc");
  EXPECT_EQ(ReadAnswer("+abc").text, "abc");
  for (const char* line :
       {"", "*", "a", "a1 FINE", "a1 BYE", "a1 PREAUTH x", "(x OK", "220 hello"}) {
    EXPECT_EQ(ReadAnswer(line).kind, Answer::Kind::kBroken) << line;
  }
}

TEST(IsTemporary, KnowsWhatIsNoVerdict) {
  EXPECT_TRUE(IsTemporary("unavailable"));
  EXPECT_TRUE(IsTemporary("REFERRAL imap://x"));
  EXPECT_FALSE(IsTemporary("AUTHENTICATIONFAILED"));
  EXPECT_FALSE(IsTemporary(""));
}

TEST(OwedAnswers, TheFirstOfTwoWithOneTagIsAnsweredFirst) {
  OwedAnswers owed;
  owed.Expect("a", Verb::kNoop);
  owed.Expect("b", Verb::kCapability);
  owed.Expect("a", Verb::kLogout);
  EXPECT_TRUE(owed.leaving());
  EXPECT_EQ(owed.Answered("b"), Verb::kCapability);
  EXPECT_EQ(owed.size(), 3U);  // its place is free once those before it are answered
  EXPECT_EQ(owed.Answered("a"), Verb::kNoop);
  EXPECT_EQ(owed.size(), 1U);
  EXPECT_EQ(owed.Answered("b"), std::nullopt);
  EXPECT_EQ(owed.Answered("a"), Verb::kLogout);
  EXPECT_TRUE(owed.empty());
}

TEST(JudgeId, SeesThroughSpellings) {
  EXPECT_EQ(JudgeId("NIL"), IdVerdict::kClean);
  EXPECT_EQ(JudgeId("()"), IdVerdict::kClean);
  EXPECT_EQ(JudgeId("(\"name\" NIL \"version\" \"1\" )"), IdVerdict::kClean);
  EXPECT_EQ(JudgeId("(\"X-Originating-Ip\" NIL)"), IdVerdict::kStripped);
  EXPECT_EQ(JudgeId("({11}\r\nx-proxy-ttl NIL)"), IdVerdict::kStripped);
  for (const char* text : {"", "nilx", "(", "(\"a\")", "(\"a\" \"b\"", "(\"a\"  \"b\")", "(a b)",
                           "(\"a\" \"b\")x", "(\"a\" \"b\" , )"}) {
    EXPECT_EQ(JudgeId(text), IdVerdict::kMalformed) << text;
  }
  EXPECT_EQ(JudgeId(std::string_view("(\"a\" {1}\r\n\0)", 13)), IdVerdict::kMalformed);
}

TEST(OwnId, SaysWhatIsKnown) {
  SessionInfo info;
  EXPECT_EQ(OwnId("t", info), "t ID NIL\r\n");
  info.id = "s\"1";
  info.client_address = "2001:db8::1";
  info.client_port = 7;
  EXPECT_EQ(OwnId("t", info),
            "t ID (\"x-originating-ip\" \"2001:db8::1\" \"x-originating-port\" \"7\" "
            "\"x-session-id\" \"s\\\"1\")\r\n");
}

}  // namespace
}  // namespace postern::imap
