#pragma once

#include <array>

#include "dualagent/collective/context_parallel.hpp"
#include "dualagent/collective/threads.hpp"

/// Threads as the ranks of a model that divide its rows.
namespace context_models {

using namespace dualagent;

/// Context ranks by tensor ranks; here `data` is the context axis.
inline constexpr std::array<MeshShape, 3> kShapes{MeshShape{2, 1}, MeshShape{4, 1},
                                                  MeshShape{2, 2}};

/// Runs body(axis) on every rank, `axis` being its ContextParallel.
template <class Body>
void run_context_ranks(const MeshShape& shape, const Body& body) {
  if (shape.model == 1)
    run_ranks(shape.data, [&](ThreadCollective context) { body(ContextParallel{context}); });
  else
    run_ranks(shape, [&](ThreadCollective context, ThreadCollective tensor) {
      body(ContextParallel{context, tensor});
    });
}

}  // namespace context_models
