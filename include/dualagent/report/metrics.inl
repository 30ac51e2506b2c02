#pragma once

/// Definitions of metrics.hpp; see core/compiled.hpp.

#include "dualagent/report/metrics.hpp"

namespace dualagent::detail {

DUALAGENT_INLINE MetricsRecord parse_metrics_line(std::string_view line, const std::string& where) {
  const std::string remedy = "A line is an object of \"step\", numbers, null and strings";
  const auto refuse = [&](const std::string& what) { throw Error(what, where, remedy); };
  const nlohmann::json object = parse_json(line, where, remedy);
  if (!object.is_object()) refuse("a line of metrics is not a JSON object");
  MetricsRecord record;
  record.step = require_count_at(object, "step", where, remedy);
  for (const auto& [key, value] : object.items()) {
    if (key == "step") continue;
    if (value.is_number())
      record.numbers.emplace_back(key, value.get<double>());
    else if (value.is_null())
      record.numbers.emplace_back(key, std::numeric_limits<double>::quiet_NaN());
    else if (value.is_string())
      record.texts.emplace_back(key, value.get<std::string>());
    else
      refuse("the metric '" + key + "' is neither a number nor a text");
  }
  return record;
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE std::vector<MetricsRecord> read_metrics(const std::filesystem::path& path) {
  std::vector<MetricsRecord> records;
  detail::scan_metrics(read_file(path), path, [&](MetricsRecord&& record) {
    records.push_back(std::move(record));
    return true;
  });
  return records;
}

DUALAGENT_INLINE MetricsWriter MetricsWriter::resume(const std::filesystem::path& path,
                                                     std::uint64_t step) {
  if (step == 0) return MetricsWriter(path);
  return resume(path, [step](const MetricsRecord& record) { return record.step < step; });
}

DUALAGENT_INLINE void MetricsWriter::write(std::uint64_t step, std::span<const Metric> metrics) {
  line_ = "{\"step\":" + std::to_string(step);
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    check_name(metrics.first(i), metrics[i].name());
    line_ += "," + to_json_string(metrics[i].name(), path().string()) + ":" + metrics[i].json();
  }
  line_ += "}\n";
  file_.append(line_);
}

DUALAGENT_INLINE void MetricsWriter::check_name(std::span<const Metric> earlier,
                                                const std::string& name) const {
  const auto refuse = [&] {
    throw Error("two metrics of one record are called '" + name + "'", path().string(),
                "Rename one; \"step\" is taken");
  };
  if (name == "step") refuse();
  for (const Metric& metric : earlier)
    if (metric.name() == name) refuse();
}

}  // namespace dualagent
