// A chain of debts: SmolLM2-135M is trained to keep notes. docs/ledger-smollm2.md explains it.

#include "quickstart/program.hpp"
#include "run.hpp"

int main(int argc, char** argv) {
  return quickstart::run_program(
      {argv + 1, static_cast<std::size_t>(argc - 1)}, "examples/ledger_smollm2/run.sh",
      ledger_smollm2::kHelp,
      [](auto arguments) { return ledger_smollm2::parse_options(arguments); }, ledger_smollm2::run);
}
