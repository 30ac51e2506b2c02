#include "dualagent/model/architecture.hpp"

#include <set>
#include <string>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("every role of a tensor has a name of its own", "[model][architecture]") {
  std::set<std::string> names;
  for (std::size_t role = 0; role <= static_cast<std::size_t>(TensorRole::value_head); ++role)
    names.insert(to_string(static_cast<TensorRole>(role)));
  CHECK(names.size() == static_cast<std::size_t>(TensorRole::value_head) + 1);
  CHECK(std::string(to_string(TensorRole::embedding)) == "embedding");
  CHECK(std::string(to_string(TensorRole::key_norm)) == "key norm");
  CHECK(std::string(to_string(TensorRole::down)) == "down");
  CHECK(std::string(to_string(TensorRole::value_head)) == "value head");
}
