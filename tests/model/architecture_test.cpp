#include "dualagent/model/architecture.hpp"

#include <cstddef>
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

TEST_CASE("hidden matrices are those of attention and feed-forward", "[model][architecture]") {
  using enum TensorRole;
  std::size_t hidden = 0;
  for (std::size_t role = 0; role <= static_cast<std::size_t>(value_head); ++role)
    hidden += is_hidden_matrix({"tensor", {2, 3}, 0, 6, static_cast<TensorRole>(role)}) ? 1 : 0;
  CHECK(hidden == 7);  // q, k, v, o, gate, up, down
  CHECK(is_hidden_matrix({"down", {2, 3}, 0, 6, down}));
  CHECK_FALSE(is_hidden_matrix({"down", {6}, 0, 6, down}));
  CHECK_FALSE(is_hidden_matrix({"head", {2, 3}, 0, 6, head}));
  CHECK_FALSE(is_hidden_matrix({"of a user's own model", {2, 3}, 0, 6}));
}
