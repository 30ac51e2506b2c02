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
  CHECK_THAT(error({}), ContainsSubstring("torchrun") && ContainsSubstring("srun") &&
                            ContainsSubstring("mpirun") && ContainsSubstring("launch_ranks"));
  CHECK_THAT(error({{"RANK", "0"}}), ContainsSubstring("WORLD_SIZE is not set"));
  CHECK_THAT(error({{"RANK", "0"}, {"WORLD_SIZE", "2"}}), ContainsSubstring("LOCAL_RANK"));
  CHECK_THAT(error({{"RANK", "-1"}, {"WORLD_SIZE", "2"}, {"LOCAL_RANK", "0"}}),
             ContainsSubstring("RANK is '-1'"));
  CHECK_THAT(error({{"RANK", "2"}, {"WORLD_SIZE", "2"}, {"LOCAL_RANK", "0"}}),
             ContainsSubstring("RANK is 2, WORLD_SIZE is 2"));
  CHECK_THAT(error({{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"LOCAL_RANK", "2"}}),
             ContainsSubstring("LOCAL_RANK is 2, WORLD_SIZE is 2"));
  CHECK_THAT(
      error({{"RANK", "0"}, {"WORLD_SIZE", "4"}, {"LOCAL_RANK", "2"}, {"LOCAL_WORLD_SIZE", "2"}}),
      ContainsSubstring("LOCAL_RANK is 2, LOCAL_WORLD_SIZE is 2"));
  CHECK_THAT(
      error({{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"LOCAL_RANK", "0"}, {"LOCAL_WORLD_SIZE", "3"}}),
      ContainsSubstring("LOCAL_WORLD_SIZE is 3, WORLD_SIZE is 2"));
  CHECK_THAT(error({{"OMPI_COMM_WORLD_SIZE", "2"}}),
             ContainsSubstring("OMPI_COMM_WORLD_RANK is not set"));
  CHECK_THAT(error({{"PMI_RANK", "x"}}), ContainsSubstring("PMI_RANK is 'x'"));
  CHECK_THAT(error({{"MASTER_PORT", "65535"}}), ContainsSubstring("MASTER_PORT"));
  CHECK_THAT(error({{"MASTER_PORT", "http"}}), ContainsSubstring("MASTER_PORT is 'http'"));
}

TEST_CASE("mpirun's variables are read, Open MPI's and MPICH's", "[collective]") {
  const std::map<std::string, std::string> open_mpi{{"OMPI_COMM_WORLD_RANK", "3"},
                                                    {"OMPI_COMM_WORLD_SIZE", "6"},
                                                    {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                                                    {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"},
                                                    {"OMPI_MCA_ess_base_jobid", "1332019201"},
                                                    {"SLURM_PROCID", "0"}};
  LaunchedRank me = rank_from_environment(variables(open_mpi));
  CHECK(me.rank == 3);
  CHECK(me.size == 6);
  CHECK(me.local_rank == 1);
  CHECK(me.local_size == 2);
  CHECK(me.run == "1332019201");
  me = rank_from_environment(variables(
      {{"PMI_RANK", "1"}, {"PMI_SIZE", "2"}, {"MPI_LOCALRANKID", "0"}, {"MPI_LOCALNRANKS", "1"}}));
  CHECK(me.rank == 1);
  CHECK(me.size == 2);
  CHECK(me.local_size == 1);
  CHECK(me.run == "");
}

TEST_CASE("launchers that contradict each other are refused by name", "[collective]") {
  std::map<std::string, std::string> set{{"RANK", "1"},
                                         {"WORLD_SIZE", "2"},
                                         {"LOCAL_RANK", "1"},
                                         {"OMPI_COMM_WORLD_RANK", "0"},
                                         {"OMPI_COMM_WORLD_SIZE", "2"},
                                         {"OMPI_COMM_WORLD_LOCAL_RANK", "0"}};
  CHECK_THAT(error_of([&] { rank_from_environment(variables(set)); }),
             ContainsSubstring("RANK is 1, OMPI_COMM_WORLD_RANK is 0, each of 2"));
  set["OMPI_COMM_WORLD_RANK"] = set["OMPI_COMM_WORLD_LOCAL_RANK"] = "1";
  CHECK(rank_from_environment(variables(set)).rank == 1);
  // A torchrun on each of three hosts, started by mpirun.
  set["OMPI_COMM_WORLD_SIZE"] = "3";
  set["OMPI_COMM_WORLD_RANK"] = "0";
  set["OMPI_COMM_WORLD_LOCAL_RANK"] = "0";
  CHECK(rank_from_environment(variables(set)).rank == 1);
}

TEST_CASE("srun says how many ranks are on this node", "[collective]") {
  std::map<std::string, std::string> set{
      {"SLURM_PROCID", "0"},  {"SLURM_NTASKS", "7"},  {"SLURM_LOCALID", "0"},
      {"SLURM_JOB_ID", "41"}, {"SLURM_STEP_ID", "2"}, {"SLURM_STEP_TASKS_PER_NODE", "2(x2),3"}};
  for (const auto& [node, ranks] : {std::pair{"0", 2U}, {"1", 2U}, {"2", 3U}}) {
    set["SLURM_NODEID"] = node;
    CHECK(rank_from_environment(variables(set)).local_size == ranks);
  }
  CHECK(rank_from_environment(variables(set)).run == "41-2");
  set["SLURM_NODEID"] = "3";
  CHECK_THAT(error_of([&] { rank_from_environment(variables(set)); }),
             ContainsSubstring("SLURM_STEP_TASKS_PER_NODE is '2(x2),3', SLURM_NODEID is 3"));
}

TEST_CASE("it is seen whether a launcher has started this process", "[collective]") {
  CHECK_FALSE(is_launched(variables({{"MASTER_PORT", "29500"}})));
  for (const char* const name :
       {"RANK", "WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID"})
    CHECK(is_launched(variables({{name, "0"}})));
}

TEST_CASE("a lookup that is empty is refused by name", "[collective]") {
  CHECK(error_of([] { is_launched(EnvironmentLookup()); }) ==
        "get is empty (is_launched). Give a function");
  CHECK(error_of([] { rank_from_environment(EnvironmentLookup()); }) ==
        "get is empty (rank_from_environment). Give a function");
}

TEST_CASE("a start has a name that can name shared memory", "[collective]") {
  const LaunchedRank me = rank_from_environment(variables({{"RANK", "0"},
                                                           {"WORLD_SIZE", "1"},
                                                           {"LOCAL_RANK", "0"},
                                                           {"MASTER_PORT", "29500"},
                                                           {"TORCHELASTIC_RUN_ID", "my run/7"},
                                                           {"DUALAGENT_RUN", "a.b_c"}}));
  CHECK(me.run == "a.b_c-29500-my-run-7");
}
