#pragma once

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

/// `--name value` pairs of the command line; exits with a sentence on anything else.
class Options {
 public:
  Options(int argc, char** argv) : arguments_(argv + 1, argv + argc) {
    if (arguments_.size() % 2 != 0) {
      std::fprintf(stderr, "%s: options are --name value pairs\n", argv[0]);
      std::exit(2);
    }
  }
  std::string text(std::string_view name, std::string fallback) const {
    for (std::size_t i = 0; i + 1 < arguments_.size(); i += 2)
      if (arguments_[i] == name) return arguments_[i + 1];
    return fallback;
  }
  std::size_t number(std::string_view name, std::size_t fallback) const {
    return static_cast<std::size_t>(std::stoul(text(name, std::to_string(fallback))));
  }

 private:
  std::vector<std::string> arguments_;
};

}  // namespace bench
