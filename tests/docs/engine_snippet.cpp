// The page's trainer with an engine, which needs libcurl, and what two jobs are made of; compiled
// only.
#include <cstddef>
#include <cstdio>
#include <vector>

#include "dualagent/dualagent.hpp"
#include "dualagent/engine/sglang_engine.hpp"
#include "support/toy_protocol.hpp"

namespace docs {

namespace da = dualagent;

void engine(const std::vector<da::Task>& tasks) {
  const da::Protocol protocol{toy::Dialect{}, toy::Tools{toy::Successor<>{}}, da::Never{}};
#include "engines/a-trainer-with-an-engine.inc"
}

// Templates that nobody instantiates: a trainer takes long to compile, and examples/two_jobs does
// it.
template <class Model, class Protocol, class Store, class GoOn>
void play_for_two_learners(Model& answerer, const Protocol& protocol, da::TaskStream& tasks,
                           Store& store, const da::TrainerOptions& options, const GoOn& go_on) {
#include "two-jobs/in-a-program-of-your-own.inc"
}
template <class Model, class Protocol, class Store, class Run>
int learn_one_agent(Model& summarizer, const Protocol& protocol, Store& store, Run& run,
                    const da::TrainerOptions& options, std::size_t steps) {
#include "two-jobs/in-a-program-of-your-own-3.inc"
  return 0;
}
int keep_running() {
#include "two-jobs/in-a-program-of-your-own-4.inc"
}

}  // namespace docs
