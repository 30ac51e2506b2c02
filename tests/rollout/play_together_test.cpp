#include "dualagent/rollout/play_together.hpp"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "dualagent/collective/threads.hpp"
#include "dualagent/model/parallel_transformer.hpp"
#include "support/bigram_model.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/ragged_rows.hpp"

using namespace dualagent;

namespace {

using Split = ParallelTransformer<ThreadCollective>;
static_assert(samples_on_model_axis<SharedWeights<Split>>());
static_assert(samples_on_model_axis<SeparateWeights<BigramModel, Split>>());
static_assert(!samples_on_model_axis<SharedWeights<BigramModel>>());

/// A rollout that says what the model continues the context with.
template <class Model>
std::vector<Rollout> say(Model& model, const std::vector<Token>& context) {
  const StopRule stop{.max_new_tokens = 7};
  model.submit({.sequence = 3, .context = context, .stop = &stop, .random = {}});
  std::vector<Rollout> rollouts(1);
  rollouts[0].segments.emplace_back();
  while (model.advance([&](Generation&& done) {
    rollouts[0].segments[0].context.append(Provenance::prompt, context);
    rollouts[0].segments[0].context.append(std::move(done.sampled));
  }) > 0) {
  }
  return rollouts;
}

}  // namespace

TEST_CASE("of models on several ranks rank 0 plays and all get its rollouts",
          "[rollout][collective]") {
  const std::vector<Token> context{1, 5, 2, 8};
  Transformer<float> one(ragged_shape(true), with_threads(1, 2, 3));
  Transformer<float> two(ragged_shape(true), with_threads(1, 2, 4));
  const std::vector<Rollout> first = say(one, context), second = say(two, context);
  std::vector<int> played(3);
  std::vector<std::vector<Rollout>> got(3);
  std::vector<std::string> errors(3);
  run_ranks(3, [&](ThreadCollective axis) {
    const std::size_t rank = axis.rank();
    Split answerer(ragged_shape(true), axis, with_threads(1, 2, 3));
    Split summarizer(ragged_shape(true), axis, with_threads(1, 2, 4));
    const SeparateWeights pairing{answerer, summarizer};
    got[rank] = play_together(pairing, {}, [&] {
      ++played[rank];
      std::vector<Rollout> both = say(answerer, context);
      both.push_back(say(summarizer, context)[0]);
      return both;
    });
    errors[rank] = error_of([&] {
      play_together(pairing, {}, [&]() -> std::vector<Rollout> {
        say(answerer, context);
        throw Error("the dialect is lost", "a turn");
      });
    });
    // Afterwards every rank calls its samplers by itself again.
    got[rank].push_back(say(summarizer, context)[0]);
  });
  CHECK(played == std::vector<int>{1, 0, 0});
  const auto tokens = [](const Rollout& rollout) {
    const auto all = rollout.segments[0].context.tokens();
    return std::vector<Token>(all.begin(), all.end());
  };
  for (const std::vector<Rollout>& rollouts : got) {
    REQUIRE(rollouts.size() == 3);
    CHECK(tokens(rollouts[0]) == tokens(first[0]));
    CHECK(tokens(rollouts[1]) == tokens(second[0]));
    CHECK(tokens(rollouts[2]) == tokens(second[0]));
  }
  CHECK(errors[0] == "the dialect is lost (a turn)");
  for (const std::size_t rank : {1U, 2U})
    CHECK_THAT(errors[rank], ContainsSubstring("rank 0 failed: the dialect is lost"));
}

TEST_CASE("where a sampler throws on every rank, rank 0 says why and all go on playing",
          "[rollout][collective]") {
  const std::vector<Token> context{1, 5, 2, 8};
  std::vector<std::string> errors(2);
  std::vector<std::size_t> got(2);
  run_ranks(2, [&](ThreadCollective axis) {
    Split model(ragged_shape(true), axis, with_threads(1, 2, 3));
    const std::vector<float> good(model.parameters().begin(), model.parameters().end());
    std::ranges::fill(model.parameters(), std::numeric_limits<float>::quiet_NaN());
    model.weights_changed();
    const SharedWeights pairing{model};
    errors[axis.rank()] =
        error_of([&] { play_together(pairing, {}, [&] { return say(model, context); }); });
    std::ranges::copy(good, model.parameters().begin());
    model.weights_changed();
    got[axis.rank()] = play_together(pairing, {}, [&] { return say(model, context); }).size();
  });
  CHECK_THAT(errors[0], ContainsSubstring("nan"));
  CHECK_THAT(errors[1], ContainsSubstring("rank 0 failed: " + errors[0]));
  CHECK(got == std::vector<std::size_t>{1, 1});
}

