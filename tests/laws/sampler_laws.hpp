#pragma once

#include <algorithm>
#include <cstddef>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/model/backend.hpp"
#include "support/catch.hpp"

/// What every sampler must obey; see backend_laws.hpp.
namespace dualagent::laws {

using Generations = std::map<SequenceId, Generation>;

/// Runs all requests together to their ends.
template <class Model>
Generations generate(Model& model, std::span<const GenerationRequest> requests) {
  Generations results;
  for (const GenerationRequest& request : requests) model.submit(request);
  std::size_t running = requests.size();
  while (running > 0)
    running = model.advance([&](Generation&& done) {
      const SequenceId sequence = done.sequence;
      CHECK(results.emplace(sequence, std::move(done)).second);  // finished once
    });
  CHECK(results.size() == requests.size());
  return results;
}
template <class Model>
Generation generate(Model& model, const GenerationRequest& request) {
  Generations results = generate(model, std::span(&request, 1));
  REQUIRE(results.count(request.sequence) == 1);
  return std::move(results.begin()->second);
}

inline bool same(const Generation& a, const Generation& b) {
  return std::ranges::equal(a.sampled.tokens(), b.sampled.tokens()) &&
         std::ranges::equal(a.sampled.log_probs(), b.sampled.log_probs()) && a.finish == b.finish;
}

/// A handful of ragged requests, some with a common beginning; owns what they point to.
class SomeRequests {
 public:
  explicit SomeRequests(std::size_t vocab, float temperature = 1.0F) {
    stop_.stop_tokens = {static_cast<Token>(vocab - 1)};
    stop_.max_new_tokens = 12;
    const RandomStream random = RandomStream::from_seed(11);
    for (std::size_t i = 0; i < 9; ++i) {
      std::vector<Token> context{1, 0, 2, 1, 1, 2};  // shared by all
      for (std::size_t j = 0; j < (i * 5) % 8; ++j)
        context.push_back(static_cast<Token>(random.child(i).below(j, vocab - 1)));
      contexts_.push_back(std::move(context));
    }
    for (std::size_t i = 0; i < contexts_.size(); ++i)
      requests_.push_back({.sequence = 100 + i,
                           .context = contexts_[i],
                           .agent = i % 2 == 0 ? AgentRole::answerer : AgentRole::summarizer,
                           .sampling = {.temperature = temperature},
                           .stop = &stop_,
                           .random = random.child(1000 + i)});
  }
  SomeRequests(const SomeRequests&) = delete;
  SomeRequests& operator=(const SomeRequests&) = delete;

  std::span<const GenerationRequest> all() const { return requests_; }
  const StopRule& stop() const { return stop_; }
  const GenerationRequest& operator[](std::size_t i) const { return requests_[i]; }

