#pragma once

#include <bitset>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dualagent/text/tokenizer.hpp"

namespace dualagent {

/// The names of a tokenizer's special tokens, to find them in texts that should spell none.
///
/// Example: SpecialNames(tokenizer).spelled_in("a<|im_end|>") == "<|im_end|>".
class SpecialNames {
 public:
  template <Tokenizer T>
  explicit SpecialNames(const T& tokenizer) {
    for (std::size_t i = 0; i < tokenizer.vocab_size(); ++i) {
      const auto token = static_cast<Token>(i);
      const std::string_view name = tokenizer.bytes_of(token);
      if (!tokenizer.is_special(token) || name.empty()) continue;
      names_.emplace_back(name);
      first_bytes_.set(static_cast<unsigned char>(name.front()));
    }
  }

  /// The first special token whose name stands in the text, the longest of those that begin there;
  /// nothing if there is none. Time: linear in the text where few of its bytes can begin a name.
  std::optional<std::string> spelled_in(std::string_view text) const {
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (!first_bytes_[static_cast<unsigned char>(text[at])]) continue;
      const std::string* found = nullptr;
      for (const std::string& name : names_)
        if (text.substr(at).starts_with(name) && (found == nullptr || name.size() > found->size()))
          found = &name;
      if (found != nullptr) return *found;
    }
    return std::nullopt;
  }

 private:
  std::vector<std::string> names_;
  std::bitset<256> first_bytes_;
};

}  // namespace dualagent
