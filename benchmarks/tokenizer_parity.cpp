// Compares a tokenizer.json as read here with what the tokenizers package made of many strings: the
// tokens of a text, whole and in parts, with special tokens and without, and what they decode to.
//   tokenizer_parity TOKENIZER_JSON STRINGS...
// STRINGS: files of tests/golden/tokenizers/make_parity.py, or - for the standard input.
// Prints the first deviations and the counts; the exit status is 1 if there is any.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <fstream>
#include <istream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/text/hugging_face_tokenizer.hpp"
#include "dualagent/text/incremental_encoder.hpp"
#include "dualagent/text/token_text.hpp"

namespace da = dualagent;

namespace {

/// Numbers and bytes, read as they come.
class Records {
 public:
  explicit Records(std::istream& in) : in_(in) {}
  bool done() { return in_.peek() == std::istream::traits_type::eof(); }
  std::string text() {
    std::string bytes(number(), '\0');
    take(bytes.data(), bytes.size());
    return bytes;
  }
  std::vector<da::Token> tokens() {
    std::vector<da::Token> ids(number());
    take(ids.data(), ids.size() * sizeof(da::Token));
    return ids;
  }

 private:
  std::uint32_t number() {
    std::uint32_t value = 0;
    take(&value, sizeof value);
    return value;
  }
  void take(void* to, std::size_t size) {
    if (!in_.read(static_cast<char*>(to), static_cast<std::streamsize>(size)))
      throw da::Error("the strings end early", "tokenizer_parity", "Make them again");
  }
  std::istream& in_;
};

struct Counts {
  std::size_t strings = 0, bytes = 0, deviations = 0;
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

std::string decoded(const da::HuggingFaceTokenizer& tokenizer,
                    const std::vector<da::Token>& tokens) {
  return da::valid_utf8(da::decode(tokenizer, std::span<const da::Token>(tokens)));
}

/// The tokens of a text that comes in parts of `size` bytes.
std::vector<da::Token> in_parts(const da::HuggingFaceTokenizer& tokenizer, std::string_view text,
                                std::size_t size) {
  da::IncrementalEncoder encoder(tokenizer);
  std::vector<da::Token> all;
  const auto add = [&](const std::vector<da::Token>& some) {
    all.insert(all.end(), some.begin(), some.end());
  };
  for (std::size_t at = 0; at < text.size(); at += size) add(encoder.append(text.substr(at, size)));
  add(encoder.finish());
  return all;
}

void compare(const da::HuggingFaceTokenizer& tokenizer, std::istream& in, Counts& counts) {
  for (Records records(in); !records.done(); ++counts.strings) {
    const std::string text = records.text();
    const std::vector<da::Token> plain = records.tokens();
    std::vector<da::Token> parsed = records.tokens();
    std::vector<da::Token> ours, ours_parsed;
    tokenizer.encode(text, ours);
    tokenizer.encode_with_special_tokens(text, ours_parsed);
    const bool same_parsed = ours_parsed == parsed;
    bool same_text = decoded(tokenizer, parsed) == records.text();
    std::reverse(parsed.begin(), parsed.end());
    same_text = (decoded(tokenizer, parsed) == records.text()) && same_text;
    const std::vector<da::Token> parts = in_parts(tokenizer, text, 1 + counts.strings % 9);
    counts.bytes += text.size();
    if (ours == plain && parts == plain && same_parsed && same_text) continue;
    if (++counts.deviations > 5) continue;
    std::reverse(parsed.begin(), parsed.end());
    if (ours != plain) show("text", text, ours, plain);
    if (parts != plain) show("text in parts", text, parts, plain);
    if (!same_parsed) show("with special tokens", text, ours_parsed, parsed);
    if (!same_text) show("decoding", text, parsed, parsed);
  }
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
    const std::string_view name = argv[i];
    std::ifstream file(name == "-" ? "/dev/stdin" : argv[i], std::ios::binary);
    if (!file) throw da::Error("cannot be read", argv[i], "Name a file of make_parity.py, or -");
    compare(tokenizer, file, all);
  }
  std::printf("%s: %zu strings of %.1f MB, %zu deviations\n", argv[1], all.strings,
              static_cast<double>(all.bytes) * 1e-6, all.deviations);
  return all.deviations == 0 ? 0 : 1;
} catch (const std::exception& error) {
  std::printf("%s: %s\n", argv[1], error.what());
  return 1;
}
