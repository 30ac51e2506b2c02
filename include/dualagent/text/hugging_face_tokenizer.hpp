#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/types.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/text/added_tokens.hpp"
#include "dualagent/text/bpe_model.hpp"
#include "dualagent/text/nfc.hpp"
#include "dualagent/text/pre_tokenizer.hpp"
#include "dualagent/text/text_cuts.hpp"
#include "dualagent/text/tokenizer.hpp"
#include "dualagent/text/tokenizer_json.hpp"

namespace dualagent {

/// What a HuggingFaceTokenizer is told beside its file.
struct HuggingFaceOptions {
  /// For expressions that no scanner is written for; empty: they are refused.
  ExpressionMaker make_expression = {};
};

/// The tokenizer of a model in Hugging Face's format: byte-level BPE from a tokenizer.json.
///
/// A handle: copies share one immutable state, and any number of threads may use it at once.
/// `encode` gives the ids of the tokenizers package with `encode_special_tokens` (transformers:
/// `split_special_tokens=True`) and without the tokens that the file's post-processor would add:
/// no text makes a special token, while added tokens that are not special (Qwen's `<tool_call>`)
/// are found in text, as the models know them. The bytes of the tokens are those of the text in the
/// file's normalisation; bytes that are not UTF-8 are kept, or become U+FFFD where the vocabulary
/// has no token for them. A byte of UTF-8 without a token (a few control
/// characters of SmolLM2) is left out, as the package does. Ids that the file leaves out have no
/// bytes.
///
/// Errors: Error naming what the file says that is not supported, malformed or missing.
/// Example: const auto tokenizer = HuggingFaceTokenizer::from_file("model/tokenizer.json");
class HuggingFaceTokenizer {
 public:
  static HuggingFaceTokenizer from_file(const std::filesystem::path& path,
                                        const HuggingFaceOptions& options = {}) {
    return from_json(read_file(path), path.string(), options);
  }
  /// `where` names the text in errors.
  static HuggingFaceTokenizer from_json(std::string_view json, const std::string& where,
                                        const HuggingFaceOptions& options = {}) {
    return HuggingFaceTokenizer(read_tokenizer_json(json, where, options.make_expression), where);
  }

  /// One more than the greatest id.
  std::size_t vocab_size() const { return state_->bytes.size(); }

  void encode(std::string_view text, std::vector<Token>& tokens) const {
    encode(text, false, tokens);
  }

  /// As `encode`, but special tokens that the text spells become special tokens, as in a text that
  /// a chat template has rendered. Never for text from outside: whoever writes it could end a turn.
  void encode_with_special_tokens(std::string_view trusted, std::vector<Token>& tokens) const {
    encode(trusted, true, tokens);
  }

  /// The last place in the text, at `from` or behind it, where it can be cut: the tokens of both
  /// parts, joined, are those of the whole, whatever is appended. 0: there is none. See TextCuts.
  std::size_t last_cut(std::string_view text, std::size_t from) const {
    return state_->cuts.last(text, from);
  }

  std::string_view bytes_of(Token token) const;

  /// Any added token, special or not.
  std::optional<Token> special(std::string_view name) const;

  bool is_special(Token token) const;

  /// What the file's post-processor puts before and after a text (a BOS). `encode` never does: the
  /// chat template writes it.
  std::span<const Token> file_prefix() const { return state_->before; }
  std::span<const Token> file_suffix() const { return state_->after; }

 private:
  struct State {
    bool nfc = false;
    std::vector<SplitStep> steps;
    BpeModel model;
    AddedTokenFinder raw, normalized;  // looked for before and after normalisation
    TextCuts cuts;
    std::unordered_map<std::string, Token> added;
    std::vector<bool> is_special;
    std::vector<std::string_view> bytes;  // by id, into `storage`
    std::string storage;
    std::vector<Token> before, after;
    // What encoding needs beside the text, kept for the next call. A call takes one out for itself.
    std::mutex mutex;
    std::vector<std::unique_ptr<BpeScratch>> idle;
  };

  HuggingFaceTokenizer(TokenizerDescription&& file, const std::string& where);

  /// As the package's decoder has it: a spelling that lies in the byte alphabet stands for bytes,
  /// any other for itself, added tokens included.
  void store_bytes(const TokenizerDescription& file);

  /// What a token is looked for by, and decodes to.
  std::string spelling_of(const AddedToken& token) const;

  void store_added(const TokenizerDescription& file);

  /// A scratch taken out of the state, put back at the end.
  class Borrowed {
   public:
    explicit Borrowed(State& state);
    ~Borrowed() {
      const std::lock_guard lock(state_.mutex);
      if (scratch_) state_.idle.push_back(std::move(scratch_));
    }
    Borrowed(const Borrowed&) = delete;
    Borrowed& operator=(const Borrowed&) = delete;
    BpeScratch& operator*() {
      if (!scratch_) scratch_ = std::make_unique<BpeScratch>(state_.bytes.size());
      return *scratch_;
    }

   private:
    State& state_;
    std::unique_ptr<BpeScratch> scratch_;
  };

  void encode(std::string_view text, bool special, std::vector<Token>& tokens) const;

  std::shared_ptr<State> state_;
};
static_assert(Tokenizer<HuggingFaceTokenizer>);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/hugging_face_tokenizer.inl"
#endif
