#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "dualagent/core/aligned_vector.hpp"
#include "dualagent/core/any_callback.hpp"
#include "dualagent/core/check.hpp"
#include "dualagent/core/random.hpp"
#include "dualagent/core/types.hpp"
#include "dualagent/cpu/loops.inl"
#include "dualagent/kernels/token_loss.inl"
#include "dualagent/loops/token_loss.inl"
#include "dualagent/model/architecture.hpp"
#include "dualagent/text/stop_rule.hpp"
#include "dualagent/trace/batch_columns.hpp"
#include "dualagent/trace/span.hpp"

namespace dualagent {

/// How tokens are drawn: logits are divided by the temperature, then top-k, top-p and min-p leave
/// improbable tokens out, in this order, each on what the one before it has left. Equally probable
/// tokens stay or go together.
///
/// Every token carries two log-probabilities (trace/span.hpp). Training uses that of
/// softmax(logits / temperature) over the whole vocabulary: it is what a learner scores, so that
/// the ratio of unchanged weights is 1. Source: the order of transformers. vLLM applies min-p
/// before top-k.
struct SamplingOptions {
  /// Logits are divided by it, at least 1e-6; 0 takes the most probable token (the lowest index
  /// wins ties), whatever the other options say, and reports its log-probability at temperature 1.
  float temperature = 1.0F;
  std::size_t top_k = 0;  ///< how many of the most probable tokens may be drawn; 0: all
  float top_p = 1.0F;     ///< the fewest most probable tokens of that sum of probabilities; 1: all
  float min_p = 0.0F;     ///< least probability, in units of the most probable token's; 0: any

  /// Whether tokens may be left out.
  bool leaves_out() const { return top_k > 0 || top_p < 1.0F || min_p > 0.0F; }

  /// Errors: Error that names an option that cannot be meant, as `name` + "temperature" and so on.
  void validate(const std::string& owner, const std::string& name = {}) const {
    require_option(temperature, kNotNegative, name + "temperature", owner);
    if (temperature != 0.0F && temperature < 1e-6F)  // logits divided by it are not finite
      throw Error(name + "temperature is " + shortest_text(static_cast<double>(temperature)), owner,
                  "Set it to at least 1e-6, or to 0, which takes the most probable token");
    require_option(top_p, {0.0, 1.0, false, true}, name + "top_p", owner, "1 keeps all tokens");
    require_option(min_p, kFraction, name + "min_p", owner, "0 keeps all tokens");
  }
};

/// Why a generation ended.
enum class FinishReason : std::uint8_t {
  stop,          ///< a stop token
  early,         ///< stop_early
  length,        ///< max_new_tokens
  context_full,  ///< the model's context is full
  failed,        ///< the request could not be carried out; nothing was sampled
};

/// Chosen by the caller; names a growing context whose keys and values a sampler may keep.
using SequenceId = std::uint64_t;

/// One generation: continue `context` until `stop` says so.
///
/// `context` is the whole context and must stay valid and unchanged until the generation is
/// finished. A sampler may reuse what it computed for the same `sequence` before, or for another
/// request's equal prefix; the result does not depend on it.
/// Determinism: token i of the result depends only on weights, context, options and
/// `random.bits(i)`; never on other requests, threads or order.
struct GenerationRequest {
  SequenceId sequence = 0;
  std::span<const Token> context;
  AgentRole agent = AgentRole::answerer;
  SamplingOptions sampling = {};
  const StopRule* stop = nullptr;  ///< must outlive the generation
  RandomStream random;
  /// For a sampler that computes elsewhere (another thread, process or machine): called, from any
  /// thread, when the request has ended there, so that `advance` can hand it over. Empty: whoever
  /// submits does not wait for it. May be called late, after `reset` or never where `advance`
  /// computes.
  std::function<void()> on_ready = {};
};

/// The result of one request.
struct Generation {
  SequenceId sequence = 0;
  Sampled sampled;
  FinishReason finish = FinishReason::stop;
  std::string failure = {};  ///< why, for people; of FinishReason::failed only

