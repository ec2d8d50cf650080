// The filters alone: message data in bytes a second, commands and answers in lines a second.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <string_view>

#include "bench/micro/allocations.h"
#include "bench/micro/filter_driver.h"

namespace postern::bench {
namespace {

constexpr size_t kRead = size_t{128} << 10;  // what the proxy reads at once

std::string Repeat(std::string_view text, size_t size) {
  std::string result;
  while (result.size() + text.size() <= size) result += text;
  return result;
}

const std::string& MessageData() {
  static const std::string data = Repeat(
      "The quick brown fox jumps over the lazy dog and goes on to the next line.\r\n", kRead);
  return data;
}

// A session of SMTP up to the point where message data may come.
void BeginMail(FilterDriver& driver, bool with_data) {
  driver.Greet("220 legacy.example ESMTP ready\r\n");
  driver.Client("EHLO client.example\r\n");
  driver.Server("250-legacy.example\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 SIZE\r\n");
  driver.Client("MAIL FROM:<a@b.example>\r\n");
  driver.Server("250 OK\r\n");
  driver.Client("RCPT TO:<c@d.example>\r\n");
  driver.Server("250 OK\r\n");
  if (!with_data) return;
  driver.Client("DATA\r\n");
  driver.Server("354 go on\r\n");
}

void SmtpData(benchmark::State& state) {
  FilterDriver driver(Protocol::kSmtp);
  BeginMail(driver, true);
  driver.Client(MessageData());
  AllocationReport allocations(state);
  for (auto _ : state) {
    if (!driver.Client(MessageData())) return state.SkipWithError("not all was used");
  }
  allocations.Finish();
  if (driver.closed()) state.SkipWithError("the session was closed");
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(MessageData().size()));
}
BENCHMARK(SmtpData);

void SmtpChunk(benchmark::State& state) {
  FilterDriver driver(Protocol::kSmtp);
  BeginMail(driver, false);
  const std::string chunk = "BDAT " + std::to_string(MessageData().size()) + "\r\n" + MessageData();
  AllocationReport allocations(state);
  for (auto _ : state) {
    if (!driver.Client(chunk) || !driver.Server("250 OK\r\n")) {
      return state.SkipWithError("not all was used");
    }
  }
  allocations.Finish();
  if (driver.closed()) state.SkipWithError("the session was closed");
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(chunk.size()));
}
BENCHMARK(SmtpChunk);

// `count` commands in one read and their answers in another: a client that pipelines.
struct Dialogue {
  std::string commands;
  std::string answers;
  int64_t count;
};

Dialogue Pipeline(std::string_view command, std::string_view answer, int64_t count) {
  Dialogue dialogue{"", "", count};
  for (int64_t i = 0; i < count; ++i) {
    dialogue.commands += command;
    dialogue.answers += answer;
  }
  return dialogue;
}

void RunDialogue(benchmark::State& state, FilterDriver& driver, const Dialogue& dialogue) {
  AllocationReport allocations(state);
  for (auto _ : state) {
    if (!driver.Client(dialogue.commands) || !driver.Server(dialogue.answers)) {
      return state.SkipWithError("not all was used");
    }
  }
  allocations.Finish();
  if (driver.closed()) state.SkipWithError("the session was closed");
  state.SetItemsProcessed(state.iterations() * dialogue.count);
}

void SmtpCommands(benchmark::State& state) {
  FilterDriver driver(Protocol::kSmtp);
  BeginMail(driver, false);
  RunDialogue(state, driver,
              Pipeline("RCPT TO:<somebody@d.example>\r\n", "250 2.1.5 OK\r\n", state.range(0)));
}
BENCHMARK(SmtpCommands)->Arg(1)->Arg(16);

void ImapCommands(benchmark::State& state) {
  FilterDriver driver(Protocol::kImap);
  driver.Greet("* OK legacy ready\r\n");
  RunDialogue(state, driver, Pipeline("a1 NOOP\r\n", "a1 OK done\r\n", state.range(0)));
}
BENCHMARK(ImapCommands)->Arg(1)->Arg(16);

