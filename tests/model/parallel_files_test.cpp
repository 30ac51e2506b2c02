#include "dualagent/model/parallel_files.hpp"

#include <cstddef>
#include <string>
#include <vector>

#include "dualagent/collective/threads.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/split_models.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;
using namespace split_models;

TEST_CASE("a model on several ranks is saved as the directory of one, and read from it by parts",
          "[model][collective]") {
  TemporaryFolder folder;
  for (const Described& described : {descriptions()[0], descriptions()[2], descriptions()[3]}) {
    INFO(described.name);
    auto one = odd_model<float>(described.config, with_threads(1, 2));
    save_model(folder / "one", one);
    save_model(folder / "one_bf16", one, {.stored_as = DType::bf16, .max_shard_bytes = 3000});
    for (const std::size_t ranks : {2U, 4U}) {
      run_ranks(ranks, [&](ThreadCollective axis) {
        auto model = load_parallel_model(folder / "one", axis);
        save_model(folder / "several", model);
        auto rounded = load_parallel_model(folder / "one_bf16", axis);
        save_model(folder / "several_bf16", rounded,
                   {.stored_as = DType::bf16, .max_shard_bytes = 3000});
      });
      for (const char* const file : {"config.json", "model.safetensors"})
        CHECK(read_file(folder / "several" / file) == read_file(folder / "one" / file));
      auto again = load_model(folder / "several_bf16");
      auto expected = load_model(folder / "one_bf16");
      CHECK(std::ranges::equal(again.parameters(), expected.parameters()));
    }
  }
}

TEST_CASE("a rank whose disk lacks the model's files is an error on every rank",
          "[model][collective]") {
  TemporaryFolder folder;
  auto one = odd_model<float>(ragged_shape(true), with_threads(1, 2));
  save_model(folder / "one", one);
  ensure_directory(folder / "half");
  write_file_atomically(folder / "half" / "config.json", read_file(folder / "one" / "config.json"));
  std::vector<std::string> folders(2), weights(2);
  run_ranks(2, [&](ThreadCollective axis) {
    const auto load = [&](const std::string& bad) {
      return error_of(
          [&] { load_parallel_model(folder / (axis.rank() == 1 ? bad : "one"), axis); });
    };
    folders[axis.rank()] = load("none");
    weights[axis.rank()] = load("half");
  });
  for (const auto& errors : {folders, weights})
    CHECK(errors[0] == "rank 1 failed (rank 0 waited for it). See that rank's own error");
  CHECK_THAT(folders[1], ContainsSubstring("config.json"));
  CHECK_THAT(weights[1], ContainsSubstring("model.safetensors"));
}

TEST_CASE("files that do not fit, and a folder that is not a model's, are errors on every rank",
          "[model][collective]") {
  TemporaryFolder folder;
  auto one = odd_model<float>(ragged_shape(true), with_threads(1, 2));
  save_model(folder / "one", one);
  ensure_directory(folder / "photos");
  write_file_atomically(folder / "photos" / "cat.jpeg", "");
  TransformerConfig wider = ragged_shape(true);
  wider.hidden_size = 20;
  std::vector<std::string> loads(2), saves(2);
  run_ranks(2, [&](ThreadCollective axis) {
    ParallelTransformer model(wider, axis);
    loads[axis.rank()] = error_of([&] { load_weights(folder / "one", model); });
    saves[axis.rank()] = error_of([&] { save_model(folder / "photos", model); });
  });
  for (const std::string& error : loads)
    CHECK_THAT(error, ContainsSubstring("model.embed_tokens.weight has shape [29, 18], expected "
                                        "[29, 20]"));
  CHECK_THAT(saves[0], ContainsSubstring("cat.jpeg, which is not part of a saved model"));
  CHECK_THAT(saves[1], ContainsSubstring("rank 0 failed: ") && ContainsSubstring("cat.jpeg"));
}
