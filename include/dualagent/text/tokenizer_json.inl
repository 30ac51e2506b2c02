#pragma once

/// Definitions of tokenizer_json.hpp; see core/compiled.hpp.

#include "dualagent/text/tokenizer_json.hpp"

namespace dualagent::detail {

/// Reads one tokenizer.json; `where` is the file, and errors name the place in it.
class TokenizerJsonReader {
 public:
  TokenizerJsonReader(std::string where, const ExpressionMaker& make_expression)
      : where_(std::move(where)), make_expression_(make_expression) {}

  TokenizerDescription read(std::string_view text) {
    const Json file = parse_json(text, where_, kFetch);
    if (!file.is_object()) fail("", "is not a JSON object", kFetch);
    read_model(need(file, "", "model", Json::value_t::object));
    read_added(file);
    if (const Json* normalizer = find(file, "normalizer"))
      read_normalizer(*normalizer, "normalizer");
    const Json* pre_tokenizer = find(file, "pre_tokenizer");
    if (pre_tokenizer == nullptr) unsupported("pre_tokenizer", "null");
    read_pre_tokenizer(*pre_tokenizer, "pre_tokenizer");
    if (!byte_level_) fail("pre_tokenizer", "has no ByteLevel", kByteLevelOnly);
    const Json* decoder = find(file, "decoder");
    if (decoder == nullptr) unsupported("decoder", "null");
    read_decoder(*decoder, "decoder");
    if (const Json* processor = find(file, "post_processor"))
      read_post_processor(*processor, "post_processor");
    return std::move(description_);
  }

 private:
  using Json = nlohmann::json;
  static constexpr const char* kFetch =
      "Fetch the file again, or save it with the tokenizers package";
  static constexpr const char* kByteLevelOnly =
      "Only byte-level BPE is read (Llama 3, Qwen, DeepSeek, GLM-4, SmolLM2 and the like)";
  static constexpr Token kMostTokens = 1 << 24;

  [[noreturn]] void fail(const std::string& place, const std::string& what,
                         const std::string& remedy) const {
    throw Error(place.empty() ? "the file " + what : place + " " + what, where_, remedy);
  }
  [[noreturn]] void unsupported(const std::string& place, const std::string& value) const {
    fail(place, "= " + printable(value) + " is not supported", kByteLevelOnly);
  }

  /// An entry, unless it is missing or null.
  static const Json* find(const Json& object, const char* key) {
    const auto found = object.find(key);
    return found == object.end() || found->is_null() ? nullptr : &*found;
  }
  const Json& need(const Json& object, const std::string& place, const char* key,
                   Json::value_t type) const {
    const std::string name = place.empty() ? key : place + "." + key;
    if (!object.is_object()) fail(place, "is not an object", kFetch);
    const Json* value = find(object, key);
    if (value == nullptr) fail(name, "is missing" + misspelt_key(object, key), kFetch);
    if (value->type() != type) fail(name, "is a JSON " + std::string(value->type_name()), kFetch);
    return *value;
  }
  std::string text(const Json& object, const std::string& place, const char* key) const {
    return need(object, place, key, Json::value_t::string).get<std::string>();
  }
  bool flag(const Json& object, const std::string& place, const char* key, bool fallback) const {
    if (find(object, key) == nullptr) return fallback;
    return need(object, place, key, Json::value_t::boolean).get<bool>();
  }
  Token token_id(const Json& value, const std::string& place) const {
    const auto id = count_of(value, {.most = std::uint64_t{kMostTokens} - 1});
    if (!id)
      fail(place, "is " + shown_json(value) + ", not a token's id, a whole number below 2^24",
           kFetch);
    return static_cast<Token>(*id);
  }
  void only_keys(const Json& object, const std::string& place,
                 std::initializer_list<std::string_view> known) const {
    for (const auto& [key, value] : object.items())
      if (!value.is_null() && std::find(known.begin(), known.end(), key) == known.end())
        fail(place + "." + printable(key), "is not known and might change the tokens",
             kByteLevelOnly);
  }
  /// Calls read(element, place) for each element of an array.
  template <class Read>
  void for_each(const Json& object, const std::string& place, const char* key, Read&& read) const {
    const Json& array = need(object, place, key, Json::value_t::array);
    for (std::size_t i = 0; i < array.size(); ++i)
      read(array[i], (place.empty() ? key : place + "." + key) + "[" + std::to_string(i) + "]");
  }

