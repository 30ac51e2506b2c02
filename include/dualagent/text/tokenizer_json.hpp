#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/core/printable.hpp"
#include "dualagent/text/added_tokens.hpp"
#include "dualagent/text/bpe_merges.hpp"
#include "dualagent/text/nfc.hpp"
#include "dualagent/text/pre_tokenizer.hpp"

namespace dualagent {

/// What a tokenizer.json of a byte-level BPE says, checked.
struct TokenizerDescription {
  bool nfc = false;                                            ///< texts are normalised to form C
  std::vector<SplitStep> steps = {};                           ///< the pre-tokenizer
  std::vector<std::pair<std::string, Token>> vocabulary = {};  ///< as spelled in the file
  std::vector<BpeMerge> merges = {};                           ///< in order
  bool knows_unknown =
      false;  ///< unk_token or byte_fallback: what becomes of bytes without a token
  bool ignore_merges = false;          ///< a whole word of the vocabulary is one token
  std::vector<AddedToken> added = {};  ///< each id and each content once
  std::vector<Token> before = {};      ///< what the file's post-processor puts before a text
  std::vector<Token> after = {};       ///< and after it
};

/// Reads a tokenizer.json of a byte-level BPE; whatever it says that is not known, or could change
/// the tokens and is not supported, is refused. `truncation` and `padding` are not applied.
/// Errors: Error naming the place in the file.
TokenizerDescription read_tokenizer_json(std::string_view text, const std::string& where,
                                         const ExpressionMaker& make_expression = {});

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/tokenizer_json.inl"
#endif
