#pragma once

/// Needs libcurl: link the CMake target dualagent::http. Not part of the umbrella.

#include "dualagent/engine/http_engine.hpp"
#include "dualagent/engine/vllm_wire.hpp"

namespace dualagent {

/// Samples by a vLLM server in development mode; see HttpEngine and docs/engines.md.
/// Example: VllmEngine engine{{.url = "http://127.0.0.1:8000", .vocab_size = learner.vocab_size(),
///                             .weights_folder = "/dev/shm/weights", .model_folder = "SmolLM2"}};
///          SharedWeights pair{Learning{learner, engine}};
using VllmEngine = HttpEngine<VllmWire>;
static_assert(Sampler<VllmEngine>);

}  // namespace dualagent
