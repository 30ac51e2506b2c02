#include "dualagent/collective/launch_environment.hpp"

#include <map>

#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {

EnvironmentLookup variables(const std::map<std::string, std::string>& set) {
  return [set](const char* name) {
    const auto found = set.find(name);
    return found == set.end() ? nullptr : found->second.c_str();
  };
}

}  // namespace

TEST_CASE("torchrun's variables are read", "[collective]") {
  const LaunchedRank me = rank_from_environment(variables({{"RANK", "5"},
                                                           {"WORLD_SIZE", "8"},
                                                           {"LOCAL_RANK", "1"},
                                                           {"MASTER_ADDR", "node7"},
                                                           {"MASTER_PORT", "29500"},
                                                           {"SLURM_PROCID", "0"}}));
  CHECK(me.rank == 5);
  CHECK(me.size == 8);
  CHECK(me.local_rank == 1);
  CHECK(me.address == "node7");
  CHECK(me.port == 29501);
}

TEST_CASE("srun's variables are read", "[collective]") {
  std::map<std::string, std::string> set{{"SLURM_PROCID", "2"},
                                         {"SLURM_NTASKS", "3"},
                                         {"SLURM_LOCALID", "0"},
                                         {"SLURM_LAUNCH_NODE_IPADDR", "10.0.0.9"}};
  const LaunchedRank me = rank_from_environment(variables(set));
  CHECK(me.rank == 2);
  CHECK(me.size == 3);
  CHECK(me.address == "10.0.0.9");
  CHECK(me.port == 0);
  set["MASTER_ADDR"] = "node1";
  CHECK(rank_from_environment(variables(set)).address == "node1");
}

TEST_CASE("a variable that is missing or wrong is named", "[collective]") {
  const auto error = [](const std::map<std::string, std::string>& set) {
    return error_of([&] { rank_from_environment(variables(set)); });
  };
  CHECK_THAT(error({}), ContainsSubstring("torchrun") && ContainsSubstring("srun"));
  CHECK_THAT(error({{"RANK", "0"}}), ContainsSubstring("WORLD_SIZE is not set"));
  CHECK_THAT(error({{"RANK", "0"}, {"WORLD_SIZE", "2"}}), ContainsSubstring("LOCAL_RANK"));
  CHECK_THAT(error({{"RANK", "-1"}, {"WORLD_SIZE", "2"}, {"LOCAL_RANK", "0"}}),
             ContainsSubstring("RANK is '-1'"));
  CHECK_THAT(error({{"RANK", "2"}, {"WORLD_SIZE", "2"}, {"LOCAL_RANK", "0"}}),
             ContainsSubstring("rank 2 (RANK)") && ContainsSubstring("WORLD_SIZE"));
  CHECK_THAT(error({{"MASTER_PORT", "65535"}}), ContainsSubstring("MASTER_PORT"));
  CHECK_THAT(error({{"MASTER_PORT", "http"}}), ContainsSubstring("MASTER_PORT is 'http'"));
}