void Pop3Commands(benchmark::State& state) {
  FilterDriver driver(Protocol::kPop3);
  driver.Greet("+OK legacy ready\r\n");
  RunDialogue(state, driver, Pipeline("NOOP\r\n", "+OK\r\n", state.range(0)));
}
BENCHMARK(Pop3Commands)->Arg(1)->Arg(16);

// From the greeting to the end of the log-in, a filter made and freed.
void ImapLogin(benchmark::State& state) {
  AllocationReport allocations(state);
  for (auto _ : state) {
    FilterDriver driver(Protocol::kImap);
    driver.Greet("* OK legacy ready\r\n");
    driver.Client("a1 CAPABILITY\r\n");
    driver.Server("* CAPABILITY IMAP4rev1 IDLE AUTH=PLAIN AUTH=NTLM\r\na1 OK done\r\n");
    driver.Client("a2 LOGIN fred secret\r\n");
    driver.Server("a2 OK done\r\n");
    if (!driver.detached()) return state.SkipWithError("no detach");
  }
  allocations.Finish();
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(ImapLogin);

// What watches the streams after the log-in, on literals of message data; nothing may be allocated.
void ImapFollower(benchmark::State& state) {
  FilterDriver driver(Protocol::kImap);
  driver.Greet("* OK legacy ready\r\n");
  driver.Client("a2 LOGIN fred secret\r\n");
  driver.Server("a2 OK done\r\n");
  if (!driver.detached()) return state.SkipWithError("no detach");
  std::unique_ptr<Follower> follower = driver.filter().Detached();
  const std::string& data = MessageData();
  const std::string head = "* 1 FETCH (BODY[] {" + std::to_string(data.size()) + "}\r\n";
  const std::string tail = ")\r\na3 OK done\r\n";
  std::string command = "a3 FETCH 1 BODY.PEEK[]\r\n";
  AllocationReport allocations(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(follower->OnClientBytes(command.data(), command.size()));
    follower->OnServerBytes(head);
    follower->OnServerBytes(data);
    follower->OnServerBytes(tail);
  }
  allocations.Finish(AllocationReport::Allowed::kNone);
  if (!follower->AtRest()) state.SkipWithError("the follower has lost its way");
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(data.size()));
}
BENCHMARK(ImapFollower);

// The same on round trips.
void ImapFollowerLines(benchmark::State& state) {
  FilterDriver driver(Protocol::kImap);
  driver.Greet("* OK legacy ready\r\n");
  driver.Client("a2 LOGIN fred secret\r\n");
  driver.Server("a2 OK done\r\n");
  if (!driver.detached()) return state.SkipWithError("no detach");
  std::unique_ptr<Follower> follower = driver.filter().Detached();
  std::string command = "a3 NOOP\r\n";
  AllocationReport allocations(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(follower->OnClientBytes(command.data(), command.size()));
    follower->OnServerBytes("a3 OK done\r\n");
  }
  allocations.Finish(AllocationReport::Allowed::kNone);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(ImapFollowerLines);

void Pop3Follower(benchmark::State& state) {
  FilterDriver driver(Protocol::kPop3);
  driver.Greet("+OK legacy ready\r\n");
  driver.Client("USER fred\r\n");
  driver.Server("+OK\r\n");
  driver.Client("PASS secret\r\n");
  driver.Server("+OK\r\n");
  if (!driver.detached()) return state.SkipWithError("no detach");
  std::unique_ptr<Follower> follower = driver.filter().Detached();
  const std::string& data = MessageData();
  std::string command = "RETR 1\r\n";
  AllocationReport allocations(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(follower->OnClientBytes(command.data(), command.size()));
    follower->OnServerBytes("+OK\r\n");
    follower->OnServerBytes(data);
    follower->OnServerBytes(".\r\n");
  }
  allocations.Finish(AllocationReport::Allowed::kNone);
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(data.size()));
}
BENCHMARK(Pop3Follower);

}  // namespace
}  // namespace postern::bench
