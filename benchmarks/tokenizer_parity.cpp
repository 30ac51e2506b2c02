// Compares a tokenizer.json as read here with what the tokenizers package made of many strings.
//   tokenizer_parity TOKENIZER_JSON STRINGS...     (STRINGS:
//   tests/golden/tokenizers/make_parity.py)
// Prints the first deviations and the counts; the exit status is 1 if there is any.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/printable.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/text/hugging_face_tokenizer.hpp"
#include "dualagent/text/token_text.hpp"

namespace da = dualagent;

namespace {

class Records {
 public:
  explicit Records(std::string_view bytes) : rest_(bytes) {}
  bool done() const { return rest_.empty(); }
  std::string_view text() { return take(number()); }
  std::vector<da::Token> tokens() {
    std::vector<da::Token> ids(number());
    const std::string_view bytes = take(ids.size() * sizeof(da::Token));
    if (!ids.empty()) std::memcpy(ids.data(), bytes.data(), bytes.size());
    return ids;
  }

 private:
  std::uint32_t number() {
    std::uint32_t value = 0;
    std::memcpy(&value, take(4).data(), 4);
    return value;
  }
  std::string_view take(std::size_t size) {
    if (size > rest_.size()) throw da::Error("the file of strings ends early");
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }
  std::string_view rest_;
};

struct Counts {
  std::size_t strings = 0, deviations = 0;
};

void show(const char* what, std::string_view text, const std::vector<da::Token>& ours,
          const std::vector<da::Token>& theirs) {
  std::size_t at = 0;
  while (at < ours.size() && at < theirs.size() && ours[at] == theirs[at]) ++at;
  std::printf("  %s: '%s' (%zu bytes)\n    token %zu: ours", what,
              da::printable(text.substr(0, 200)).c_str(), text.size(), at);
  for (std::size_t i = at; i < std::min(at + 6, ours.size()); ++i) std::printf(" %d", ours[i]);
  std::printf(", the package");
  for (std::size_t i = at; i < std::min(at + 6, theirs.size()); ++i) std::printf(" %d", theirs[i]);
  std::printf("\n");
}

Counts compare(const da::HuggingFaceTokenizer& tokenizer, const std::string& file) {
  const std::string bytes = da::read_file(file);
  Counts counts;
  for (Records records(bytes); !records.done(); ++counts.strings) {
    const std::string_view text = records.text();
    const std::vector<da::Token> plain = records.tokens(), parsed = records.tokens();
    const std::string_view decoded = records.text();
    std::vector<da::Token> ours, ours_parsed;
    tokenizer.encode(text, ours);
    tokenizer.encode_with_special_tokens(text, ours_parsed);
    const bool same_text = da::valid_utf8(da::decode(tokenizer, parsed)) == decoded;
    if (ours == plain && ours_parsed == parsed && same_text) continue;
    if (++counts.deviations > 5) continue;
    if (ours != plain) show("text", text, ours, plain);
    if (ours_parsed != parsed) show("with special tokens", text, ours_parsed, parsed);
    if (!same_text) show("decoding", text, {}, {});
  }
  return counts;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 3) {
    std::fprintf(stderr, "usage: tokenizer_parity TOKENIZER_JSON STRINGS...\n");
    return 2;
  }
  const auto tokenizer = da::HuggingFaceTokenizer::from_file(argv[1]);
  Counts all;
  for (int i = 2; i < argc; ++i) {
    const Counts counts = compare(tokenizer, argv[i]);
    all.strings += counts.strings;
    all.deviations += counts.deviations;
  }
  std::printf("%s: %zu strings, %zu deviations\n", argv[1], all.strings, all.deviations);
  return all.deviations == 0 ? 0 : 1;
} catch (const std::exception& error) {
  std::printf("%s: %s\n", argv[1], error.what());
  return 1;
}
