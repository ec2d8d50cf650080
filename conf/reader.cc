#include "conf/reader.h"

#include <algorithm>
#include <cctype>

namespace postern::conf {
namespace {

std::string_view KindOf(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull:
      return "nothing";
    case Node::Kind::kScalar:
      return "a single value";
    case Node::Kind::kList:
      return "a list";
    case Node::Kind::kMap:
      return "a mapping";
  }
  return "nothing";
}

// A key for a message: what no key of ours could be mistaken for may be anything, a secret too.
std::string Shown(std::string_view key) {
  const bool plain =
      !key.empty() && key.size() <= kMaxName &&
      std::all_of(key.begin(), key.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 ||
               std::string_view("._-:*").find(static_cast<char>(c)) != std::string_view::npos;
      });
  return plain ? std::string(key) : std::string("?");
}

}  // namespace

std::string Under(std::string_view path, std::string_view key) {
  const std::string shown = Shown(key);
  return path.empty() ? shown : std::string(path) + "." + shown;
}

const std::string* TextOf(const Node& node, const std::string& path, Report& report) {
  if (node.kind == Node::Kind::kScalar) return &node.text;
  if (node.kind == Node::Kind::kNull) {
    report.Error(node.at, path, "has no value; for an empty one write \"\"");
  } else {
    report.Error(node.at, path, "must be a single value, not " + std::string(KindOf(node)));
  }
  return nullptr;
}

bool SameWord(std::string_view word, std::string_view text) {
  if (word == text) return true;
  if (word != "on" && word != "off") return false;
  const auto flag = ParseFlag(text);
  return flag && *flag.value == (word == "on");
}

bool SameName(std::string_view word, std::string_view text) {
  return std::equal(word.begin(), word.end(), text.begin(), text.end(), [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) ==
           std::tolower(static_cast<unsigned char>(b));
  });
}

Reader::Reader(const Node& node, std::string path, Report& report)
    : node_(node), path_(std::move(path)), report_(report) {
  if (node_.kind == Node::Kind::kScalar || node_.kind == Node::Kind::kList) {
    report_.Error(node_.at, path_,
                  "must be a mapping (key: value), not " + std::string(KindOf(node_)));
  }
  Index();
}

void Reader::Index() {
  for (const Node::Entry& entry : node_.pairs) {
    if (!entry.scalar_key) {
      report_.Error(entry.at, path_, "has a key that is no plain text");
      continue;
    }
    const auto [first, is_new] = entries_.try_emplace(entry.key, &entry);
    if (is_new) continue;
    report_.Error(entry.at, PathTo(entry.key),
                  "given twice, first in line " + std::to_string(first->second->at.line));
  }
}

const Node* Reader::Find(std::string_view key) {
  if (std::find(asked_.begin(), asked_.end(), key) == asked_.end()) asked_.push_back(key);
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : &found->second->value;
}

const Node* Reader::Need(std::string_view key) {
  const Node* node = Find(key);
  const bool mapping = node_.kind == Node::Kind::kMap || node_.kind == Node::Kind::kNull;
  if (node == nullptr && mapping) report_.Error(node_.at, PathTo(key), "is missing");
  return node;
}

bool Reader::Each(std::string_view key, const OnItem& on_item) {
  const Node* node = Find(key);
  if (node == nullptr) return false;
  const std::string path = PathTo(key);
  if (node->kind == Node::Kind::kScalar || node->kind == Node::Kind::kMap) {
    report_.Error(node->at, path, "must be a list, not " + std::string(KindOf(*node)));
    return false;
  }
  for (size_t i = 0; i < node->items.size(); ++i) {
    on_item(node->items[i], path + "[" + std::to_string(i) + "]");
  }
  return true;
}

void Reader::EachPair(const OnPair& on_pair) {
  for (const Node::Entry& entry : node_.pairs) {
    const auto first = entries_.find(entry.key);
    if (first != entries_.end() && first->second == &entry) on_pair(entry, PathTo(entry.key));
  }
}

void Reader::Done() {
  for (const auto& [key, entry] : entries_) {
    if (std::find(asked_.begin(), asked_.end(), key) != asked_.end()) continue;
    std::string hint = DidYouMean(key, asked_);
    if (hint.empty()) hint = "; one of: " + Join(asked_);
    report_.Error(entry->at, PathTo(key), "unknown key" + hint);
  }
}

}  // namespace postern::conf
