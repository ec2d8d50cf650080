// `postern status` (the contract's section 2): asks a running program at its admin address and
// prints what the page shows.
#pragma once

#include <string>

#include "conf/address.h"

namespace CLI {
class App;
}

namespace postern {

// Prints the status as tables, or what is wrong on stderr. 0, or 1 where there is no answer.
int RunStatus(const conf::Address& admin, bool colour);

// 0 where the program is ready, else 1. Says nothing.
int RunReady(const conf::Address& admin);

// Adds the subcommand. Where it is used the parse runs it and leaves the exit status in `status`;
// both live as long as `app`. A bad address is a CLI::ParseError.
void AddStatusCommand(CLI::App& app, int& status);

}  // namespace postern
