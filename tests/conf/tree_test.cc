#include "conf/tree.h"

#include <gtest/gtest.h>

#include "conf/load.h"

namespace postern::conf {
namespace {

TEST(Tree, KnowsThePlaceOfEverything) {
  const Node root = ParseTree("a: 1\nlist:\n  - x\n  - { k: v }\n").root;
  ASSERT_EQ(root.kind, Node::Kind::kMap);
  ASSERT_EQ(root.pairs.size(), 2u);
  EXPECT_EQ(root.pairs[1].at, (Position{2, 1}));
  const Node& list = root.pairs[1].value;
  EXPECT_EQ(list.items[0].at, (Position{3, 5}));
  EXPECT_EQ(list.items[1].at, (Position{4, 5}));
  EXPECT_EQ(list.items[1].pairs[0].at, (Position{4, 7}));
  EXPECT_EQ(list.items[1].pairs[0].value.at, (Position{4, 10}));
}

TEST(Tree, KeepsKeysGivenTwice) {
  EXPECT_EQ(ParseTree("a: 1\na: 2\n").root.pairs.size(), 2u);
  EXPECT_EQ(ParseTree("{ a: 1, a: 2 }").root.pairs.size(), 2u);
}

TEST(Tree, AnAliasStandsWhereItIsWritten) {
  const Node root = ParseTree("a: &x { k: v }\nb: *x\n").root;
  EXPECT_EQ(root.pairs[1].value.at, (Position{2, 4}));
  EXPECT_EQ(root.pairs[1].value.pairs[0].key, "k");
}

TEST(Tree, TellsNothingFromEmptyText) {
  const Node root = ParseTree("a:\nb: \"\"\nc: ~\nd: \"~\"\n").root;
  EXPECT_EQ(root.pairs[0].value.kind, Node::Kind::kNull);
  EXPECT_EQ(root.pairs[1].value.kind, Node::Kind::kScalar);
  EXPECT_EQ(root.pairs[2].value.kind, Node::Kind::kNull);
  EXPECT_EQ(root.pairs[3].value.kind, Node::Kind::kScalar);
  EXPECT_EQ(ParseTree("").root.kind, Node::Kind::kNull);
  EXPECT_EQ(ParseTree("# a comment\n").root.kind, Node::Kind::kNull);
}

TEST(Tree, AMissingValueIsAtItsKey) {
  const Node root = ParseTree("a:\n\n\nb: 1\nc:\n  d:\ne: ~\n").root;
  EXPECT_EQ(root.pairs[0].value.at, (Position{1, 1}));
  EXPECT_EQ(root.pairs[2].value.pairs[0].value.at, (Position{6, 3}));
  EXPECT_EQ(root.pairs[3].value.at, (Position{7, 4}));
}

TEST(Tree, TabsAreNamed) {
  for (const char* text : {"a:\n\tb: 1\n", "a:\n  b: 1\n\tc: 2\nd: 3\n", "a:\n \t- b\n"}) {
    const auto errors = ParseTree(text).errors;
    ASSERT_EQ(errors.size(), 1u) << text;
    EXPECT_NE(errors[0].message.find("with tabs"), std::string::npos) << errors[0].message;
  }
  EXPECT_EQ(ParseTree("a:\n  b: 1\n\tc: 2\n").errors[0].at, (Position{3, 1}));
  EXPECT_EQ(ParseTree("a:\n\t# a comment\n").errors.size(), 0u);
  // Another mistake is not blamed on a tab behind it.
  EXPECT_EQ(ParseTree("a: b: c\n\tx: 1\n").errors[0].at.line, 1);
}

TEST(Tree, OtherEncodingsAreRefusedAtTheirFirstByte) {
  EXPECT_EQ(ParseTree("a: \xC3\xBC \xE2\x82\xAC \xF0\x9F\x93\xA7\n").errors.size(), 0u);
  const auto errors = ParseTree("a: 1\nb: M\xFCller\n").errors;
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].at, (Position{2, 5}));
  for (const char* bad :
       {"\x80", "\xC0\x80", "\xC3", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xE2\x82", "\xFF"}) {
    EXPECT_EQ(ParseTree("# " + std::string(bad)).errors.size(), 1u) << bad;
  }
}

std::string ErrorOf(std::string_view text) {
  const auto errors = ParseTree(text).errors;
  return errors.empty() ? "" : errors[0].message;
}

TEST(Tree, BrokenTextsHaveAPlace) {
  const auto errors = ParseTree("a: 1\nb: [1, 2\nc: 3\n").errors;
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_GE(errors[0].at.line, 2);
  EXPECT_TRUE(errors[0].message.starts_with("is no YAML")) << errors[0].message;
  for (const char* text :
       {"a: b: c", "\ta: 1", "a: \"x", "[", "{", "a: 'x", "- a\nb: c", "%YAML 9.9\n---\n", "a: @x",
        "a: `x", "a: !", "&", "*", "!", "!<", "? ? ?", "\"\\xZZ\""}) {
    const auto result = ParseTree(text);
    for (const TreeError& error : result.errors) EXPECT_GE(error.at.line, 1) << text;
  }
}

TEST(Tree, MessagesKeepTheTextToThemselves) {
  EXPECT_EQ(ErrorOf("password: *hunter2").find("hunter2"), std::string::npos);
  EXPECT_NE(ErrorOf("password: *hunter2"), "");
  EXPECT_EQ(ErrorOf("a: !hunter2 x").find("hunter2"), std::string::npos);
  EXPECT_NE(ErrorOf("a: !hunter2 x"), "");
}

TEST(Tree, RefusesMoreThanOneDocument) {
  EXPECT_NE(ErrorOf("a: 1\n---\nb: 2\n"), "");
  EXPECT_EQ(ErrorOf("---\na: 1\n...\n"), "");
}

TEST(Tree, RefusesWhatIsTooDeep) {
  EXPECT_NE(ErrorOf(std::string(100'000, '[')), "");
  EXPECT_NE(ErrorOf(std::string(100'000, '{')), "");
  std::string nested;
  for (size_t i = 0; i <= kMaxDepth; ++i) nested += std::string(i, ' ') + "a:\n";
  EXPECT_NE(ErrorOf(nested + std::string(kMaxDepth + 1, ' ') + "b: 1"), "");
  EXPECT_EQ(ErrorOf(std::string(kMaxDepth, '[') + std::string(kMaxDepth, ']')), "");
}

TEST(Tree, RefusesBombsOfAliases) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [";
    for (int k = 0; k < 9; ++k) bomb += last + (k < 8 ? ", " : "]\n");
  }
  EXPECT_NE(ErrorOf(bomb), "");
  // Depth adds up through aliases, too.
  std::string deep = "a0: &a0 [x]\n";
  for (int i = 1; i < 30; ++i) {
    deep += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) +
            "]\n";
  }
  EXPECT_NE(ErrorOf(deep), "");
}

TEST(Tree, RefusesAnAliasOfItself) {
  EXPECT_NE(ErrorOf("a: &a [*a]"), "");
  EXPECT_NE(ErrorOf("a: &a { b: { c: *a } }"), "");
}

TEST(Tree, RefusesWhatIsTooLargeAndNul) {
  EXPECT_NE(ErrorOf(std::string(kMaxFileSize + 1, ' ')), "");
  const auto errors = ParseTree(std::string_view("a: 1\nb: \0 2\n", 12)).errors;
  ASSERT_EQ(errors.size(), 1u);
  EXPECT_EQ(errors[0].at.line, 2);
}

}  // namespace
}  // namespace postern::conf
