// The blocks of docs/cuda.md and docs/collectives.md that need a device, on the emulated one;
// compiled only.
#include <cstddef>

#include "dualagent/collective/launch_environment.hpp"
#include "dualagent/collective/tcp_rendezvous.hpp"
#include "dualagent/cuda/loops.cuh"
#include "dualagent/cuda/nccl_collective.cuh"
#include "dualagent/cuda/policy_head.cuh"
#include "dualagent/loops/token_loss.inl"
#include "own_objective/own_objective.hpp"

namespace docs {

enum { MPI_BYTE, MPI_COMM_WORLD };
int MPI_Bcast(void*, int, int, int, int) { return 0; }
int cudaSetDevice(int) { return 0; }

namespace cuda {
#include "cuda/from-an-objective-to-its-kernel.inc"
static_assert(dualagent::check_objective<
              dualagent::Objective<own::BestOfGroup, SoftClip, dualagent::RolloutMean>>());
}  // namespace cuda

void token_by_token(std::size_t tokens, const float* loss_weight, const float* log_prob,
                    const float* old_log_prob, const float* advantage) {
#include "cuda/from-an-objective-to-its-kernel-2.inc"
}

void fused(std::size_t t, std::size_t v, std::size_t d, const dualagent::gpu::BFloat16* hidden,
           const dualagent::gpu::BFloat16* head, float* d_hidden, float* d_head,
           const dualagent::Token* target, const float* loss_weight, const float* old_log_prob,
           const float* advantage, double* log_prob_now, double* loss_now) {
  namespace da = dualagent;
#include "cuda/from-an-objective-to-its-kernel-3.inc"
}

void ranks_of_the_environment() {
#include "collectives/how-nccl-s-ranks-meet.inc"
}

void ranks_of_mpi(std::size_t rank, std::size_t size) {
#include "collectives/how-nccl-s-ranks-meet-2.inc"
}

}  // namespace docs
