#include "conf/tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>
#include <utility>

#include "conf/load.h"
#include "conf/utf8.h"

namespace postern::conf {
namespace {

Position PlaceOf(const YAML::Mark& mark) {
  if (mark.is_null()) return {1, 1};
  return {mark.line + 1, mark.column + 1};
}

size_t CountNodes(const Node& node) {
  size_t count = 1;
  for (const Node& item : node.items) count += CountNodes(item);
  for (const Node::Entry& entry : node.pairs) count += 1 + CountNodes(entry.value);
  return count;
}

// Builds the tree from events. Stops by throwing TreeError, which ParseTree catches.
class Builder : public YAML::EventHandler {
 public:
  Node TakeRoot() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark&, const std::string&) override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Leaf(Node{Node::Kind::kNull, PlaceOf(mark), {}, {}, {}}, anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    RefuseTag(mark, tag);
    Leaf(Node{Node::Kind::kScalar, PlaceOf(mark), value, {}, {}}, anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      throw TreeError{PlaceOf(mark), "this alias stands inside of what it refers to"};
    }
    Charge(PlaceOf(mark), found->second.nodes, found->second.depth);
    Node copy = found->second.node;
    copy.at = PlaceOf(mark);
    Attach(std::move(copy), found->second.depth);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, Node::Kind::kList);
  }
  void OnSequenceEnd() override { CloseCollection(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    Open(mark, tag, anchor, Node::Kind::kMap);
  }
  void OnMapEnd() override { CloseCollection(); }

 private:
  struct Anchored {
    Node node;
    size_t nodes;
    size_t depth;
  };
  // A collection that has begun and not ended.
  struct Frame {
    Node node;
    YAML::anchor_t anchor;
    size_t depth_inside = 0;  // of the deepest value in it
    bool key_read = false;    // kMap: the last pair waits for its value
  };

  static void RefuseTag(const YAML::Mark& mark, const std::string& tag) {
    const bool plain = tag.empty() || tag == "?" || tag == "!";
    if (plain || tag.starts_with("tag:yaml.org,2002:")) return;
    throw TreeError{PlaceOf(mark), "tags (!name) mean nothing in this file"};
  }

  void Charge(Position at, size_t nodes, size_t depth) {
    if (open_.size() + depth > kMaxDepth) {
      throw TreeError{at, "is nested more than " + std::to_string(kMaxDepth) + " deep"};
    }
    nodes_ += nodes;
    if (nodes_ > kMaxNodes) {
      throw TreeError{at, "the file has more than " + std::to_string(kMaxNodes) + " values"};
    }
  }

  void Open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
            Node::Kind kind) {
    RefuseTag(mark, tag);
    Charge(PlaceOf(mark), 1, 1);
    open_.push_back(Frame{Node{kind, PlaceOf(mark), {}, {}, {}}, anchor});
  }

  void Leaf(Node node, YAML::anchor_t anchor) {
    Charge(node.at, 1, 0);
    if (anchor != YAML::NullAnchor) anchors_[anchor] = Anchored{node, 1, 0};
    Attach(std::move(node), 0);
  }

  void CloseCollection() {
    Frame frame = std::move(open_.back());
    open_.pop_back();
    const size_t depth = frame.depth_inside + 1;
    if (frame.anchor != YAML::NullAnchor) {
      anchors_[frame.anchor] = Anchored{frame.node, CountNodes(frame.node), depth};
      // A kept copy is memory too.
      Charge(frame.node.at, anchors_[frame.anchor].nodes, 0);
    }
    Attach(std::move(frame.node), depth);
  }

  void Attach(Node node, size_t depth) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = open_.back();
    if (frame.node.kind == Node::Kind::kList) {
      frame.depth_inside = std::max(frame.depth_inside, depth);
      frame.node.items.push_back(std::move(node));
    } else if (frame.key_read) {
      frame.depth_inside = std::max(frame.depth_inside, depth);
      Node::Entry& pair = frame.node.pairs.back();
      // The parser sees that a value is missing only where the next thing stands.
      if (node.kind == Node::Kind::kNull && node.at.line > pair.at.line) node.at = pair.at;
      pair.value = std::move(node);
      frame.key_read = false;
    } else {
      const bool scalar = node.kind == Node::Kind::kScalar;
      frame.node.pairs.push_back(Node::Entry{std::move(node.text), scalar, node.at, Node{}});
      frame.key_read = true;
    }
  }

  Node root_;
  std::vector<Frame> open_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  size_t nodes_ = 0;
};

// yaml-cpp puts names from the file behind a colon in some of its messages.
std::string WithoutNames(const std::string& message) {
  return "is no YAML: " + message.substr(0, message.find(':'));
}

// The last line up to `at` that is indented with a tab, which the parser takes for all sorts of
// other mistakes.
std::optional<Position> TabBefore(std::string_view text, Position at) {
  std::optional<Position> found;
  for (int line = 1; line <= at.line && !text.empty(); ++line) {
    const std::string_view here = text.substr(0, text.find('\n'));
    const size_t tab = here.find('\t');
    const size_t begin = here.find_first_not_of(" \t\r");
    if (begin != std::string_view::npos && here[begin] != '#' && tab < begin) {
      found = {line, static_cast<int>(tab) + 1};
    }
    text.remove_prefix(std::min(here.size() + 1, text.size()));
  }
  return found;
}

TreeError FromParser(std::string_view text, const YAML::Exception& error) {
  const Position at = PlaceOf(error.mark);
  if (const auto tab = TabBefore(text, at)) {
    return {*tab, "is no YAML: lines are indented with spaces, not with tabs"};
  }
  return {at, WithoutNames(error.msg)};
}

Position PlaceOf(std::string_view text, size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const size_t begin = before.rfind('\n') + 1;  // npos + 1 is 0
  return {1 + static_cast<int>(std::count(before.begin(), before.end(), '\n')),
          1 + static_cast<int>(offset - begin)};
}

void Parse(std::string_view text, TreeResult& result) {
  std::istringstream stream{std::string(text)};
  YAML::Parser parser(stream);
  Builder builder;
  if (!parser.HandleNextDocument(builder)) return;
  result.root = builder.TakeRoot();
  Builder second;
  if (parser.HandleNextDocument(second)) {
    throw TreeError{second.TakeRoot().at, "a second document begins here: one file is one"};
  }
}

}  // namespace

TreeResult ParseTree(std::string_view text) {
  TreeResult result;
  if (text.size() > kMaxFileSize) {
    result.errors.push_back({{1, 1}, "is larger than " + std::to_string(kMaxFileSize) + " bytes"});
    return result;
  }
  if (const size_t nul = text.find('\0'); nul != std::string_view::npos) {
    const Position at{PlaceOf(text, nul).line, 1};
    result.errors.push_back({at, "is no YAML: there is a NUL in this line"});
    return result;
  }
  // yaml-cpp would put U+FFFD in the place of what is none, in a user's name too.
  if (const size_t valid = ValidUtf8(text); valid < text.size()) {
    result.errors.push_back(
        {PlaceOf(text, valid), "is no YAML: the text is not UTF-8 here, but in another encoding"});
    return result;
  }
  try {
    Parse(text, result);
  } catch (const TreeError& error) {
    result.errors.push_back(error);
  } catch (const YAML::Exception& error) {
    result.errors.push_back(FromParser(text, error));
  }
  return result;
}

}  // namespace postern::conf
