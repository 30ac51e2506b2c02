#pragma once

#include <malloc.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "dualagent/model/model_files.hpp"
#include "support/file_faults.hpp"

/// Bytes of memory, beyond what the process had before.
struct LoadingMemory {
  double peak = 0;     ///< while the model was loaded
  double held = 0;     ///< by the loaded model
  double weights = 0;  ///< the model's parameters alone
};

/// Loads a model in a child process and looks at its resident memory (VmHWM, VmRSS).
inline LoadingMemory memory_of_loading(const std::filesystem::path& folder) {
  const auto bytes_of = [](const std::string& field) {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;)
      if (word == field + ":") {
        double kibibytes = 0;
        status >> kibibytes;
        return 1024.0 * kibibytes;
      }
    return 0.0;
  };
  const std::string text = in_child([&] {
    ::malloc_trim(0);  // or the model would use what earlier tests have freed
    std::ofstream("/proc/self/clear_refs") << 5;  // the peak begins anew
    const double before = bytes_of("VmRSS");
    const auto model = dualagent::load_model(folder);
    std::ostringstream result;
    result << bytes_of("VmHWM") - before << " " << bytes_of("VmRSS") - before << " "
           << model.parameters().size_bytes();
    return result.str();
  });
  LoadingMemory memory;
  std::istringstream(text) >> memory.peak >> memory.held >> memory.weights;
  return memory;
}
