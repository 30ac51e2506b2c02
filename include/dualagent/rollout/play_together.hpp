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

#include "dualagent/collective/on_first_rank.hpp"
#include "dualagent/io/archive.hpp"
#include "dualagent/model/model_axis.hpp"
#include "dualagent/rollout/pairing.hpp"
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

inline constexpr std::uint64_t kPlayed = std::numeric_limits<std::uint64_t>::max();

/// Lets rank 0 play while the samplers of the other ranks wait for its calls.
template <class Axis, class Pairing, class Play>
std::vector<Rollout> lead_play(Axis& axis, const Pairing& pairing, const Play& play) {
  for_each_split_model(pairing, [](auto& model, std::size_t index) { model.lead(index); });
  std::vector<Rollout> rollouts;
  std::exception_ptr thrown;
  try {
    rollouts = play();
  } catch (...) {
    thrown = std::current_exception();
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

/// Makes the calls of rank 0's samplers, until it has played.
template <class Axis, class Pairing>
void follow_play(Axis& axis, const Pairing& pairing) {
  for (std::vector<std::byte> message;;) {
    share_bytes(axis, message);
    const std::uint64_t name = ArchiveReader(message, "calls").number<std::uint64_t>("a model");
    if (name == kPlayed) return;
    for_each_split_model(pairing, [&](auto& model, std::size_t index) {
      if (index == name) model.follow(std::span(message).subspan(sizeof name));
    });
  }
}

}  // namespace detail

/// The rollouts that `play()` returns, of a pair with models on a model axis: rank 0 of the axis
/// alone plays and calls tools; the other ranks compute their part of what it samples, and get its
/// rollouts. All ranks of the axis call it; of any other pair it is `play()`.
/// Errors: what `play` throws on rank 0, and on the others an Error that says so.
template <class Pairing, class Play>
std::vector<Rollout> play_together(const Pairing& pairing, const Play& play) {
  if constexpr (!samples_on_model_axis<Pairing>()) {
    return play();
  } else {
    std::vector<Rollout> rollouts;
    bool played = false;  // several models of a pair have one axis
    detail::for_each_split_model(pairing, [&](auto& model, std::size_t) {
      if (std::exchange(played, true)) return;
      auto& axis = model.model_axis();
      if (axis.rank() != 0) detail::follow_play(axis, pairing);
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
