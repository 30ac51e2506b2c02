#include "dualagent/service/service_metrics.hpp"

#include <set>
#include <sstream>
#include <string>

#include "support/catch.hpp"

using namespace dualagent;

TEST_CASE("metrics are counted and written as Prometheus reads them", "[service]") {
  ServiceMetrics metrics;
  metrics.replied(200);
  metrics.replied(200);
  metrics.replied(429);
  metrics.aborted_by_client();
  metrics.updated();
  metrics.generated("stop", 10, 5, 0.02);
  metrics.generated("length", 1, 2, 200);
  metrics.generated("abort", 1, 0, 1e9);
  const std::string text = metrics.text({.running = 3, .queued = 4, .weight_version = 9});
  for (const char* line :
       {"dualagent_http_replies_total{status=\"200\"} 2",
        "dualagent_http_replies_total{status=\"429\"} 1", "dualagent_disconnected_clients_total 1",
        "dualagent_generations_total{reason=\"stop\"} 1",
        "dualagent_generations_total{reason=\"abort\"} 1",
        "dualagent_generations_total{reason=\"failed\"} 0", "dualagent_prompt_tokens_total 12",
        "dualagent_generated_tokens_total 7", "dualagent_weight_updates_total 1",
        "dualagent_running_generations 3", "dualagent_queued_generations 4",
        "dualagent_weight_version 9", "dualagent_generation_seconds_bucket{le=\"0.01\"} 0",
        "dualagent_generation_seconds_bucket{le=\"0.03\"} 1",
        "dualagent_generation_seconds_bucket{le=\"300\"} 2",
        "dualagent_generation_seconds_bucket{le=\"+Inf\"} 3",
        "dualagent_generation_seconds_count 3"})
    CHECK_THAT(text, ContainsSubstring(std::string(line) + "\n"));
}

TEST_CASE("each metric is explained once, before its values", "[service]") {
  std::istringstream text(ServiceMetrics().text({.resident_bytes = 1}));
  std::set<std::string> typed;
  std::string line, mark, name, type;
  while (std::getline(text, line)) {
    if (line.starts_with("# TYPE ")) {
      std::istringstream words(line);
      words >> mark >> mark >> name >> type;
      CHECK((type == "counter" || type == "gauge" || type == "histogram"));
      CHECK(typed.insert(name).second);
    } else if (!line.starts_with('#')) {
      const std::string family = line.substr(0, line.find_first_of("{ "));
      CHECK((typed.contains(family) || typed.contains(family.substr(0, family.rfind('_')))));
    }
  }
  CHECK(typed.size() == 14);
}
