#include "dualagent/train/update_strategy.hpp"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "dualagent/collective/threads.hpp"
#include "dualagent/model/transformer.hpp"
#include "dualagent/train/trainer.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/guessing_pair.hpp"
#include "support/odd_shape.hpp"
#include "support/temporary_folder.hpp"
#include "support/wait_for.hpp"

using namespace dualagent;
using guessing::five_tasks;

namespace {

/// A bigram model that reports its gradients: `report(model, ready)` runs when they are final, and
/// is still part of backward.
struct ReportingModel : BigramModel {
  using Ready = std::function<void(std::size_t, std::size_t)>;
  std::function<void(ReportingModel&, const Ready&)> report;

  template <class Objective>
  void backward(const BatchColumns& batch, const Objective& objective,
                const OutputColumns& outputs) {
    BigramModel::backward(batch, objective, outputs);
  }
  template <class Objective>
  void backward(const BatchColumns& batch, const Objective& objective, const OutputColumns& outputs,
                const Ready& ready) {
    BigramModel::backward(batch, objective, outputs);
    report(*this, ready);
  }
};

/// Reports parts of `step` elements, from the end.
auto parts_of(std::size_t step) {
  return [step](ReportingModel& model, const ReportingModel::Ready& ready) {
    for (std::size_t end = model.gradients().size(); end > 0; end -= std::min(end, step))
      ready(end - std::min(end, step), end);
  };
}

/// A thread collective that cannot start sums.
struct Blocking {
  ThreadCollective threads;
  std::size_t rank() const { return threads.rank(); }
  std::size_t size() const { return threads.size(); }
  template <class T>
  void all_reduce_sum(std::span<T> values) {
    threads.all_reduce_sum(values);
  }
  template <class T>
  void reduce_scatter_sum(std::span<T> values) {
    threads.reduce_scatter_sum(values);
  }
  template <class T>
  void all_gather(std::span<T> values) {
    threads.all_gather(values);
  }
  template <class T>
  void broadcast(std::span<T> values, std::size_t root) {
    threads.broadcast(values, root);
  }
};

/// A thread collective that notes which parts of `array` it sums or starts to sum.
struct Recording : ThreadCollective {
  const double* array = nullptr;
  std::vector<std::string>* events = nullptr;

  void note(const std::string& what, std::span<double> part) {
    const auto begin = static_cast<std::size_t>(part.data() - array);
    events->push_back(what + " " + std::to_string(begin) + ".." +
                      std::to_string(begin + part.size()));
  }
  auto start_all_reduce_sum(std::span<double> part) {
    note("start", part);
    return ThreadCollective::start_all_reduce_sum(part);
  }
  auto start_reduce_sum(std::span<double> part, std::size_t root) {
    note("for " + std::to_string(root), part);
    return ThreadCollective::start_reduce_sum(part, root);
  }
};

/// The bigram model is in double, in which the norm of several ranks may round otherwise: no clip.
template <class Model, class C>
auto make_trainer(Model& model, C collective) {
  return Trainer{SharedWeights{model},
                 guessing::protocol(),
                 ExactMatch{},
                 Recipe{Dapo{}},
                 collective,
                 {.group_size = 4,
                  .update = {.optimizer = {.learning_rate = 0.05, .weight_decay = 0.1},
                             .max_gradient_norm = 1e9,
                             .bucket_elements = 50},
                  .seed = 8}};
}

/// Weights of all ranks after three steps of models like `untrained`; `wrap` makes the trainer's
/// collective.
template <class Model, class Wrap>
std::vector<std::vector<double>> train(std::size_t ranks, const Model& untrained, Wrap wrap) {
  std::vector<Model> models(ranks, untrained);
  run_ranks(ranks, [&](ThreadCollective collective) {
    auto trainer = make_trainer(models[collective.rank()], wrap(collective));
    for (int step = 0; step < 3; ++step) trainer.step(five_tasks(20));
  });
  std::vector<std::vector<double>> weights;
  for (BigramModel& model : models) weights.push_back(guessing::weights(model));
  return weights;
}

const auto replicated = [](ThreadCollective collective) { return collective; };
const auto sharded = [](ThreadCollective collective) { return Sharded{collective}; };
const auto blocking = [](ThreadCollective collective) { return Blocking{collective}; };
const auto blocking_sharded = [](ThreadCollective collective) {
  return Sharded{Blocking{collective}};
};

constexpr auto cross_entropy = [](const loops::TokenColumns&, std::size_t,
                                  const TokenPrediction& now) {
  return TokenLossGradient{-now.log_prob, -1.0, 0.0};
};

/// Weights of all ranks after three updates of models that `make_model` makes, for 37 tokens.
template <class MakeModel, class Wrap>
std::vector<std::vector<double>> train_rows(std::size_t ranks, const MakeModel& make_model,
                                            const UpdateOptions& options, Wrap wrap) {
  std::vector<std::vector<double>> weights(ranks);
  run_ranks(ranks, [&](ThreadCollective threads) {
    auto model = make_model();
    auto across = wrap(threads);
    WeightUpdater updater(model, options, across);
    TokenOutputs outputs;
    for (std::size_t step = 0; step < 3; ++step) {
      PackedBatch batch;  // rank 3 has none
      for (std::size_t r = threads.rank(); r < 3; ++r) {
        batch.append_row(std::vector<Token>{1, static_cast<Token>(2 + step + r), 7, 5});
        batch.loss_weight.back() = 0.5F;
      }
      updater.update(batch, cross_entropy, outputs, across);
    }
    weights[threads.rank()].assign(model.parameters().begin(), model.parameters().end());
  });
  return weights;
}

/// One row [0, 1] in which token 1 is trained.
PackedBatch one_token() {
  PackedBatch batch;
  batch.append_row(std::vector<Token>{0, 1});
  batch.loss_weight[1] = 1.0F;
  return batch;
}

}  // namespace