TEST_CASE("a stop rule that throws in a sampling step is an error on all ranks, which play on",
          "[rollout][collective]") {
  const std::vector<Token> context{1, 5, 2, 8};
  const StopRule angry{{}, 7, [](std::span<const Token> said) -> bool {
                         if (said.size() == 2) throw Error("no second word", "a stop rule");
                         return false;
                       }};
  std::vector<std::string> errors(3);
  std::vector<std::size_t> got(3);
  run_ranks(3, [&](ThreadCollective axis) {
    Split model(ragged_shape(true), axis, with_threads(1, 2, 3));
    const SharedWeights pairing{model};
    errors[axis.rank()] = error_of([&] {
      play_together(pairing, {}, [&] {
        model.submit({.sequence = 3, .context = context, .stop = &angry, .random = {}});
        while (model.advance([](Generation&&) {}) > 0) {
        }
        return std::vector<Rollout>(1);
      });
    });
    got[axis.rank()] = play_together(pairing, {}, [&] { return say(model, context); }).size();
  });
  CHECK(errors[0] == "no second word (a stop rule)");
  for (const std::size_t rank : {1U, 2U})
    CHECK_THAT(errors[rank], ContainsSubstring("rank 0 failed: no second word"));
  CHECK(got == std::vector<std::size_t>(3, 1));
}

TEST_CASE("two models on two axes are refused on all ranks before anything is played",
          "[rollout][collective]") {
  std::vector<std::string> errors(4);
  run_ranks(MeshShape{.data = 2, .model = 2}, [&](ThreadCollective data, ThreadCollective axis) {
    Split answerer(ragged_shape(true), axis), summarizer(ragged_shape(true), data);
    errors[2 * data.rank() + axis.rank()] = error_of([&] {
      play_together(SeparateWeights{answerer, summarizer}, {},
                    [] { return std::vector<Rollout>(1); });
    });
  });
  for (const std::string& text : errors)
    CHECK_THAT(text, ContainsSubstring("two models lie on two axes") &&
                         ContainsSubstring("Give mesh.model_axis() to both"));
}

TEST_CASE("ranks that are to play different rollouts are refused before anything is played",
          "[rollout][collective]") {
  const std::vector<Task> tasks{{.id = "a", .prompt = "1"}, {.id = "b", .prompt = "1"}};
  std::vector<std::vector<std::string>> errors(2);
  std::atomic<int> played = 0;
  run_ranks(2, [&](ThreadCollective axis) {
    Split model(ragged_shape(true), axis);
    const auto error = [&](const std::vector<RolloutStart>& starts) {
      errors[axis.rank()].push_back(error_of([&] {
        play_together(SharedWeights{model}, starts, [&] {
          ++played;
          return std::vector<Rollout>(starts.size());
        });
      }));
    };
    const std::size_t rank = axis.rank();
    error({{&tasks[rank], 0, 0}});                                        // other tasks
    error({{&tasks[0], rank, 0}});                                        // other groups
    error(std::vector<RolloutStart>(1 + rank, RolloutStart{&tasks[0]}));  // another group size
    error({{&tasks[0], 0, 0}});
  });
  for (std::size_t i = 0; i < 3; ++i)
    for (const auto& of_rank : errors)
      CHECK_THAT(of_rank[i],
                 ContainsSubstring(
                     "ranks 0 and 1 of the model axis were given different rollouts to play"));
  CHECK(errors[0][3] == "no error");
  CHECK(errors[1][3] == "no error");
  CHECK(played == 1);
}

TEST_CASE("any other pair plays by itself", "[rollout]") {
  BigramModel model(5);
  CHECK(play_together(SharedWeights{model}, {}, [] { return std::vector<Rollout>(2); }).size() ==
        2);
}
