#pragma once

#include <cstddef>
#include <cstdint>
#include <exception>
#include <limits>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "dualagent/collective/mesh.hpp"
#include "dualagent/collective/on_first_rank.hpp"
#include "dualagent/core/crc64.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/io/archive.hpp"
#include "dualagent/model/model_axis.hpp"
#include "dualagent/model/sampler_calls.hpp"
#include "dualagent/rollout/pairing.hpp"
#include "dualagent/rollout/rollout_start.hpp"
#include "dualagent/trace/rollout.hpp"
#include "dualagent/trace/rollout_codec.hpp"

namespace dualagent {

namespace detail {
template <class Pairing, std::size_t I>
consteval bool samples_on_model_axis() {
  return OnModelAxis<typename RoleAt<Pairing, I>::SamplerType>;
}
}  // namespace detail

/// Whether a model of the pair samples on several ranks together.
template <class Pairing>
constexpr bool samples_on_model_axis() {
  return []<std::size_t... I>(std::index_sequence<I...>) {
    return (detail::samples_on_model_axis<Pairing, I>() || ...);
  }
  (std::make_index_sequence<detail::kModels<Pairing>>{});
}

namespace detail {

/// Calls `visit(sampler, index)` for the models of the pair that sample on several ranks.
template <class Pairing, class Visitor>
void for_each_split_model(const Pairing& pairing, Visitor&& visit) {
  for_each_model(pairing, [&](auto& model, auto index) {
    if constexpr (OnModelAxis<std::remove_reference_t<decltype(model)>>) visit(model, index);
  });
}

/// The type of the axis on which model `I` samples; void for a model on one rank.
template <class Pairing, std::size_t I>
consteval auto axis_type() {
  using Model = typename RoleAt<Pairing, I>::SamplerType;
  if constexpr (OnModelAxis<Model>)
    return std::type_identity<
        std::remove_reference_t<decltype(std::declval<Model&>().model_axis())>>{};
  else
    return std::type_identity<void>{};
}

/// One readable sentence if the pair's models sample on axes of two types.
template <class Pairing>
consteval bool check_one_axis() {
  if constexpr (kModels<Pairing> == 2) {
    using First = typename decltype(axis_type<Pairing, 0>())::type;
    using Second = typename decltype(axis_type<Pairing, 1>())::type;
    static_assert(std::is_void_v<First> || std::is_void_v<Second> || std::is_same_v<First, Second>,
                  "dualagent: two models of a pair that lie on several ranks lie on one axis: give "
                  "both mesh.model_axis(); see docs/collectives.md#two-axes");
  }
  return true;
}

/// Errors: Error on every rank of `axis`, the first model's, where another model has another axis.
template <class Axis, class Pairing>
void require_one_axis(Axis& axis, const Pairing& pairing) {
  bool other = false;
  for_each_split_model(pairing, [&](auto& model, std::size_t) {
    other |= model.model_axis().rank() != axis.rank() || model.model_axis().size() != axis.size();
  });
  double others[] = {other ? 1.0 : 0.0};
  axis.all_reduce_sum(std::span<double>(others));
  if (others[0] > 0)
    throw Error("the pair's two models lie on two axes of ranks",
                "rank " + std::to_string(axis.rank()) + " of the first model's axis",
                "Give mesh.model_axis() to both when they are made");
}

/// Errors: Error on every rank where one is to play other rollouts than rank 0.
template <class Axis>
void require_same_starts(Axis& axis, std::span<const RolloutStart> starts) {
  ArchiveWriter out;
  for (const RolloutStart& start : starts) {
    out.count(start.group);
    out.count(start.member);
    out.text(start.task == nullptr ? "" : start.task->id);
    out.text(start.task == nullptr ? "" : start.task->prompt);
    out.number(static_cast<std::uint8_t>(start.source == nullptr ? 0 : 1));
    out.count(start.summary);
  }
  const std::size_t other = first_other_bits(axis, crc64(std::move(out).take()));
  if (other < axis.size())
    throw Error("ranks 0 and " + std::to_string(other) +
                    " of the model axis were given different rollouts to play",
                "rank " + std::to_string(axis.rank()) + " of the model axis",
                "Give the ranks of a model group equal tasks and group sizes");
}

inline constexpr std::uint64_t kPlayed = std::numeric_limits<std::uint64_t>::max();

/// Lets rank 0 play while the samplers of the other ranks wait for its calls. Where it throws, all
/// samplers are reset.
template <class Axis, class Pairing, class Play>
std::vector<Rollout> lead_play(Axis& axis, const Pairing& pairing, const Play& play) {
  for_each_split_model(pairing, [](auto& model, std::size_t index) { model.lead(index); });
  std::vector<Rollout> rollouts;
  std::exception_ptr thrown;
  try {
    rollouts = play();
  } catch (...) {
    thrown = std::current_exception();
    for_each_split_model(pairing, [](auto& model, std::size_t) { model.reset(); });
  }
  try {
    for_each_split_model(pairing, [](auto& model, std::size_t) { model.stop_leading(); });
    ArchiveWriter end;
    end.number(kPlayed);
    std::vector<std::byte> bytes = std::move(end).take();
    share_bytes(axis, bytes);
  } catch (...) {
    if (!thrown) throw;  // else what was thrown first says more
  }
  if (thrown) std::rethrow_exception(thrown);
  return rollouts;
}

/// Makes the calls of rank 0's samplers, until it has played. Returns what one of them has thrown:
/// after that the calls are read and not made, and the samplers are reset.
template <class Axis, class Pairing>
std::exception_ptr follow_play(Axis& axis, const Pairing& pairing) {
  std::exception_ptr thrown;
  for (std::vector<std::byte> message;;) {
    share_bytes(axis, message);
    const std::uint64_t name = ArchiveReader(message, "calls").number<std::uint64_t>("a model");
    if (name == kPlayed) break;
    if (thrown) continue;
    for_each_split_model(pairing, [&](auto& model, std::size_t index) {
      if (index != name) return;
      try {
        model.follow(std::span(message).subspan(sizeof name));
      } catch (...) {
        thrown = std::current_exception();
      }
    });
  }
  if (thrown)
    for_each_split_model(pairing, [](auto& model, std::size_t) {
      SamplerCalls calls;
      calls.reset();
      model.follow(calls.take());
    });
  return thrown;
}

}  // namespace detail

/// The rollouts that `play()` returns, of a pair with models on a model axis: rank 0 of the axis
/// alone plays and calls tools; the other ranks compute their part of what it samples, and get its
/// rollouts. All ranks of the axis call it, with the same `starts`, which are what `play` plays; of
/// any other pair it is `play()`.
/// Errors: what `play` throws on rank 0, and on the others an Error that says so; Error on every
/// rank, before anything is played, where two models of the pair lie on two axes, or where ranks
/// have different starts.
template <class Pairing, class Play>
std::vector<Rollout> play_together(const Pairing& pairing,
                                   [[maybe_unused]] std::span<const RolloutStart> starts,
                                   const Play& play) {
  if constexpr (!samples_on_model_axis<Pairing>()) {
    return play();
  } else {
    static_assert(detail::check_one_axis<Pairing>());
    std::vector<Rollout> rollouts;
    bool played = false;  // several models of a pair have one axis
    detail::for_each_split_model(pairing, [&](auto& model, std::size_t) {
      if (std::exchange(played, true)) return;
      auto& axis = model.model_axis();
      detail::require_one_axis(axis, pairing);
      detail::require_same_starts(axis, starts);
      std::exception_ptr thrown;
      if (axis.rank() != 0) thrown = detail::follow_play(axis, pairing);
      const std::vector<std::byte> bytes = on_first_rank(axis, [&] {
        rollouts = detail::lead_play(axis, pairing, play);
        ArchiveWriter out;
        out.count(rollouts.size());
        for (const Rollout& rollout : rollouts) {
          const std::vector<std::byte> one = encode_rollout(rollout);
          out.text({reinterpret_cast<const char*>(one.data()), one.size()});
        }
        return std::move(out).take();
      });
      if (thrown) std::rethrow_exception(thrown);
      if (axis.rank() == 0) return;
      ArchiveReader in(bytes, "the rollouts of rank 0");
      rollouts.resize(in.count("rollouts"));
      for (Rollout& rollout : rollouts) {
        const std::string one = in.text("a rollout");
        rollout = decode_rollout(std::as_bytes(std::span(one)), in.where());
      }
    });
    return rollouts;
  }
}

}  // namespace dualagent
