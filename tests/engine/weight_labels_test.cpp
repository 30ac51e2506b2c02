#include "dualagent/engine/weight_labels.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

namespace {
using Spans = std::vector<LabelSpan>;
using Versions = std::vector<WeightVersion>;
}  // namespace

TEST_CASE("each token gets the version that its label stands for", "[engine]") {
  WeightLabels labels("default");
  CHECK(labels.read(Spans{{"default", 0, 3}}, labels.newest()).versions == Versions{0, 0, 0});
  const std::size_t sent = labels.newest();
  labels.begin("4", 4);
  labels.end(Refit::proved);
  labels.begin("9", 9);
  labels.end(Refit::proved);
  CHECK(labels.proved_version() == 9);
  const LabelReading over = labels.read(Spans{{"default", 0, 1}, {"4", 1, 3}, {"9", 3, 4}}, sent);
  CHECK(over.standing == LabelStanding::good);
  CHECK(over.versions == Versions{0, 4, 4, 9});
  CHECK(labels.read(Spans{}, labels.newest()).standing == LabelStanding::good);
}

TEST_CASE("weights whose proof is under way are told apart, and forgotten if it fails",
          "[engine]") {
  WeightLabels labels("default");
  const std::size_t sent = labels.newest();
  labels.begin("1", 1);
  CHECK(labels.proved_version() == 0);
  CHECK(labels.read(Spans{{"default", 0, 2}}, sent).standing == LabelStanding::good);
  const Spans over{{"default", 0, 1}, {"1", 1, 2}};
  CHECK(labels.read(over, sent).standing == LabelStanding::unproved);
  labels.end(Refit::failed);
  CHECK(labels.read(over, sent).standing == LabelStanding::foreign);
  CHECK(labels.proved_version() == 0);
}

TEST_CASE("labels that nobody published, or that go back, are foreign", "[engine]") {
  WeightLabels labels("default");
  labels.begin("1", 1);
  labels.end(Refit::proved);
  const LabelReading unknown = labels.read(Spans{{"7", 0, 2}}, labels.newest());
  CHECK(unknown.standing == LabelStanding::foreign);
  CHECK_THAT(unknown.failure, ContainsSubstring("'7'"));
  CHECK(labels.read(Spans{{"default", 0, 2}}, labels.newest()).standing ==
        LabelStanding::foreign);  // it was restarted
  CHECK(labels.read(Spans{{"1", 0, 1}, {"default", 1, 2}}, labels.newest()).standing ==
        LabelStanding::foreign);
}

TEST_CASE("a first token of weights that came after the request was stamped late", "[engine]") {
  WeightLabels labels("default");
  const std::size_t sent = labels.newest();
  labels.begin("1", 1);
  labels.end(Refit::proved);
  const LabelReading late = labels.read(Spans{{"1", 0, 5}}, sent);
  CHECK(late.standing == LabelStanding::stamped_late);
  CHECK_THAT(late.failure, ContainsSubstring("stamped"));
}

TEST_CASE("where another process publishes, labels are versions, from one that is named on",
          "[engine]") {
  WeightLabels labels = WeightLabels::followed();
  const std::size_t first = labels.newest();
  CHECK(labels.read(Spans{{"0", 0, 1}, {"3", 1, 2}}, first).versions == Versions{0, 3});
  labels.follow(4);
  CHECK(labels.proved_version() == 4);
  CHECK(labels.read(Spans{{"4", 0, 2}, {"6", 2, 3}}, labels.newest()).versions ==
        Versions{4, 4, 6});
  CHECK(labels.read(Spans{{"3", 0, 2}}, first).standing == LabelStanding::good);  // sent before
  const LabelReading behind = labels.read(Spans{{"3", 0, 2}}, labels.newest());
  CHECK(behind.standing == LabelStanding::foreign);
  CHECK_THAT(behind.failure, ContainsSubstring("'3'") && ContainsSubstring("version 4 or later"));
  CHECK(labels.read(Spans{{"6", 0, 1}, {"5", 1, 2}}, labels.newest()).standing ==
        LabelStanding::foreign);
  CHECK(labels.read(Spans{{"default", 0, 1}}, first).standing == LabelStanding::foreign);
  labels.follow(2);
  CHECK(labels.proved_version() == 4);
}