  // The model.

  void read_model(const Json& model) {
    if (const std::string type = text(model, "model", "type"); type != "BPE")
      unsupported("model.type", type);
    only_keys(model, "model",
              {"type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix",
               "fuse_unk", "byte_fallback", "ignore_merges", "vocab", "merges"});
    if (const Json* dropout = find(model, "dropout"); dropout != nullptr && *dropout != 0)
      unsupported("model.dropout", dropout->dump());
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"})
      if (const Json* affix = find(model, key); affix != nullptr && *affix != "")
        unsupported(std::string("model.") + key, affix->dump());
    // With unk_token or byte_fallback each byte must have a token, and they mean nothing.
    description_.knows_unknown =
        find(model, "unk_token") != nullptr || flag(model, "model", "byte_fallback", false);
    description_.ignore_merges = flag(model, "model", "ignore_merges", false);
    read_vocabulary(need(model, "model", "vocab", Json::value_t::object));
    const Json& merges = need(model, "model", "merges", Json::value_t::array);
    description_.merges.reserve(merges.size());
    for (std::size_t i = 0; i < merges.size(); ++i) read_merge(merges[i], i);
  }

  void read_vocabulary(const Json& vocab) {
    std::unordered_map<Token, const std::string*> names;
    description_.vocabulary.reserve(vocab.size());
    ids_.reserve(vocab.size());
    for (const auto& [spelling, id] : vocab.items()) {
      const Token token = token_id(id, "model.vocab['" + printable(spelling) + "']");
      description_.vocabulary.emplace_back(spelling, token);
      ids_.emplace(spelling, token);
    }
    for (const auto& [spelling, token] : description_.vocabulary)
      if (const auto [other, is_new] = names.emplace(token, &spelling); !is_new)
        fail("model.vocab['" + printable(spelling) + "']",
             "has the id " + std::to_string(token) + " of '" + printable(*other->second) + "'",
             kFetch);
  }

  Token id_of(const std::string& spelling, const std::string& place) const {
    const auto found = ids_.find(spelling);
    if (found == ids_.end())
      fail(place, "names '" + printable(spelling) + "', which is not in model.vocab", kFetch);
    return found->second;
  }

  /// "a b" or ["a", "b"].
  void read_merge(const Json& merge, std::size_t index) {
    const auto place = [&] { return "model.merges[" + std::to_string(index) + "]"; };
    std::string left, right;
    if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string()) {
      left = merge[0].get_ref<const std::string&>();
      right = merge[1].get_ref<const std::string&>();
    } else if (merge.is_string()) {
      const std::string& both = merge.get_ref<const std::string&>();
      const std::size_t space = both.find(' ');
      if (space == std::string::npos || both.find(' ', space + 1) != std::string::npos)
        fail(place(), "is not two tokens with a space between them", kFetch);
      left = both.substr(0, space);
      right = both.substr(space + 1);
    } else {
      fail(place(), "is neither a text nor a pair of texts", kFetch);
    }
    const auto id = [&](const std::string& spelling) {
      const auto found = ids_.find(spelling);
      return found != ids_.end() ? found->second : id_of(spelling, place());
    };
    description_.merges.push_back({id(left), id(right), id(left + right)});
  }

  // Added tokens.