TEST_CASE("sharded updates have the bits of replicated ones, on 1 to 4 ranks",
          "[train][collective]") {
  BigramModel untrained = guessing::model();
  for (std::size_t ranks = 1; ranks <= 4; ++ranks) {
    const auto expected = train(ranks, untrained, replicated);
    CHECK(expected[0] != guessing::weights(untrained));
    CHECK(train(ranks, untrained, sharded) == expected);
    CHECK(train(ranks, ReportingModel{untrained, parts_of(37)}, sharded) == expected);
  }
}

TEST_CASE("sums that travel while backward runs have the bits of sums after it, on 1 to 4 ranks",
          "[train][collective]") {
  const auto never = [](ReportingModel&, const auto&) {};
  const UpdateOptions options{.max_gradient_norm = 1e9, .bucket_elements = 50};  // in double
  const auto silent = [] { return BigramModel(37); };
  const auto reporting = [](auto report) {
    return [report] { return ReportingModel{BigramModel(37), report}; };
  };
  for (std::size_t ranks = 1; ranks <= 4; ++ranks) {
    const auto expected = train_rows(ranks, silent, options, blocking);
    CHECK(train_rows(ranks, silent, options, replicated) == expected);
    CHECK(train_rows(ranks, silent, options, blocking_sharded) == expected);
    for (const std::size_t step : {1U, 37U, 2000U}) {
      CHECK(train_rows(ranks, reporting(parts_of(step)), options, replicated) == expected);
      CHECK(train_rows(ranks, reporting(parts_of(step)), options, sharded) == expected);
    }
    CHECK(train_rows(ranks, reporting(never), options, sharded) == expected);
  }
}

TEST_CASE("a transformer that reports layer by layer trains to the same bits, on 1 to 4 ranks",
          "[train][collective]") {
  const auto model = [] { return Transformer<float>(odd_shape(), {.seed = 3}); };
  const UpdateOptions options{.max_gradient_norm = 0.1, .bucket_elements = 500};
  for (std::size_t ranks = 1; ranks <= 4; ++ranks) {
    const auto expected = train_rows(ranks, model, options, blocking);
    CHECK(train_rows(ranks, model, options, replicated) == expected);
    CHECK(train_rows(ranks, model, options, sharded) == expected);
    for (const auto& weights : expected) CHECK(weights == expected[0]);
  }
}

