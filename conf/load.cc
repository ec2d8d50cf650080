#include "conf/load.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "conf/check.h"
#include "conf/link.h"
#include "conf/schema.h"

namespace postern::conf {
namespace {

constexpr uint64_t kMaxWorkers = 256;

Parsed<std::optional<unsigned>> ParseWorkers(std::string_view text) {
  if (text == "auto") return {std::optional<unsigned>(), ""};
  const auto count = ParseCount(text);
  if (count && *count.value >= 1 && *count.value <= kMaxWorkers) {
    return {std::optional<unsigned>(static_cast<unsigned>(*count.value)), ""};
  }
  return {std::nullopt, "is neither auto nor a number from 1 to " + std::to_string(kMaxWorkers)};
}

General ReadGeneral(Reader& root, Context& context, Config& config) {
  General general;
  if (const Node* tls = root.Find("tls")) {
    Reader reader(*tls, "tls", context.report);
    ReadTls(reader, context, general.tls);
    reader.Done();
  }
  if (const Node* limits = root.Find("limits")) {
    OwnLimits written;
    ReadLimits(*limits, "limits", context, general.limits, written);
  }
  config.limits = general.limits;
  if (const Node* timeouts = root.Find("timeouts")) {
    ReadTimeouts(*timeouts, "timeouts", context, general.timeouts, general.idle_written);
  }
  if (const Node* auth = root.Find("auth")) ReadAuth(*auth, "auth", context, general.auth);
  if (const Node* commands = root.Find("commands")) {
    ReadCommands(*commands, "commands", context, general, std::nullopt);
  }
  return general;
}

std::vector<BackendDraft> ReadBackends(Reader& root, Context& context) {
  std::vector<BackendDraft> backends;
  const Node* node = root.Find("backends");
  if (node == nullptr) return backends;
  Reader reader(*node, "backends", context.report);
  reader.EachPair([&](const Node::Entry& entry, const std::string& path) {
    const auto name = ParseName(entry.key);
    if (!name) context.report.Error(entry.at, path, "the key " + name.error);
    BackendDraft draft = ReadBackend(entry.value, path, context);
    if (!name) return;
    draft.backend.name = *name.value;
    backends.push_back(std::move(draft));
  });
  return backends;
}

std::vector<ListenerDraft> ReadListeners(Reader& root, Context& context, const General& general) {
  std::vector<ListenerDraft> listeners;
  const Node* node = root.Need("listeners");
  const bool read = root.Each("listeners", [&](const Node& item, const std::string& path) {
    listeners.push_back(ReadListener(item, path, context, general));
  });
  if (read && listeners.empty()) {
    context.report.Error(node->at, "listeners", "needs at least one listener");
  }
  return listeners;
}

void ReadProcess(Reader& root, Context& context, Config& config) {
  root.Value("workers", config.workers, ParseWorkers);
  root.Value("user", config.user, ParseText);
  root.Value("group", config.group, ParseText);
  if (!config.group.empty() && config.user.empty()) {
    context.report.Error(root.Find("group")->at, "group", "has no effect without a user");
  }
  root.Value("drain_timeout", config.drain_timeout, ParseDuration);
  if (const Node* admin = root.Find("admin")) ReadAdmin(*admin, "admin", context, config.admin);
  if (const Node* log = root.Find("log")) ReadLog(*log, "log", context, config.log);
}

void ReadAll(const Node& tree, Context& context, Config& config) {
  Reader root(tree, "", context.report);
  config.positions = PositionsOf(tree);
  ReadProcess(root, context, config);
  const General general = ReadGeneral(root, context, config);
  std::vector<BackendDraft> backends = ReadBackends(root, context);
  std::vector<ListenerDraft> listeners = ReadListeners(root, context, general);
  root.Done();
  config.files = std::move(context.files);
  NameListeners(listeners, context.report);
  CheckAddresses(listeners, config, context.report);
  LinkBackends(std::move(listeners), std::move(backends), config, context.report);
}

LoadResult Unreadable(const std::string& file, const std::string& why) {
  LoadResult result;
  result.mistakes.push_back({Mistake::Severity::kError, file, {}, "", "cannot be read: " + why});
  return result;
}

}  // namespace

LoadResult LoadFromString(std::string_view text, const std::string& file, bool look_at_files) {
  LoadResult result;
  Report report(file);
  TreeResult tree = ParseTree(text);
  for (const TreeError& error : tree.errors) report.Error(error.at, "", error.message);
  Config config;
  config.file = file;
  if (tree.errors.empty() && tree.root.kind == Node::Kind::kNull) {
    report.Error({1, 1}, "", "is empty: at least listeners are needed");
  } else if (tree.errors.empty()) {
    Context context{report, std::filesystem::path(file).parent_path(), {}};
    ReadAll(tree.root, context, config);
    CheckTogether(config, report);
    WarnOfWeakness(config, report);
    if (look_at_files) CheckFiles(config, report);
  }
  (report.has_errors() ? result.draft : result.config) = std::move(config);
  result.mistakes = report.Take();
  return result;
}

LoadResult Load(const std::string& file) {
  struct stat status {};
  if (stat(file.c_str(), &status) != 0) return Unreadable(file, std::strerror(errno));
  if (S_ISDIR(status.st_mode)) return Unreadable(file, "it is a directory");
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return Unreadable(file, errno != 0 ? std::strerror(errno) : "it does not open");
  std::string text;
  // One byte more than is allowed is enough to see that there is too much.
  text.resize(kMaxFileSize + 1);
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(stream.gcount()));
  if (stream.bad()) return Unreadable(file, "reading it failed");
  return LoadFromString(text, file, true);
}

}  // namespace postern::conf