  void read_added(const Json& file) {
    if (find(file, "added_tokens") == nullptr) return;
    for_each(file, "", "added_tokens", [&](const Json& entry, const std::string& place) {
      AddedToken token;
      token.content = text(entry, place, "content");
      token.id = token_id(need(entry, place, "id", Json::value_t::number_unsigned), place + ".id");
      token.special = flag(entry, place, "special", false);
      token.normalized = flag(entry, place, "normalized", !token.special);
      token.lstrip = flag(entry, place, "lstrip", false);
      token.rstrip = flag(entry, place, "rstrip", false);
      token.single_word = flag(entry, place, "single_word", false);
      if (token.content.empty()) fail(place, "has no content", kFetch);
      check_added_id(token, place);
      description_.added.push_back(std::move(token));
    });
  }

  /// The tokenizers package gives an added token the id of the vocabulary, else the next one behind
  /// it, whatever the file says; a file that says otherwise means two things.
  void check_added_id(const AddedToken& token, const std::string& place) {
    const auto in_vocabulary = ids_.find(token.content);
    const Token expected = in_vocabulary != ids_.end()
                               ? in_vocabulary->second
                               : std::max(next_added_, static_cast<Token>(ids_.size()));
    if (token.id != expected)
      fail(place,
           "gives '" + printable(token.content) + "' the id " + std::to_string(token.id) +
               ", where the tokenizers package gives it " + std::to_string(expected),
           kFetch);
    if (!added_ids_.insert(token.id).second)
      fail(place, "gives the id " + std::to_string(token.id) + " twice", kFetch);
    next_added_ = std::max(next_added_, static_cast<Token>(token.id + 1));
  }

  // Normalizer, pre-tokenizer, decoder, post-processor.

  void read_normalizer(const Json& normalizer, const std::string& place) {
    const std::string type = text(normalizer, place, "type");
    if (type == "NFC") {
      description_.nfc = true;
    } else if (type == "Sequence") {
      for_each(normalizer, place, "normalizers",
               [&](const Json& part, const std::string& at) { read_normalizer(part, at); });
    } else {
      unsupported(place + ".type", type);
    }
  }

  void read_pre_tokenizer(const Json& step, const std::string& place) {
    const std::string type = text(step, place, "type");
    if (byte_level_) fail(place, "follows ByteLevel, which must be the last step", kByteLevelOnly);
    if (type == "Sequence") {
      only_keys(step, place, {"type", "pretokenizers"});
      for_each(step, place, "pretokenizers",
               [&](const Json& part, const std::string& at) { read_pre_tokenizer(part, at); });
    } else if (type == "Split") {
      read_split(step, place);
    } else if (type == "Digits") {
      only_keys(step, place, {"type", "individual_digits"});
      CharacterSet digits;
      digits.add_if([](char32_t c) { return UnicodeTable::get().is_number(c); });
      const bool individual = flag(step, place, "individual_digits", false);
      description_.steps.push_back({std::make_shared<const ClassRun>(
          std::move(digits), individual ? 1 : static_cast<std::size_t>(-1))});
    } else if (type == "ByteLevel") {
      only_keys(step, place, {"type", "add_prefix_space", "trim_offsets", "use_regex"});
      if (flag(step, place, "add_prefix_space", true))
        unsupported(place + ".add_prefix_space", "true");
      if (flag(step, place, "use_regex", true)) description_.steps.push_back({Scanner{scan_gpt2}});
      byte_level_ = true;
    } else {
      unsupported(place + ".type", type);
    }
  }

  void read_split(const Json& step, const std::string& place) {
    only_keys(step, place, {"type", "pattern", "behavior", "invert"});
    const Json& pattern = need(step, place, "pattern", Json::value_t::object);
    SplitStep split;
    if (find(pattern, "String") != nullptr)
      split.matcher =
          std::make_shared<const LiteralExpression>(text(pattern, place + ".pattern", "String"));
    else
      set_expression(split, text(pattern, place + ".pattern", "Regex"), place + ".pattern.Regex");
    static constexpr std::pair<std::string_view, SplitBehavior> kBehaviors[] = {
        {"Removed", SplitBehavior::removed},
        {"Isolated", SplitBehavior::isolated},
        {"MergedWithPrevious", SplitBehavior::merged_with_previous},
        {"MergedWithNext", SplitBehavior::merged_with_next},
        {"Contiguous", SplitBehavior::contiguous}};
    const std::string behavior = text(step, place, "behavior");
    const auto found = std::find_if(std::begin(kBehaviors), std::end(kBehaviors),
                                    [&](const auto& known) { return known.first == behavior; });
    if (found == std::end(kBehaviors)) unsupported(place + ".behavior", behavior);
    split.behavior = found->second;
    split.invert = flag(step, place, "invert", false);
    description_.steps.push_back(std::move(split));
  }

