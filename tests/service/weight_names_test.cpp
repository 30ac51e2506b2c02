#include "dualagent/service/weight_names.hpp"

#include <string>
#include <vector>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("tokens are labelled with the weights that sampled them", "[service]") {
  WeightNames names(0, "default");
  CHECK(names.newest() == "default");
  names.add(1, "one", 0);
  names.add(2, "two", 0);
  CHECK(names.newest() == "two");
  CHECK(names.newest_version() == 2);
  const auto shown = [&](const std::vector<WeightVersion>& versions) {
    std::string text;
    for (const LabelSpan& span : names.spans(versions))
      text += span.label + " " + std::to_string(span.begin) + "-" + std::to_string(span.end) + " ";
    return text;
  };
  CHECK(shown({0, 0, 1, 2, 2}) == "default 0-2 one 2-3 two 3-5 ");
  CHECK(shown({}).empty());
  CHECK(shown({9}) == "9 0-1 ");  // nobody named it
  names.add(3, "three", 2);
  CHECK(shown({1, 2, 3}) == "1 0-1 two 1-2 three 2-3 ");
  names.add(1, "of a learner", 1);  // which counts for itself
  CHECK(names.newest() == "of a learner");
  CHECK(names.newest_version() == 1);
  CHECK(shown({1, 3}) == "of a learner 0-1 three 1-2 ");
}
