#include <cmath>
#include <string>
#include <vector>

#include "dualagent/report/metrics.hpp"
#include "fuzz.hpp"

namespace {

std::string line_of(const dualagent::MetricsRecord& record) {
  std::string line = "{\"step\":" + std::to_string(record.step);
  const auto append = [&](const dualagent::Metric& metric) {
    line += "," + dualagent::to_json_string(metric.name(), "input") + ":" + metric.json();
  };
  for (const auto& [name, value] : record.numbers) append({name, value});
  for (const auto& [name, value] : record.texts) append({name, std::string_view(value)});
  return line + "}\n";
}

}  // namespace

/// What is read can be written, and reads back the same.
FUZZ_TARGET(text) {
  static fuzz::MemoryFile file;
  const std::vector<dualagent::MetricsRecord> records = dualagent::read_metrics(file.put(text));
  std::string written;
  for (const dualagent::MetricsRecord& record : records) {
    for (const auto& [name, value] : record.numbers)
      fuzz::require(!std::isinf(value), "a metric is infinite");
    written += line_of(record);
  }
  const std::vector<dualagent::MetricsRecord> again = dualagent::read_metrics(file.put(written));
  fuzz::require(again.size() == records.size(), "records are lost");
  std::string rewritten;
  for (const dualagent::MetricsRecord& record : again) rewritten += line_of(record);
  fuzz::require(rewritten == written, "a record reads back differently");
}