TEST_CASE("buckets start while backward runs, from the end, each for its owner",
          "[train][collective]") {
  // 9 parameters on 2 ranks: shards [0, 4) and [4, 9), in buckets of 3.
  const auto events_of = [](auto wrap) {
    std::vector<std::string> events;  // of rank 1
    std::vector<ReportingModel> models(2, ReportingModel{BigramModel(3), {}});
    run_ranks(2, [&](ThreadCollective threads) {
      ReportingModel& model = models[threads.rank()];
      std::vector<std::string> own;
      model.report = [&](ReportingModel&, const ReportingModel::Ready& ready) {
        ready(6, 9);
        own.push_back("next layer");
        ready(2, 6);
        own.push_back("end of backward");
      };
      auto across = wrap(Recording{threads, model.gradients().data(), &own});
      WeightUpdater updater(model, {.bucket_elements = 3}, across);
      TokenOutputs outputs;
      updater.update(one_token(), cross_entropy, outputs, across);
      if (threads.rank() == 1) events = own;
    });
    return events;
  };
  CHECK(events_of([](Recording recording) { return recording; }) ==
        std::vector<std::string>{"start 6..9", "next layer", "start 3..6", "end of backward",
                                 "start 0..3"});
  CHECK(events_of([](Recording recording) { return Sharded{recording}; }) ==
        std::vector<std::string>{"for 1 7..9", "next layer", "for 1 4..7", "for 0 3..4",
                                 "end of backward", "for 0 0..3"});
}

TEST_CASE("a sum is there before backward ends", "[train][collective]") {
  Together reported(2);
  std::vector<double> before(2), during(2);
  std::vector<ReportingModel> models(2, ReportingModel{BigramModel(3), {}});
  run_ranks(2, [&](ThreadCollective threads) {
    Sharded across{threads};
    ReportingModel& model = models[threads.rank()];
    model.report = [&](ReportingModel& self, const ReportingModel::Ready& ready) {
      before[threads.rank()] = self.gradients()[4];
      ready(4, 9);
      if (!reported.arrive_and_wait()) throw std::runtime_error("a rank has reported nothing");
      during[threads.rank()] = self.gradients()[4];
      ready(0, 4);
    };
    PackedBatch batch;  // after token 1 comes 1: elements 3 to 5
    batch.append_row(std::vector<Token>{1, 1});
    batch.loss_weight[1] = static_cast<float>(threads.rank() + 1);
    WeightUpdater updater(model, UpdateOptions{}, across);
    TokenOutputs outputs;
    updater.update(batch, cross_entropy, outputs, across);
  });
  // -log softmax at 0 has the derivative 1/3 - 1; rank 1 weighs it twice and owns the element.
  CHECK(before[0] == Approx(-2.0 / 3));
  CHECK(before[1] == Approx(-4.0 / 3));
  CHECK(during[0] == before[0]);
  CHECK(during[1] == Approx(-2.0));
}

TEST_CASE("ranks that add up their squares find the norm that one rank finds",
          "[train][collective]") {
  const RandomStream random = RandomStream::from_seed(3);
  std::vector<float> gradients;
  for (std::size_t i = 0; i < 1003; ++i) gradients.push_back(static_cast<float>(random.normal(i)));
  cpu::Loops host;
  const double expected = global_norm(host, gradients);
  for (std::size_t ranks = 1; ranks <= 4; ++ranks)
    run_ranks(ranks, [&](ThreadCollective collective) {
      std::vector<float> mine = gradients;  // a rank knows its own shard
      const Shard shard = shard_of(mine.size(), collective.rank(), ranks);
      for (std::size_t i = 0; i < mine.size(); ++i)
        if (i < shard.begin || i >= shard.end) mine[i] = 1e9F;
      cpu::Loops machine;
      const double norm =
          detail::ShardedUpdate::norm(collective, machine, std::span<const float>(mine));
      if (norm != expected) throw Error("another norm", "rank " + std::to_string(ranks));
    });
}

TEST_CASE("a rank keeps the moments of its shard alone", "[train][collective]") {
  // 3 x 3 logits: 9 parameters on 4 ranks are shards of 2, 2, 2 and 3.
  std::vector<BigramModel> models(4, BigramModel(3));
  std::vector<std::vector<double>> first(4);
  std::vector<std::size_t> second_sizes(4);
  run_ranks(4, [&](ThreadCollective collective) {
    Sharded across{collective};
    WeightUpdater updater(models[collective.rank()],
                          {.optimizer = {.learning_rate = 0.1}, .max_gradient_norm = 1e9}, across);
    TokenOutputs outputs;
    updater.update(one_token(), cross_entropy, outputs, across);
    first[collective.rank()].assign(updater.state().first.begin(), updater.state().first.end());
    second_sizes[collective.rank()] = updater.state().second.size();
  });
  // The sum of four ranks' gradients of -log softmax at 0: 4 * (1/3, -2/3, 1/3), then zeros; the
  // first mean is 0.1 of it.
  const std::vector<std::vector<double>> expected{
      {0.4 / 3, -0.8 / 3}, {0.4 / 3, 0.0}, {0.0, 0.0}, {0.0, 0.0, 0.0}};
  for (std::size_t rank = 0; rank < 4; ++rank) {
    REQUIRE(first[rank].size() == expected[rank].size());
    CHECK(second_sizes[rank] == expected[rank].size());
    for (std::size_t i = 0; i < first[rank].size(); ++i)
      CHECK(first[rank][i] == Approx(expected[rank][i]).margin(1e-12));
  }
}

