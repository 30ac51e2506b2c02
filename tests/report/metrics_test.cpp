#include "dualagent/report/metrics.hpp"

#include <cmath>
#include <fstream>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "support/catch.hpp"
#include "support/file_faults.hpp"
#include "support/temporary_folder.hpp"

using namespace dualagent;
namespace fs = std::filesystem;

namespace {

void put(const fs::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

std::string reason_of(const fs::path& path) {
  try {
    read_metrics(path);
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

struct SomeMetrics {  // as train/step_metrics.hpp
  std::uint64_t step = 4;
  double loss = 0.25;
  double rollouts = 128;
  template <class Visitor>
  void for_each(Visitor&& visit) const {
    visit("loss", loss);
    visit("rollouts", rollouts);
  }
};

}  // namespace

TEST_CASE("a metric keeps its number, a text has none", "[report]") {
  CHECK(Metric("a", 2.5).number() == 2.5);
  CHECK(Metric("a", 7).number() == 7.0);
  CHECK(std::isnan(Metric("a", std::nan("")).number().value()));
  CHECK(!Metric("a", "text").number());
}

TEST_CASE("records are lines of JSON, numbers with the digits that read back",
          "[report][metrics]") {
  const TemporaryFolder folder;
  const fs::path path = folder / "metrics.jsonl";
  MetricsWriter writer(path);
  writer.write(0, {{"success", 0.1}, {"phase", "train"}, {"tokens", 12345678901234567LL}});
  writer.write(1, {{"loss", std::numeric_limits<double>::quiet_NaN()},
                   {"norm", std::numeric_limits<float>::infinity()}});
  writer.write(2, {{"a \"b\"\n", -1}, {"text", "\xC3\xBC"}});
  writer.write(18446744073709551615ULL, {});
  CHECK(read_file(path) ==
        "{\"step\":0,\"success\":0.1,\"phase\":\"train\",\"tokens\":12345678901234567}\n"
        "{\"step\":1,\"loss\":null,\"norm\":null}\n"
        "{\"step\":2,\"a \\\"b\\\"\\n\":-1,\"text\":\"\xC3\xBC\"}\n"
        "{\"step\":18446744073709551615}\n");

  const std::vector<MetricsRecord> records = read_metrics(path);
  REQUIRE(records.size() == 4);
  CHECK(records[0].number("success") == 0.1);
  CHECK(records[0].text("phase") == "train");
  CHECK(!records[0].number("phase"));
  CHECK(!records[0].text("success"));
  CHECK(std::isnan(records[1].number("loss").value()));
  CHECK(records[2].number("a \"b\"\n") == -1.0);
  CHECK(records[3].step == ~std::uint64_t{0});
}

TEST_CASE("numbers read back exactly, the sign of zero included", "[report][metrics]") {
  const TemporaryFolder folder;
  MetricsWriter writer(folder / "m");
  const std::vector<double> values{0.0,
                                   -0.0,
                                   0.1,
                                   1.0 / 3,
                                   -1e-300,
                                   5e-324,
                                   1.7e308,
                                   1e15,
                                   1e16,
                                   1e22,
                                   9007199254740993.0,
                                   1.8446744073709552e19,
                                   -9.3e18};
  for (std::size_t i = 0; i < values.size(); ++i) writer.write(i, {{"x", values[i]}});
  const auto records = read_metrics(folder / "m");
  REQUIRE(records.size() == values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    CHECK(records[i].number("x") == values[i]);
    CHECK(std::signbit(*records[i].number("x")) == std::signbit(values[i]));
  }
}

TEST_CASE("each record is on disk before write returns", "[report][metrics]") {
  const TemporaryFolder folder;
  MetricsWriter writer(folder / "m");
  for (std::uint64_t step = 0; step < 3; ++step) {
    writer.write(step, {{"x", 1.5}});
    CHECK(read_metrics(folder / "m").size() == step + 1);
  }
}

TEST_CASE("a set of metrics is written field by field, with more behind", "[report][metrics]") {
  const TemporaryFolder folder;
  MetricsWriter(folder / "m").write(SomeMetrics{}, {{"memory", 7}});
  CHECK(read_file(folder / "m") == "{\"step\":4,\"loss\":0.25,\"rollouts\":128,\"memory\":7}\n");
}

TEST_CASE("a new writer empties the file, a resumed one keeps the steps before its own",
          "[report][metrics]") {
  const TemporaryFolder folder;
  const fs::path path = folder / "m";
  const auto write_steps = [](MetricsWriter& writer, std::uint64_t begin, std::uint64_t end) {
    for (std::uint64_t step = begin; step < end; ++step)
      writer.write(step, {{"square", step * step}});
  };
  {
    MetricsWriter whole(path);
    write_steps(whole, 0, 8);
  }
  const std::string uninterrupted = read_file(path);
  {
    MetricsWriter first(path);
    write_steps(first, 0, 6);  // killed at step 6; the checkpoint is of step 4
  }
  put(path, read_file(path) + "{\"step\":6,\"squ");
  {
    MetricsWriter resumed = MetricsWriter::resume(path, 4);
    CHECK(read_metrics(path).size() == 4);
    write_steps(resumed, 4, 8);
  }
  CHECK(read_file(path) == uninterrupted);
  MetricsWriter::resume(path, 0).write(0, {});
  CHECK(read_file(path) == "{\"step\":0}\n");
}

TEST_CASE("a file of several phases is cut where the caller says", "[report][metrics]") {
  const TemporaryFolder folder;
  {
    MetricsWriter writer(folder / "m");
    writer.write(0, {{"phase", "warm"}});
    writer.write(1, {{"phase", "warm"}});
    writer.write(0, {{"phase", "train"}});
  }
  const auto warm = [](const MetricsRecord& record) { return record.text("phase") == "warm"; };
  MetricsWriter::resume(folder / "m", warm).write(0, {{"phase", "other"}});
  const auto records = read_metrics(folder / "m");
  REQUIRE(records.size() == 3);
  CHECK(records[2].text("phase") == "other");
}

TEST_CASE("the half line of a killed run is left out, at whatever byte it ends",
          "[report][metrics]") {
  const TemporaryFolder folder;
  const std::string line = "{\"step\":1,\"x\":0.25,\"phase\":\"a\"}\n";
  for (std::size_t size = 0; size < line.size(); ++size) {
    put(folder / "m", "{\"step\":0}\n" + line.substr(0, size));
    CHECK(read_metrics(folder / "m").size() == 1);
  }
  put(folder / "m", "{\"step\":0}\n" + line);
  CHECK(read_metrics(folder / "m").size() == 2);
  put(folder / "m", "");
  CHECK(read_metrics(folder / "m").empty());
}

TEST_CASE("a line that no writer wrote is refused with file and line", "[report][metrics]") {
  const TemporaryFolder folder;
  const fs::path path = folder / "m.jsonl";
  for (const char* line : {"", "{", "[]", "7", "null", "{}", "{\"step\":-1}", "{\"step\":1.5}",
                           "{\"step\":\"1\"}", "{\"step\":0,\"x\":true}", "{\"step\":0,\"x\":[1]}",
                           "{\"step\":0,\"x\":{}}", "{\"step\":0,\"x\":1,\"x\":2}",
                           "{\"step\":0} {\"step\":1}", "{\"step\":0,\"x\":\"\xFF\"}"}) {
    put(path, "{\"step\":0}\n" + std::string(line) + "\n");
    CHECK_THAT(reason_of(path), ContainsSubstring("m.jsonl:2"));
  }
  CHECK_THAT(reason_of(folder / "missing"), ContainsSubstring("cannot open"));
}

TEST_CASE("two metrics of one name, or one called step, are refused", "[report][metrics]") {
  const TemporaryFolder folder;
  MetricsWriter writer(folder / "m");
  CHECK_THROWS_WITH(writer.write(0, {{"x", 1}, {"y", 2}, {"x", 3}}),
                    ContainsSubstring("are called 'x'"));
  CHECK_THROWS_WITH(writer.write(0, {{"step", 1}}), ContainsSubstring("\"step\" is taken"));
  CHECK_THROWS_WITH(Metric("x", "\xFF"), ContainsSubstring("metric 'x'"));
  writer.write(0, {{"x", 1}});
  CHECK(read_metrics(folder / "m").size() == 1);  // nothing of the refused ones
}

TEST_CASE("resuming without the file, or into a damaged one, is an error", "[report][metrics]") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(MetricsWriter::resume(folder / "m", 3),
                    ContainsSubstring("metrics of the run that is resumed are missing"));
  CHECK(!fs::exists(folder / "m"));
  put(folder / "m", "{\"step\":0}\nrubbish\n{\"step\":2}\n");
  CHECK_THROWS_WITH(MetricsWriter::resume(folder / "m", 3), ContainsSubstring(":2"));
  CHECK(read_file(folder / "m") == "{\"step\":0}\nrubbish\n{\"step\":2}\n");  // untouched
}

TEST_CASE("a record that does not fit on the disk is taken back whole", "[report][metrics]") {
  const TemporaryFolder folder;
  MetricsWriter writer(folder / "m");
  writer.write(0, {{"x", 1}});
  {
    const FileSizeLimit limit(64);
    CHECK_THROWS_WITH(writer.write(1, {{"text", std::string(100, 'y').c_str()}}),
                      ContainsSubstring("cannot write the metrics file"));
  }
  CHECK(read_file(folder / "m") == "{\"step\":0,\"x\":1}\n");
  writer.write(1, {{"x", 2}});  // goes on where there is room again
  CHECK(read_metrics(folder / "m").size() == 2);
}

TEST_CASE("metrics that cannot be opened are a clear error", "[report][metrics]") {
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(MetricsWriter(folder.path()), ContainsSubstring("cannot open the metrics"));
  CHECK_THROWS_WITH(MetricsWriter(folder / "missing" / "m"),
                    ContainsSubstring("cannot open the metrics"));
}
