// The page's trainer with an engine, which needs libcurl; compiled only.
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

}  // namespace docs