TEST_CASE("a rank holds whole weights and gradients and its share of the moments",
          "[train][collective]") {
  // Embedding 37 x 22; layers of 2 norms of 22, 36 + 12 + 12 rows for attention and 36 columns
  // back, 3 x 27 for the feed-forward part, all times 22; final norm.
  const std::size_t parameters = 37 * 22 + 3 * 22 * (2 + 36 + 12 + 12 + 36 + 3 * 27) + 22;
  REQUIRE(parameters == 12650);
  const auto numbers = [](std::size_t ranks, auto wrap) {
    std::vector<std::vector<std::size_t>> held(ranks);  // weights, gradients, moments
    run_ranks(ranks, [&](ThreadCollective threads) {
      Transformer<float> model(odd_shape());
      auto across = wrap(threads);
      const WeightUpdater updater(model, UpdateOptions{}, across);
      std::size_t moments = 0;
      updater.state().for_each([&](auto&&, const auto& array) { moments += array.size(); });
      held[threads.rank()] = {model.parameters().size(), model.gradients().size(), moments};
    });
    return held;
  };
  using Held = std::vector<std::vector<std::size_t>>;
  const std::size_t p = parameters;
  CHECK(numbers(4, replicated) == Held(4, {p, p, 2 * p}));
  CHECK(numbers(1, sharded) == Held{{p, p, 25300}});
  CHECK(numbers(2, sharded) == Held(2, {p, p, 12650}));
  CHECK(numbers(3, sharded) == Held{{p, p, 8432}, {p, p, 8434}, {p, p, 8434}});
  CHECK(numbers(4, sharded) == Held{{p, p, 6324}, {p, p, 6326}, {p, p, 6324}, {p, p, 6326}});
}

TEST_CASE("a checkpoint of sharded moments is that of replicated ones, for any number of ranks",
          "[train][collective]") {
  const auto run = [](std::size_t ranks, auto wrap, const std::filesystem::path& from,
                      const std::filesystem::path& to) {
    std::vector<BigramModel> models(ranks, guessing::model());
    run_ranks(ranks, [&](ThreadCollective collective) {
      auto trainer = make_trainer(models[collective.rank()], wrap(collective));
      if (!from.empty()) trainer.load(*latest_checkpoint(from, {}).checkpoint);
      trainer.step(five_tasks(20));
      Checkpoint checkpoint{.step = trainer.steps_done()};
      trainer.save(checkpoint);
      if (collective.rank() == 0) write_checkpoint(to, checkpoint);
      collective.broadcast(std::span<double>(), 0);  // nobody ends before it is written
    });
    return latest_checkpoint(to, {}).checkpoint->values<double>("model0.second_moment");
  };
  TemporaryFolder folder;
  const auto first = run(3, sharded, "", folder / "sharded");
  CHECK(first == run(3, replicated, "", folder / "replicated"));
  CHECK(run(2, replicated, folder / "sharded", folder / "a") ==
        run(2, sharded, folder / "replicated", folder / "b"));
}

TEST_CASE("a gradient that is not finite stops all ranks before any weight changes",
          "[train][collective]") {
  std::vector<BigramModel> models(2, BigramModel(3));
  std::vector<std::string> errors(2);
  run_ranks(2, [&](ThreadCollective collective) {
    Sharded across{collective};
    WeightUpdater updater(models[collective.rank()], UpdateOptions{}, across);
    TokenOutputs outputs;
    const auto loss = [](const loops::TokenColumns&, std::size_t, const TokenPrediction&) {
      return TokenLossGradient{0.0, std::numeric_limits<double>::quiet_NaN(), 0.0};
    };
    errors[collective.rank()] =
        error_of([&] { updater.update(one_token(), loss, outputs, across); });
  });
  CHECK_THAT(errors[0], ContainsSubstring("element 0 of logits"));
  CHECK_THAT(errors[1], ContainsSubstring("another rank's shard"));
  for (BigramModel& model : models) CHECK(guessing::weights(model) == std::vector<double>(9, 0.0));
}
