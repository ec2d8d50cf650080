// A YAML text as a tree of plain nodes with their places. yaml-cpp only delivers its events here:
// its own nodes know no limits, forget where an alias stood, and hide keys given twice. Private to
// conf/; the one place where yaml-cpp and its exceptions are seen.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "conf/config.h"

namespace postern::conf {

struct Node {
  enum class Kind : uint8_t { kNull, kScalar, kList, kMap };
  struct Entry;

  Kind kind = Kind::kNull;
  Position at;               // of an alias: where the alias stands
  std::string text;          // kScalar
  std::vector<Node> items;   // kList
  std::vector<Entry> pairs;  // kMap: in the order of the file, keys given twice included
};

// A key that is no scalar has the empty text and `scalar_key` false.
struct Node::Entry {
  std::string key;
  bool scalar_key = true;
  Position at;
  Node value;
};

// What is wrong with a text that is no YAML, or more of it than kMaxDepth and kMaxNodes allow.
struct TreeError {
  Position at;
  std::string message;  // never a piece of the text
};

struct TreeResult {
  Node root;                      // kNull for an empty text
  std::vector<TreeError> errors;  // at most one: a parser that is lost stops
};

TreeResult ParseTree(std::string_view text);

}  // namespace postern::conf