  /// A request that could not be carried out, e.g. because a server did not answer. Whoever
  /// submitted it may submit it again.
  static Generation failed(const GenerationRequest& request, std::string reason) {
    return {request.sequence, BackendAccess::sampled(request.agent, 0, {}, {}),
            FinishReason::failed, std::move(reason)};
  }
};

/// Something that continues token contexts: all that a role needs to act.
///
/// Syntactic requirements on a sampler m:
/// 1. `m.submit(request)` accepts a `GenerationRequest`; at most one per sequence at a time.
/// 2. `m.advance(on_finished)` makes progress on all accepted requests (a local model: one or a few
///    tokens for each) and calls `on_finished(Generation)` for every one that ended; returns how
///    many need another call to go on. Requests that are computed elsewhere do not: `advance` never
///    waits for them, and their `on_ready` says when to call it. `on_finished` must not call the
///    sampler.
/// 3. `m.release(sequence)`: a sequence that is not running will not go on and holds no memory any
///    more (unknown ones are ignored). `m.reset()` forgets all and abandons what runs. After an
///    exception from `submit` or `advance` (`on_finished` may throw) call `reset`: nothing of what
///    was submitted before it may come back. A failure of one request is not an exception but a
///    `Generation::failed` for it; the others go on as if it had not been.
/// 4. `m.vocab_size()`, `m.max_context_tokens()` and `m.weight_version()`.
///
/// Semantic requirements: results obey the determinism of `GenerationRequest`; log-probabilities
/// are those of the softmax over the whole vocabulary at the request's temperature, and
/// `drawn_log_probs` those of the distribution that was drawn from, where top-k, top-p or min-p
/// left tokens out; every token carries the version of the weights that it was drawn from, also
/// where they change while a generation runs.
template <class M>
concept Sampler = requires(M& m, const GenerationRequest& request, SequenceId sequence) {
  m.submit(request);
  { m.advance(detail::AnyCallback{}) } -> std::convertible_to<std::size_t>;
  m.release(sequence);
  m.reset();
  { m.vocab_size() } -> std::convertible_to<std::size_t>;
  { m.max_context_tokens() } -> std::convertible_to<std::size_t>;
  { m.weight_version() } -> std::convertible_to<WeightVersion>;
};

/// For `Learner::backward`: nobody asks which gradients are final.
struct IgnoreReady {
  constexpr void operator()(std::size_t, std::size_t) const {}
};

/// What a learner minimises: the loss of any token of a batch, as a plain value that is copied to
/// wherever the learner computes and inlined there.
///
/// `objective(columns, t, prediction)` takes the batch's loops::TokenColumns, the index of a
/// trained token and a kernels::TokenPrediction<T>, T being the learner's arithmetic, and returns a
/// kernels::TokenGradient<T>: value and derivatives before the token's loss weight. It is pure and
/// may be called from several threads; constexpr, if it is to run on a device. A trainer gives the
/// loops::ComposedLoss of its recipe.
template <class O, class T>
concept TokenObjective = std::is_trivially_copyable_v<O> &&
    requires(const O& objective, const loops::TokenColumns& columns, std::size_t t,
             const kernels::TokenPrediction<T>& prediction) {
  { objective(columns, t, prediction) } -> std::same_as<kernels::TokenGradient<T>>;
};

namespace detail {
/// Asks whether a learner takes any objective.
struct AnyObjective {
  template <class T>
  kernels::TokenGradient<T> operator()(const loops::TokenColumns&, std::size_t,
                                       const kernels::TokenPrediction<T>&) const {
    return {};
  }
};
}  // namespace detail

namespace detail {
template <class M>
struct Machine {
  using type = cpu::Loops;
};
template <class M>
requires requires(M& m) { m.loops(); }
struct Machine<M> {
  using type = std::remove_cvref_t<decltype(std::declval<M&>().loops())>;
};
}  // namespace detail

/// The machine that a learner M computes on: `m.loops()`, or the host.
template <class M>
using MachineOf = typename detail::Machine<M>::type;

/// Numbers in a learner's memory as the host reads them: themselves, or, of a learner that computes
/// elsewhere, copied into `room`. Example: on_host(learner, learner.parameters(), room)
template <class M, class View, class Scalar = typename View::value_type>
std::span<const Scalar> on_host(M& learner, const View& values, AlignedVector<Scalar>& room) {
  if constexpr (std::is_same_v<MachineOf<M>, cpu::Loops>) {
    return values;
  } else {
    room.resize(values.size());
    learner.loops().download(values, std::span<Scalar>(room));
    return room;
  }
}

/// Something whose weights are trained: all that a trainer needs beside rollouts. It may also be a
/// `Sampler`: then what it samples comes from the weights that it learns, and nothing has to be
/// handed over.
///
/// Syntactic requirements on a learner m:
/// 1. `m.backward(columns, objective, outputs)` takes BatchColumns, a TokenObjective and
///    OutputColumns. It adds d(sum_t loss_weight[t] * objective_t) / d(parameters) to the
///    gradients and writes all outputs of the trained tokens. A learner on the host finds value and
///    derivatives of one token by `token_gradient`.
/// 2. `m.score(columns, outputs)` computes log-probabilities, entropies and values only.
/// 3. `m.parameters()`, `m.gradients()`: flat spans of one layout; `m.tensors()` names their parts.
/// 4. `m.zero_gradients()`; `m.weights_changed()` after parameters were written: the next weight
///    version begins and cached keys and values are dropped. `m.weights_changed(version)`: the same
///    with the version that these weights had before, when they come from a checkpoint.
/// 5. `m.weight_version()`, and `m.vocab_size()`: tokens of a batch lie below it.
/// Optional: `m.loops()`, of a learner that computes elsewhere: its machine, with the face of
/// gpu::Loops. Columns, outputs, parameters and gradients then lie in that machine's memory, and
/// `parameters()` and `gradients()` are its views: data(), size() and subspan(begin, count). The
/// host reads them by `on_host`.
/// Optional: `m.has_value_head()`; where it is true, predictions carry the critic's value and
/// `d_value` of the loss is differentiated through it.
/// Optional: `m.model_axis()` and `m.slices()`, of a model that several ranks have together: see
/// OnModelAxis (model/model_axis.hpp).
/// Optional: `m.backward(columns, objective, outputs, ready)` also calls `ready(begin, end)` when
/// gradients [begin, end) have the values that they have at the end of the call, from the end of
/// the model to its beginning, no element twice, from any thread but one call at a time; afterwards
/// it leaves them alone: they are being summed over ranks. What it does not report is taken at the
/// end. `gradients()` is then the same array before and after.
template <class M>
concept Learner = requires(M& m, const BatchColumns& columns, const OutputColumns& outputs) {
  m.backward(columns, detail::AnyObjective{}, outputs);
  m.score(columns, outputs);
  m.parameters();
  m.gradients();
  { m.tensors() } -> std::convertible_to<std::span<const TensorInfo>>;
  m.zero_gradients();
  m.weights_changed();
  m.weights_changed(WeightVersion{});
  { m.weight_version() } -> std::convertible_to<WeightVersion>;
  { m.vocab_size() } -> std::convertible_to<std::size_t>;
};

/// A sampler that takes over the weights of a learner that is another object: a remote engine that
/// samples for a trainer here, say.
///
/// Syntactic requirement: `sampler.publish(learner, version)` returns the WeightVersion that the
/// sampler draws from once the call has returned.
/// Semantic requirements: that version is `version`, and it is the version that the tokens carry
/// which are sampled from then on, drawn from the learner's parameters as they are in the call.
/// Running generations go on, on the new weights or, each to its end, on the old ones. Nothing that
/// was computed from the old weights is used with the new ones. A failure is an exception, after
/// which the sampler still has the weights that it had; the trainer publishes again before it
/// samples.
template <class S, class L>
concept TakesWeightsOf = requires(S& sampler, L& learner, WeightVersion version) {
  { sampler.publish(learner, version) } -> std::convertible_to<WeightVersion>;
};

namespace detail {
/// Stands for a model that is gone before it can be used.
template <class M>
struct Temporary {};
template <class M>
inline constexpr bool is_temporary = false;
template <class M>
inline constexpr bool is_temporary<Temporary<M>> = true;
}  // namespace detail

/// One readable sentence if M is gone before it can be used.
template <class M>
consteval bool check_named_model() {
  static_assert(!detail::is_temporary<M>,
                "dualagent: a model is kept by reference and must outlive what uses it; make it "
                "first, as in 'Transformer model{config};', and give its name");
  return true;
}

/// One readable sentence if M cannot be sampled from.
template <class M>
consteval bool check_sampler() {
  static_assert(check_named_model<M>());
  if constexpr (!detail::is_temporary<M>)
    static_assert(
        Sampler<M>,
        "dualagent: a Sampler needs submit, advance, release, reset, vocab_size, "
        "max_context_tokens and weight_version; see docs/policies.md#samplers-and-learners");
  return true;
}

/// One readable sentence if M cannot be trained.
template <class M>
consteval bool check_learner() {
  static_assert(check_named_model<M>());
  if constexpr (!detail::is_temporary<M>)
    static_assert(
        Learner<M>,
        "dualagent: a Learner needs backward, score, parameters, gradients, tensors, "
        "zero_gradients, weights_changed, weight_version and vocab_size; a role that only samples "
        "is written Frozen{model}; see docs/policies.md#samplers-and-learners");
  return true;
}

/// One readable sentence if O cannot be minimised by a learner that computes in T.
template <class O, class T>
consteval bool check_token_objective() {
  static_assert(std::is_trivially_copyable_v<O>,
                "dualagent: an objective is a plain value (trivially copyable), because it is "
                "copied to wherever the learner computes; keep what differs from token to token in "
                "the batch's columns; see docs/policies.md#samplers-and-learners");
  static_assert(!std::is_trivially_copyable_v<O> || TokenObjective<O, T>,
                "dualagent: an objective needs 'TokenGradient<T> operator()(const "
                "loops::TokenColumns&, std::size_t, const TokenPrediction<T>&) const'; see "
                "docs/policies.md#samplers-and-learners");
  return true;
}

/// One readable sentence if S cannot take over the weights of L.
template <class S, class L>
consteval bool check_takes_weights() {
  static_assert(
      TakesWeightsOf<S, L>,
      "dualagent: the sampler of Learning{learner, sampler} needs 'WeightVersion "
      "publish(YourLearner&, WeightVersion)', which takes over the learner's weights; one "
      "object that samples and learns is given by its name alone; see "
      "docs/policies.md#samplers-and-learners");
  return true;
}

}  // namespace dualagent