  void set_expression(SplitStep& split, const std::string& expression,
                      const std::string& place) const {
    if (const Scanner scanner = find_scanner(expression)) {
      split.matcher = scanner;
    } else if (auto run = ClassRun::parse(expression)) {
      split.matcher = std::make_shared<const ClassRun>(std::move(*run));
    } else if (make_expression_) {
      split.matcher = make_expression_(expression);
    } else {
      fail(place, "= " + printable(expression) + " has no scanner of its own",
           "Include dualagent/text/pcre2_expression.hpp, link dualagent::pcre2 and set "
           "HuggingFaceOptions::make_expression to Pcre2Expressions{}");
    }
  }

  void read_decoder(const Json& decoder, const std::string& place) const {
    const std::string type = text(decoder, place, "type");
    if (type == "ByteLevel" || type == "Fuse") return;  // the bytes of the tokens, joined
    if (type != "Sequence") unsupported(place + ".type", type);
    for_each(decoder, place, "decoders",
             [&](const Json& part, const std::string& at) { read_decoder(part, at); });
  }

  void read_post_processor(const Json& processor, const std::string& place) {
    const std::string type = text(processor, place, "type");
    if (type == "ByteLevel") return;  // it trims offsets, which nobody asks for here
    if (type == "Sequence") {
      for_each(processor, place, "processors",
               [&](const Json& part, const std::string& at) { read_post_processor(part, at); });
    } else if (type == "TemplateProcessing") {
      read_template(processor, place);
    } else {
      unsupported(place + ".type", type);
    }
  }

  void read_template(const Json& processor, const std::string& place) {
    std::vector<Token>* side = &description_.before;
    for_each(processor, place, "single", [&](const Json& part, const std::string& at) {
      if (part.is_object() && part.contains("Sequence")) {
        if (side == &description_.after) fail(at, "is a second text", kByteLevelOnly);
        side = &description_.after;
        return;
      }
      const std::string name =
          text(need(part, at, "SpecialToken", Json::value_t::object), at + ".SpecialToken", "id");
      const Json& known = need(processor, place, "special_tokens", Json::value_t::object);
      const std::string entry = place + ".special_tokens." + printable(name);
      const Json& ids =
          need(need(known, place + ".special_tokens", name.c_str(), Json::value_t::object), entry,
               "ids", Json::value_t::array);
      for (const Json& id : ids) {
        side->push_back(token_id(id, entry + ".ids"));
        check_template_id(side->back(), entry);
      }
    });
  }
  void check_template_id(Token token, const std::string& place) const {
    const auto is_it = [&](const auto& other) { return other.id == token; };
    if (std::any_of(description_.added.begin(), description_.added.end(), is_it)) return;
    for (const auto& [spelling, id] : description_.vocabulary)
      if (id == token) return;
    fail(place, "names the id " + std::to_string(token) + ", which no token has", kFetch);
  }

  std::string where_;
  const ExpressionMaker& make_expression_;
  TokenizerDescription description_;
  std::unordered_map<std::string, Token> ids_;
  std::unordered_set<Token> added_ids_;
  Token next_added_ = 0;
  bool byte_level_ = false;
};

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE TokenizerDescription read_tokenizer_json(std::string_view text,
                                                          const std::string& where,
                                                          const ExpressionMaker& make_expression) {
  return detail::TokenizerJsonReader(where, make_expression).read(text);
}

}  // namespace dualagent
