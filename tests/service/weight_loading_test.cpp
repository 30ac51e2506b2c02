#include "dualagent/service/weight_loading.hpp"

#include <algorithm>
#include <vector>

#include "dualagent/model/save_model.hpp"
#include "dualagent/model/scripted.hpp"
#include "support/catch.hpp"
#include "support/engine_double.hpp"
#include "support/error_of.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;
using engine_double::Served;

static_assert(detail::LoadsWeights<Transformer<float>>);
static_assert(!detail::LoadsWeights<ScriptedModel>);
struct OnDevice : Transformer<float> {
  struct Kernels {};
  Kernels loops() const { return {}; }
};
static_assert(!detail::LoadsWeights<OnDevice>);  // the host cannot write its parameters

TEST_CASE("weights are read without touching the model, and then written into it", "[service]") {
  const TemporaryFolder folder;
  Served served(folder / "served");
  Transformer<float> model = load_model<float>(folder / "served");
  const WeightVersion version = model.weight_version();
  const std::vector<float> before(model.parameters().begin(), model.parameters().end());
  served.learn();
  save_model(folder / "next", served.learner);
  const auto write = load_from_folder(model)(folder / "next");
  CHECK(std::ranges::equal(model.parameters(), before));
  CHECK(model.weight_version() == version);
  write(model);
  CHECK(std::ranges::equal(model.parameters(), served.learner.parameters()));
  CHECK(model.weight_version() == version + 1);
}

TEST_CASE("a folder of another model is refused, a shorter context is not", "[service]") {
  const TemporaryFolder folder;
  const Served served(folder / "served");
  TransformerConfig shorter = Served::config(), wider = shorter;
  shorter.max_position_embeddings = 32;
  wider.intermediate_size *= 2;
  Transformer<float> model(shorter), other(wider);
  load_from_folder(model)(folder / "served")(model);
  CHECK(std::ranges::equal(model.parameters(), served.learner.parameters()));
  CHECK_THAT(error_of([&] { load_from_folder(other)(folder / "served"); }),
             ContainsSubstring("of another shape"));
  CHECK_THAT(error_of([&] { load_from_folder(model)(folder / "nowhere"); }),
             ContainsSubstring("no such folder"));
}
