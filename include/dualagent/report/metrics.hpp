#pragma once

#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/io/appended_file.hpp"
#include "dualagent/io/atomic_file.hpp"

namespace dualagent {

/// A named number or text of one step, as it is written.
///
/// A number that is not finite is written as null, since JSON has no NaN and no infinity; the
/// reader gives it back as NaN. Nothing else is ever written as null.
class Metric {
 public:
  template <class Number>
  requires std::is_arithmetic_v<Number> &&
      (!std::same_as<Number, bool>)Metric(std::string_view name, Number value)
      : name_(name) {
    if constexpr (std::integral<Number>) {
      json_ = std::to_string(value);
    } else {
      const auto number = static_cast<double>(value);
      json_ = std::isfinite(number) ? shortest_text(number) : "null";
      if (json_ == "-0") json_ = "-0.0";  // which JSON would read as the whole number 0
    }
    number_ = static_cast<double>(value);
  }
  /// Errors: throws when the text is not valid UTF-8.
  Metric(std::string_view name, std::string_view text)
      : name_(name), json_(to_json_string(text, "metric '" + name_ + "'")) {}
  Metric(std::string_view name, const char* text) : Metric(name, std::string_view(text)) {}

  const std::string& name() const { return name_; }
  const std::string& json() const { return json_; }
  /// Nothing for a text.
  std::optional<double> number() const { return number_; }

 private:
  std::string name_;
  std::string json_;
  std::optional<double> number_;
};

/// One line of a metrics file: a step, and its numbers and texts in order of their names.
struct MetricsRecord {
  std::uint64_t step = 0;
  std::vector<std::pair<std::string, double>> numbers;  ///< NaN where the file has null
  std::vector<std::pair<std::string, std::string>> texts;

  /// Nothing if this step has no such number.
  std::optional<double> number(std::string_view name) const {
    for (const auto& [key, value] : numbers)
      if (key == name) return value;
    return std::nullopt;
  }
  std::optional<std::string> text(std::string_view name) const {
    for (const auto& [key, value] : texts)
      if (key == name) return value;
    return std::nullopt;
  }
};

namespace detail {

MetricsRecord parse_metrics_line(std::string_view line, const std::string& where);

/// Calls `visit(record, offset of its line)` for each whole line until it returns false; returns
/// the offset behind the last accepted line. What follows the last line break is half a line that
/// a killed process left behind, and is not looked at.
template <class Visitor>
std::size_t scan_metrics(std::string_view text, const std::filesystem::path& path,
                         Visitor&& visit) {
  std::size_t begin = 0;
  for (std::size_t number = 1;; ++number) {
    const std::size_t end = text.find('\n', begin);
    if (end == std::string_view::npos) return begin;
    const std::string where = path.string() + ":" + std::to_string(number);
    if (!visit(parse_metrics_line(text.substr(begin, end - begin), where))) return begin;
    begin = end + 1;
  }
}

}  // namespace detail

/// Reads a metrics file; half a line at its end (a killed run) is left out.
///
/// Errors: Error with file and line when a line is not what `MetricsWriter` writes.
std::vector<MetricsRecord> read_metrics(const std::filesystem::path& path);

/// Appends one JSON object per line: {"step":3,"success":0.5,"phase":"train"}.
///
/// Each record is handed to the operating system whole, in one write, before `write` returns: a
/// process that is killed loses no record that was written. Numbers are written with the digits
/// that read back exactly, independent of the locale, so equal runs write equal bytes.
/// To resume, write a step's record before its checkpoint and open the file with `resume`.
/// Errors: Error with path and remedy when the file cannot be opened or written (disk full); a
/// record that failed half-way is taken back.
/// Example: MetricsWriter metrics("out/metrics.jsonl");
///          metrics.write(step, {{"success", 0.91}, {"phase", "train"}});
class MetricsWriter {
 public:
  /// Starts an empty file; an existing one is emptied.
  explicit MetricsWriter(const std::filesystem::path& path)
      : MetricsWriter(AppendedFile::create(path, kFile)) {}

  /// Goes on with the records before `step`; the rest is cut off, so that the file of a resumed
  /// run equals that of an uninterrupted one (but for seconds).
  ///
  /// Errors: Error when the file is missing although `step` > 0, or a kept line is damaged.
  static MetricsWriter resume(const std::filesystem::path& path, std::uint64_t step);

  /// As above for files of several phases: keeps the records before the first one for which
  /// `keeps(record)` is false.
  template <std::predicate<const MetricsRecord&> Keeps>
  static MetricsWriter resume(const std::filesystem::path& path, Keeps&& keeps) {
    if (!std::filesystem::exists(path))
      throw Error("the metrics of the run that is resumed are missing", path.string(),
                  "Restore the file, or start the run anew");
    const std::size_t kept = detail::scan_metrics(
        read_file(path), path, [&](const MetricsRecord& record) { return keeps(record); });
    return MetricsWriter(AppendedFile::keep(path, kFile, kept));
  }

  /// Errors: also when two metrics share a name or one is called "step".
  void write(std::uint64_t step, std::span<const Metric> metrics);
  void write(std::uint64_t step, std::initializer_list<Metric> metrics) {
    write(step, std::span<const Metric>(metrics.begin(), metrics.size()));
  }

  /// Writes anything with a number `step` and `for_each(visit(name, value))`, e.g. StepMetrics,
  /// followed by `more`.
  template <class Metrics>
  requires requires(const Metrics& metrics) {
    { metrics.step } -> std::convertible_to<std::uint64_t>;
  }
  void write(const Metrics& metrics, std::initializer_list<Metric> more = {}) {
    std::vector<Metric> all;
    metrics.for_each([&](std::string_view name, auto value) { all.emplace_back(name, value); });
    all.insert(all.end(), more.begin(), more.end());
    write(metrics.step, all);
  }

  const std::filesystem::path& path() const { return file_.path(); }

 private:
  static constexpr const char* kFile = "the metrics file";
  explicit MetricsWriter(AppendedFile file) : file_(std::move(file)) {}

  void check_name(std::span<const Metric> earlier, const std::string& name) const;

  AppendedFile file_;
  std::string line_;
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/report/metrics.inl"
#endif
