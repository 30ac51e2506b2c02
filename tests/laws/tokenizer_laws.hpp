#pragma once

#include <cstddef>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/text/token_text.hpp"
#include "dualagent/text/tokenizer.hpp"
#include "support/hostile_texts.hpp"
#include "support/sanitizers.hpp"

/// What every Tokenizer promises; run it on your own.
namespace laws {

/// Text is encoded twice alike, appended, into tokens of the vocabulary, none of them special,
/// whose bytes are those of `normalized(text)`; every special token is found by its name. Whatever
/// the text: `names` are spelled in it, whole and in parts, among random characters and random
/// bytes. One sentence per violation, each at most once.
template <dualagent::Tokenizer T>
std::set<std::string> of_tokenizer(const T& tokenizer, std::span<const std::string> names,
                                   const std::function<std::string(std::string_view)>& normalized) {
  using dualagent::Token;
  std::set<std::string> found;
  const auto random = dualagent::RandomStream::from_seed(23);
  for (std::size_t i = 0; i < random_cases(3000); ++i) {
    const dualagent::RandomStream draws = random.child(i);
    std::string text = hostile_text(draws.child(0));
    if (!names.empty()) {
      const std::string& name = names[draws.below(0, names.size())];
      text += name.substr(0, name.size() - draws.below(1, 3) % name.size());
      text += hostile_text(draws.child(1));
    }
    std::vector<Token> tokens{1}, again;
    tokenizer.encode(text, tokens);
    tokenizer.encode(text, again);
    if (tokens.front() != 1) found.insert("encode does not append");
    tokens.erase(tokens.begin());
    if (tokens != again) found.insert("one text is encoded in two ways");
    for (const Token token : tokens) {
      if (token < 0 || static_cast<std::size_t>(token) >= tokenizer.vocab_size())
        found.insert("a token is outside the vocabulary");
      if (tokenizer.is_special(token))
        found.insert("text makes the special token " + std::string(tokenizer.bytes_of(token)));
    }
    const std::string bytes = decode(tokenizer, std::span<const Token>(tokens));
    if (bytes != normalized(text))
      found.insert("the bytes of the tokens are not those of the text");
    dualagent::TokenText stream(tokenizer);
    std::string streamed;
    for (const Token token : tokens) {
      const std::string part = stream.push(token);
      if (dualagent::valid_utf8(bytes) == bytes && dualagent::valid_utf8(part) != part)
        found.insert("incremental decoding splits a character");
      streamed += part;
    }
    if (streamed + stream.finish() != bytes) found.insert("incremental decoding differs");
  }
  for (const std::string& name : names)
    if (const auto token = tokenizer.special(name); token && tokenizer.bytes_of(*token) != name)
      found.insert("the token of " + name + " has other bytes");
  if (!tokenizer.bytes_of(-1).empty() ||
      !tokenizer.bytes_of(static_cast<Token>(tokenizer.vocab_size())).empty())
    found.insert("a token outside the vocabulary has bytes");
  return found;
}

}  // namespace laws
