#pragma once

/// Definitions of transformer_decode.hpp, of templates: not inline, so that a program does not
/// compile those of float_instances.inl again.

#include "dualagent/model/transformer_decode.hpp"

namespace dualagent::detail {

template <class T, class Axis>
void Decoder<T, Axis>::submit(const GenerationRequest& request, const Adapter<T>* adapter) {
  check(request, adapter);
  Running running;
  running.request = request;
  running.adapter = adapter;
  running.cache = &cache_.open(request.sequence, request.context, adapter);
  const std::size_t most =
      std::min(request.stop->max_new_tokens,
               weights_->config().max_position_embeddings - request.context.size());
  running.tokens.reserve(most);
  running.log_probs.reserve(most);
  if (request.sampling.leaves_out()) running.drawn_log_probs.reserve(most);
  running.versions.reserve(most);
  // Beside the others of the adapter, so that its products get their rows in one piece.
  const auto same = [&](const Running& other) { return other.adapter == adapter; };
  running_.insert(std::find_if(running_.rbegin(), running_.rend(), same).base(),
                  std::move(running));
}

template <class T, class Axis>
auto Decoder<T, Axis>::step_once(ThreadPool& pool, WeightVersion version, const Adapter<T>* adapter,
                                 std::size_t& going_on) -> std::vector<Running> {
  share_prefixes();
  plan_ = Axis::kSplit ? DecodePlan{.together = true, .requests = running_.size()}
                       : plan_decode(sizes(pool.size()));
  deal_work(plan_.together ? 1 : pool.size());
  try {
    step_all(pool);
  } catch (...) {
    forget_cached();  // it may be ahead of the tokens
    throw;
  }
  std::vector<Running> finished;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < running_.size(); ++i) {
    Running& running = running_[i];
    running.versions.resize(running.tokens.size(),
                            running.adapter == nullptr ? version : running.adapter->version);
    if (running.finished && running.adapter == adapter) {
      finished.push_back(std::move(running));
      continue;
    }
    if (running.adapter == adapter) ++going_on;
    if (kept++ != i) running_[kept - 1] = std::move(running);
  }
  running_.resize(kept);
  return finished;
}

template <class T, class Axis>
void Decoder<T, Axis>::reset(const Adapter<T>* adapter) {
  std::erase_if(running_, [&](const Running& running) { return running.adapter == adapter; });
  cache_.clear(adapter);
}

template <class T, class Axis>
void Decoder<T, Axis>::check(const GenerationRequest& request, const Adapter<T>* adapter) const {
  check_request(request, whole_config(axis_, weights_->config()));
  for (const Running& running : running_)
    if (running.adapter == adapter && running.request.sequence == request.sequence)
      throw Error("the sequence has a running generation already", place_of(request));
}

}  // namespace dualagent::detail
