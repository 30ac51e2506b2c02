#pragma once

/// Needs libcurl: link the CMake target dualagent::http. Not part of the umbrella.

#include "dualagent/engine/http_engine.hpp"
#include "dualagent/engine/sglang_wire.hpp"

namespace dualagent {

/// Samples by an SGLang server; see HttpEngine and docs/engines.md.
/// Example: SglangEngine engine{{.url = "http://127.0.0.1:30000", .vocab_size =
/// learner.vocab_size(),
///                               .weights_folder = "/dev/shm/weights", .model_folder = "SmolLM2"}};
///          SharedWeights pair{Learning{learner, engine}};
using SglangEngine = HttpEngine<SglangWire>;
static_assert(Sampler<SglangEngine>);

}  // namespace dualagent
