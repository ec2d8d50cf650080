#include <algorithm>
#include <array>

#include "conf/mechanisms.h"
#include "conf/schema.h"

namespace postern::conf {
namespace {

void CheckMechanism(const Node::Entry& entry, const std::string& path, const std::string& name,
                    Rule rule, Context& context) {
  if (CanNeverPass(name)) {
    if (rule == Rule::kNever) return;
    context.report.Warning(
        entry.value.at, path,
        "has no effect: " + name + " cannot pass a proxy that ends TLS and stays refused");
    return;
  }
  const auto known = KnownMechanisms();
  if (std::find(known.begin(), known.end(), name) != known.end()) return;
  const std::string hint = DidYouMean(name, known);
  if (!hint.empty()) {
    context.report.Warning(entry.at, path, "is no mechanism that is known here" + hint);
  }
}

void ReadMechanisms(const Node& node, const std::string& path, Context& context, Auth& auth) {
  Reader reader(node, path, context.report);
  std::set<std::string> seen;
  reader.EachPair([&](const Node::Entry& entry, const std::string& where) {
    const auto name = ParseMechanism(entry.key);
    if (!name) {
      context.report.Error(entry.at, where, Quote(entry.key) + " " + name.error);
      return;
    }
    if (!seen.insert(*name.value).second) {
      context.report.Error(entry.at, where, "given twice: upper and lower case are the same here");
      return;
    }
    Rule rule = Rule::kNever;
    if (!ReadWord(entry.value, where, context.report, "rule", rule, SameWord)) return;
    CheckMechanism(entry, where, *name.value, rule, context);
    auth.mechanisms[*name.value] = rule;
  });
}

UserRule ReadUserRule(const Node& item, const std::string& path, Context& context) {
  UserRule rule;
  Reader reader(item, path, context.report);
  const Node* match = reader.Need("match");
  reader.Need("replace");
  if (reader.Value("match", rule.match, ParseText)) {
    if (auto parsed = ParseExpression(rule.match)) {
      rule.regex = std::move(*parsed.value);
    } else {
      context.report.Error(match->at, reader.PathTo("match"), parsed.error);
    }
    if (HasBackReference(rule.match)) {
      context.report.Warning(match->at, reader.PathTo("match"),
                             "a back-reference can take very long on a user name made for it");
    }
  }
  reader.Value("replace", rule.replace, ParseText);
  reader.Done();
  return rule;
}

}  // namespace

void ReadAuth(const Node& node, const std::string& path, Context& context, Auth& auth) {
  Reader reader(node, path, context.report);
  reader.Word("enforce", "mode", auth.enforce);
  if (const Node* mechanisms = reader.Find("mechanisms")) {
    ReadMechanisms(*mechanisms, reader.PathTo("mechanisms"), context, auth);
  }
  std::vector<UserRule> users;
  const bool read = reader.Each("users", [&](const Node& item, const std::string& where) {
    users.push_back(ReadUserRule(item, where, context));
  });
  if (read) auth.users = std::move(users);
  reader.WordOfAnyCase("to_backend", "mechanism", auth.to_backend);
  reader.Value("domain", auth.domain, ParseText);
  reader.Done();
}

}  // namespace postern::conf