 private:
  StopRule stop_;
  std::vector<std::vector<Token>> contexts_;
  std::vector<GenerationRequest> requests_;
};

template <class MakeModel>
void check_determinism(const MakeModel& make_model) {
  auto model = make_model();
  for (const float temperature : {1.0F, 0.6F, 0.0F}) {
    const SomeRequests requests(model.vocab_size(), temperature);
    const Generations together = generate(model, requests.all());
    model.reset();
    std::vector<GenerationRequest> reversed(requests.all().rbegin(), requests.all().rend());
    const Generations backwards = generate(model, reversed);
    for (const GenerationRequest& request : requests.all()) {
      INFO("law: a result does not depend on neighbours, order or the past; sequence "
           << request.sequence << ", temperature " << temperature);
      auto fresh = make_model();
      const Generation alone = generate(fresh, request);
      CHECK(same(alone, together.at(request.sequence)));
      CHECK(same(alone, backwards.at(request.sequence)));
      fresh.release(request.sequence);
      CHECK(same(alone, generate(fresh, request)));
      CHECK(same(alone, generate(fresh, request)));  // with whatever was kept
    }
    model.reset();
  }
}

/// Submits one request at every step, so that all are at different places when they meet.
template <class MakeModel>
void check_late_arrivals(const MakeModel& make_model) {
  auto model = make_model();
  const SomeRequests requests(model.vocab_size());
  const Generations together = generate(model, requests.all());
  model.reset();
  Generations results;
  const auto keep = [&](Generation&& done) { results.emplace(done.sequence, std::move(done)); };
  for (const GenerationRequest& request : requests.all()) {
    model.submit(request);
    model.advance(keep);
  }
  while (model.advance(keep) > 0) {
  }
  for (const GenerationRequest& request : requests.all()) {
    INFO("law: a result does not depend on when others arrive; sequence " << request.sequence);
    REQUIRE(results.count(request.sequence) == 1);
    CHECK(same(results.at(request.sequence), together.at(request.sequence)));
  }
}

template <class MakeModel>
void check_greedy(const MakeModel& make_model) {
  auto model = make_model();
  const SomeRequests requests(model.vocab_size(), 0.0F);
  GenerationRequest request = requests[3];
  const Generation first = generate(model, request);
  request.random = request.random.child(77);
  INFO("law: temperature 0 does not look at random numbers");
  CHECK(same(first, generate(model, request)));
}

template <class MakeModel>
void check_results(const MakeModel& make_model) {
  auto model = make_model();
  const SomeRequests requests(model.vocab_size());
  const auto is_stop = [&](Token token) { return token == requests.stop().stop_tokens[0]; };
  const Generations results = generate(model, requests.all());
  for (const GenerationRequest& request : requests.all()) {
    const Generation& result = results.at(request.sequence);
    const auto tokens = result.sampled.tokens();
    INFO("sequence " << request.sequence);
    REQUIRE(!tokens.empty());
    CHECK(result.sampled.log_probs().size() == tokens.size());
    CHECK(result.sampled.agent() == request.agent);
    INFO("law: every token carries the version of the weights that it was drawn from");
    CHECK(version_runs(result.sampled.weight_versions()) ==
          std::vector<VersionRun>{{model.weight_version(), tokens.size()}});
    INFO("law: a stop token ends the generation and is its last token");
    CHECK(std::none_of(tokens.begin(), tokens.end() - 1, is_stop));
    CHECK((result.finish == FinishReason::stop) == is_stop(tokens.back()));
    INFO("law: max_new_tokens is kept");
    CHECK(tokens.size() <= requests.stop().max_new_tokens);
    if (!is_stop(tokens.back())) {
      CHECK(result.finish == FinishReason::length);
      CHECK(tokens.size() == requests.stop().max_new_tokens);
    }
    INFO("law: tokens are in the vocabulary, log-probabilities are finite and not positive");
    for (const Token token : tokens)
      CHECK((token >= 0 && static_cast<std::size_t>(token) < model.vocab_size()));
    for (const float log_prob : result.sampled.log_probs())
      CHECK((std::isfinite(log_prob) && log_prob <= 1e-3F));
  }
}

template <class MakeModel>
void check_stop_rules(const MakeModel& make_model) {
  auto model = make_model();
  const SomeRequests requests(model.vocab_size());
  GenerationRequest request = requests[2];
  const StopRule unlimited{.stop_tokens = {}, .max_new_tokens = 9, .stop_early = {}};
  request.stop = &unlimited;
  const Generation whole = generate(model, request);
  REQUIRE(whole.sampled.tokens().size() == 9);
  const auto check_prefix = [&](const StopRule& rule, std::size_t size, FinishReason finish) {
    request.stop = &rule;
    const Generation part = generate(model, request);
    CHECK(part.finish == finish);
    CHECK(std::ranges::equal(part.sampled.tokens(), whole.sampled.tokens().first(size)));
    CHECK(std::ranges::equal(part.sampled.log_probs(), whole.sampled.log_probs().first(size)));
  };
  INFO("law: a stop rule cuts a generation and changes nothing before the cut");
  check_prefix({.stop_tokens = {}, .max_new_tokens = 1, .stop_early = {}}, 1, FinishReason::length);
  check_prefix({.stop_tokens = {},
                .max_new_tokens = 9,
                .stop_early = [](std::span<const Token> said) { return said.size() == 4; }},
               4, FinishReason::early);
  const Token wanted = whole.sampled.tokens()[5];
  const auto first = std::ranges::find(whole.sampled.tokens(), wanted);
  check_prefix({.stop_tokens = {wanted}, .max_new_tokens = 9, .stop_early = {}},
               static_cast<std::size_t>(first - whole.sampled.tokens().begin()) + 1,
               FinishReason::stop);
}

/// A context that grows by what was sampled and by given tokens, against a fresh model each time.
template <class MakeModel>
void check_growing_context(const MakeModel& make_model) {
  auto model = make_model();
  const SomeRequests requests(model.vocab_size());
  GenerationRequest request = requests[1];
  std::vector<Token> context(request.context.begin(), request.context.end());
  for (std::uint64_t turn = 0; turn < 3; ++turn) {
    request.context = context;
    request.random = RandomStream::from_seed(turn);
    const Generation grown = generate(model, request);
    auto fresh = make_model();
    INFO("law: what a sequence keeps does not change its results; turn " << turn);
    CHECK(same(grown, generate(fresh, request)));
    context.insert(context.end(), grown.sampled.tokens().begin(), grown.sampled.tokens().end());
    context.insert(context.end(), {2, 1, static_cast<Token>(turn)});
  }
  context.resize(request.context.size() - 2);  // a rewritten context is not a continuation
  context.front() = 2;
  request.context = context;
  auto fresh = make_model();
  CHECK(same(generate(model, request), generate(fresh, request)));
}

template <class MakeModel>
void check_reset(const MakeModel& make_model) {
  auto model = make_model();
  const SomeRequests requests(model.vocab_size());
  const StopRule several{.stop_tokens = {}, .max_new_tokens = 5, .stop_early = {}};
  std::size_t finished = 0;
  for (GenerationRequest request : requests.all()) {
    request.stop = &several;
    model.submit(request);
  }
  CHECK(model.advance([&](Generation&&) { ++finished; }) == requests.all().size());
  model.reset();
  INFO("law: reset abandons what is running, and unknown sequences may be released");
  CHECK(model.advance([&](Generation&&) { ++finished; }) == 0);
  CHECK(finished == 0);
  model.release(123456);
  auto fresh = make_model();
  CHECK(same(generate(model, requests[0]), generate(fresh, requests[0])));
}

/// Runs the requests until advance throws, resets, and checks that nothing of them is left.
template <class Model>
void check_nothing_left(Model& model, std::span<const GenerationRequest> requests,
                        const Generations& expected, bool receiver_throws) {
  bool thrown = false;
  try {
    for (const GenerationRequest& request : requests) model.submit(request);
    while (model.advance([&](Generation&&) {
      if (receiver_throws) throw Error("the receiver failed", "check_nothing_left");
    }) > 0) {
    }
  } catch (const Error&) {
    thrown = true;
  }
  INFO("law: after an exception reset leaves nothing of what was submitted before");
  CHECK(thrown);
  model.reset();
  std::size_t left = 0;
  CHECK(model.advance([&](Generation&&) { ++left; }) == 0);
  CHECK(left == 0);
  const SomeRequests again(model.vocab_size());
  const Generations results = generate(model, again.all());
  for (const auto& [sequence, result] : results) CHECK(same(result, expected.at(sequence)));
}

template <class MakeModel>
void check_reset_after_errors(const MakeModel& make_model) {
  auto model = make_model();
  const SomeRequests requests(model.vocab_size());
  auto fresh = make_model();
  const Generations expected = generate(fresh, requests.all());
  // All end in one advance; the first hand-over throws while the others wait for theirs.
  const StopRule one{.stop_tokens = {}, .max_new_tokens = 1, .stop_early = {}};
  const StopRule failing{.stop_tokens = {},
                         .max_new_tokens = 9,
                         .stop_early = [](std::span<const Token> said) -> bool {
                           if (said.size() < 3) return false;
                           throw Error("the stop rule failed", "check_reset_after_errors");
                         }};
  for (const bool receiver_throws : {true, false}) {
    std::vector<GenerationRequest> all(requests.all().begin(), requests.all().end());
    for (std::size_t i = 0; i < all.size(); ++i)
      all[i].stop = receiver_throws ? &one : i == 4 ? &failing : &requests.stop();
    check_nothing_left(model, all, expected, receiver_throws);
  }
}

/// The laws of `Sampler`.
template <class MakeModel>
void check_sampler_laws(const MakeModel& make_model) {
  static_assert(Sampler<std::remove_cvref_t<decltype(make_model())>>);
  auto model = make_model();
  REQUIRE(model.vocab_size() >= 4);
  REQUIRE(model.max_context_tokens() >= 64);
  check_determinism(make_model);
  check_late_arrivals(make_model);
  check_greedy(make_model);
  check_results(make_model);
  check_stop_rules(make_model);
  check_growing_context(make_model);
  check_reset(make_model);
  check_reset_after_errors(make_model);
}

}  // namespace dualagent::laws
