// The reference system's job in one process: an Answerer with a Python tool and a Summarizer, from
// a Hugging Face directory and a file of tasks. docs/retool-summary.md explains it.

#include <cstddef>

#include "quickstart/program.hpp"
#include "run.hpp"

int main(int argc, char** argv) {
  return quickstart::run_program(
      {argv + 1, static_cast<std::size_t>(argc - 1)}, "examples/retool_summary/run.sh",
      retool_summary::kHelp,
      [](auto arguments) { return retool_summary::parse_options(arguments); }, retool_summary::run);
}
