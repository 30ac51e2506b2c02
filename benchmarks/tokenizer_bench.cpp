// Megabytes of text that a tokenizer.json encodes in a second of the processor's time, which other
// programs on the machine take nothing of; one thread.
//   tokenizer_bench --tokenizer FILE --text FILE [--repeats N]
// The text is cut into documents of 2 kB, at the end of a line. `warm`: the words of the text were
// seen before. `cold`: a tokenizer that has just been loaded. tokenizer_bench.py runs the
// tokenizers package on the same text beside it.

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "bench.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/text/hugging_face_tokenizer.hpp"

namespace da = dualagent;

namespace {

/// Of the processor: the median of `repeats` calls after `warm_up` unmeasured ones.
double median_seconds(std::size_t warm_up, std::size_t repeats, const std::function<void()>& body) {
  std::vector<double> seconds;
  for (std::size_t i = 0; i < warm_up + repeats; ++i) {
    const std::clock_t begin = std::clock();
    body();
    if (i >= warm_up) seconds.push_back(static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
  }
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

std::vector<std::string_view> documents(std::string_view text) {
  std::vector<std::string_view> found;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n', 2000), text.size() - 1) + 1;
    found.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return found;
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options(argc, argv);
  const std::string path = options.text("--tokenizer", "tokenizer.json");
  const std::string text = da::read_file(options.text("--text", "text.txt"));
  const std::size_t repeats = options.number("--repeats", 5);
  const auto megabytes = static_cast<double>(text.size()) * 1e-6;
  const std::vector<std::string_view> all = documents(text);
  std::vector<da::Token> tokens;
  std::size_t count = 0;
  const auto encode = [&](const da::HuggingFaceTokenizer& tokenizer) {
    count = 0;
    for (const std::string_view document : all) {
      tokens.clear();
      tokenizer.encode(document, tokens);
      count += tokens.size();
    }
  };
  const double load = median_seconds(0, 1, [&] { da::HuggingFaceTokenizer::from_file(path); });
  bench::report("tokenizer_load", 1, load * 1e3, "ms");
  const auto tokenizer = da::HuggingFaceTokenizer::from_file(path);
  bench::report("tokenizer_cold", 1, megabytes / median_seconds(0, 1, [&] { encode(tokenizer); }),
                "MB/s");
  bench::report("tokenizer_warm", 1,
                megabytes / median_seconds(1, repeats, [&] { encode(tokenizer); }), "MB/s");
  std::fprintf(stderr, "%.1f MB, %zu tokens\n", megabytes, count);
}
