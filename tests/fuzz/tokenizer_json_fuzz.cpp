#include <span>
#include <string>
#include <vector>

#include "dualagent/text/hugging_face_tokenizer.hpp"
#include "dualagent/text/incremental_encoder.hpp"
#include "dualagent/text/token_text.hpp"
#include "fuzz.hpp"

namespace da = dualagent;

namespace {

/// The bytes that have a token: few, as each costs every execution; a text's other bytes are left
/// out. Those of U+FFFD, of an e with an accent in both normal forms, white space, letters, digits.
constexpr std::string_view kBytes = "ab<>\"{}01 \n.\xEF\xBF\xBD\xC3\xA9\x65\xCC\x81";

std::string beginning() {
  std::string vocab;
  for (std::size_t i = 0; i < kBytes.size(); ++i) {
    std::string spelling;
    da::append_utf8(spelling, da::detail::kByteCharacters[static_cast<unsigned char>(kBytes[i])]);
    vocab += da::to_json_string(spelling, "fuzz") + ":" + std::to_string(i) + ",";
  }
  return R"({"decoder":{"type":"ByteLevel"},"model":{"type":"BPE","vocab":{)" + vocab +
         R"("ab":30,"aba":31},"merges":["a b",["ab","a"]]},)";
}

/// The input as further parts of a small tokenizer, so that its model is reached.
std::string completed(std::string_view text) {
  static const std::string begin = beginning();
  static const std::string steps =
      R"("pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},)";
  const bool has_steps = text.find("\"pre_tokenizer\"") != std::string_view::npos;
  return begin + (has_steps ? "" : steps) + std::string(text) + "}";
}

void use(const da::HuggingFaceTokenizer& tokenizer, std::string_view text) {
  for (const bool special : {false, true}) {
    std::vector<da::Token> tokens;
    special ? tokenizer.encode_with_special_tokens(text, tokens) : tokenizer.encode(text, tokens);
    for (const da::Token token : tokens) {
      fuzz::require(token >= 0 && static_cast<std::size_t>(token) < tokenizer.vocab_size(),
                    "a token outside the vocabulary");
      fuzz::require(special || !tokenizer.is_special(token), "text makes a special token");
    }
    da::TokenText stream(tokenizer);
    std::string streamed;
    for (const da::Token token : tokens) streamed += stream.push(token);
    fuzz::require(
        streamed + stream.finish() == decode(tokenizer, std::span<const da::Token>(tokens)),
        "two decodings");
  }
}

/// The text in parts, cut by its own bytes, has the tokens of the whole at every step.
void grow(const da::HuggingFaceTokenizer& tokenizer, std::string_view text) {
  da::IncrementalEncoder encoder(tokenizer);
  std::vector<da::Token> parts, whole;
  const auto add = [&](const std::vector<da::Token>& some) {
    parts.insert(parts.end(), some.begin(), some.end());
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = 1 + static_cast<unsigned char>(text[at]) % 64;
    add(encoder.append(text.substr(at, size)));
    at += size;
  }
  add(encoder.finish());
  tokenizer.encode(text, whole);
  fuzz::require(parts == whole, "a text in parts has other tokens");
}

}  // namespace

/// A file that is read encodes its own text, whole and in parts, and tokens stay inside its
/// vocabulary.
FUZZ_TARGET(text) {
  const auto tokenizer = text.starts_with('{')
                             ? da::HuggingFaceTokenizer::from_json(text, "input")
                             : da::HuggingFaceTokenizer::from_json(completed(text), "input");
  use(tokenizer, text);
  grow(tokenizer, text);
}
