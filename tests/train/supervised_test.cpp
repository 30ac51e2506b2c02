#include "dualagent/train/supervised.hpp"

#include <cmath>
#include <vector>

#include "dualagent/collective/threads.hpp"
#include "support/bigram_model.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/temporary_folder.hpp"
#include "support/toy_protocol.hpp"

using namespace dualagent;

namespace {

Segment demonstration(int prompt, int answer) {
  Segment segment;
  segment.context.append(Provenance::prompt, std::vector<Token>{toy::bos, toy::digit(prompt)});
  segment.context.append(Provenance::demonstration,
                         std::vector<Token>{toy::answer, toy::digit(answer), toy::end});
  return segment;
}

}  // namespace

TEST_CASE("supervised steps make demonstrations likely", "[train]") {
  BigramModel model(toy::vocab);
  Segment demonstration;
  demonstration.context.append(Provenance::prompt, std::vector<Token>{toy::bos, toy::digit(1)});
  demonstration.context.append(Provenance::demonstration,
                               std::vector<Token>{toy::answer, toy::digit(5), toy::end});
  SupervisedTrainer trainer{model, {.optimizer = {.learning_rate = 0.2F}}};
  const SupervisedMetrics first = trainer.step(std::span(&demonstration, 1));
  CHECK(first.trained_tokens == 3);
  CHECK(first.loss == Approx(std::log(20.0)));  // uniform over 20 tokens
  CHECK(first.learning_rate == Approx(0.2));
  CHECK(first.update_tokens_per_second() * first.update_seconds == Approx(first.trained_positions));
  CHECK(trainer.step(std::span(&demonstration, 1), 0.5).learning_rate == Approx(0.1));
  SupervisedMetrics last;
  for (int step = 0; step < 50; ++step) last = trainer.step(std::span(&demonstration, 1));
  CHECK(last.loss < 0.05);
}

TEST_CASE("ranks that share the demonstrations take the step of one rank", "[train][collective]") {
  const std::vector<Segment> all{demonstration(1, 5), demonstration(2, 6), demonstration(3, 7),
                                 demonstration(4, 8), demonstration(5, 9)};
  BigramModel alone(toy::vocab);
  SupervisedTrainer trainer{alone, {.optimizer = {.learning_rate = 0.2}}};
  SupervisedMetrics expected;
  for (int step = 0; step < 3; ++step) expected = trainer.step(all);
  std::vector<BigramModel> models(2, BigramModel(toy::vocab));
  std::vector<SupervisedMetrics> metrics(2);
  run_ranks(2, [&](ThreadCollective collective) {
    const std::size_t rank = collective.rank();
    SupervisedTrainer ranked{models[rank], {.optimizer = {.learning_rate = 0.2}}, collective};
    const auto share = rank == 0 ? std::span(all).first(4) : std::span(all).subspan(4);
    for (int step = 0; step < 3; ++step) metrics[rank] = ranked.step(share);
  });
  for (const SupervisedMetrics& of_rank : metrics) {
    CHECK(of_rank.loss == Approx(expected.loss));
    CHECK(of_rank.trained_tokens == 15);
  }
  for (std::size_t i = 0; i < alone.parameters().size(); ++i)
    CHECK(models[1].parameters()[i] == Approx(alone.parameters()[i]).margin(1e-9));
}

TEST_CASE("a step without demonstrations is refused and changes nothing", "[train]") {
  BigramModel model(toy::vocab);
  Segment given;
  given.context.append(Provenance::prompt, std::vector<Token>{toy::bos, toy::digit(1)});
  SupervisedTrainer trainer{model};
  CHECK_THROWS_WITH(trainer.step(std::span(&given, 1)), ContainsSubstring("demonstration"));
  CHECK_THROWS_WITH(trainer.step({}), ContainsSubstring("demonstration"));
  CHECK(model.weight_version() == 0);
}

TEST_CASE("a saved warm start goes on bit for bit", "[train]") {
  const Segment segment = demonstration(1, 5);
  TemporaryFolder folder;
  BigramModel straight(toy::vocab);
  SupervisedTrainer trainer{straight};
  for (int step = 0; step < 4; ++step) {
    trainer.step(std::span(&segment, 1), 0.5);
    if (step != 1) continue;
    Checkpoint checkpoint{.step = 2};
    trainer.save(checkpoint);
    write_checkpoint(folder.path(), checkpoint);
  }
  BigramModel again(toy::vocab);
  SupervisedTrainer resumed{again};
  resumed.load(*latest_checkpoint(folder.path(), {}).checkpoint);
  for (int step = 2; step < 4; ++step) resumed.step(std::span(&segment, 1), 0.5);
  CHECK(std::equal(straight.parameters().begin(), straight.parameters().end(),
                   again.parameters().begin()));
}

TEST_CASE("two warm starts share a checkpoint under names of their own", "[train]") {
  BigramModel one(toy::vocab), two(toy::vocab);
  SupervisedTrainer first{one}, second{two};
  Checkpoint checkpoint;
  first.save(checkpoint, "answerer");
  CHECK_THROWS_WITH(second.save(checkpoint, "answerer"),
                    ContainsSubstring("\"answerer.weights\" already"));
  second.save(checkpoint, "summarizer");
  CHECK(checkpoint.arrays.size() == 6);
}
