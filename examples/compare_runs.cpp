// Makes one report of the runs in several folders, finished or not: their curves in the same
// charts, a row for each.
//   compare_runs [--out report.html] FOLDER...

#include <cstdio>
#include <exception>
#include <filesystem>
#include <string_view>
#include <vector>

#include "dualagent/report/html_report.hpp"
#include "dualagent/report/report_runs.hpp"

int main(int argc, char** argv) {
  std::filesystem::path out = "report.html";
  std::vector<std::filesystem::path> folders;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--out" && i + 1 < argc)
      out = argv[++i];
    else
      folders.push_back(argv[i]);
  }
  if (folders.empty()) {
    std::fprintf(stderr, "usage: compare_runs [--out report.html] FOLDER...\n");
    return 1;
  }
  try {
    dualagent::write_html_report(out, dualagent::compare_runs(folders));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
  std::printf("%s\n", out.c_str());
}
