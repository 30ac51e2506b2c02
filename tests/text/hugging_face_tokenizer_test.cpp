#include "dualagent/text/hugging_face_tokenizer.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "dualagent/text/pieces.hpp"
#include "dualagent/text/token_text.hpp"
#include "laws/tokenizer_laws.hpp"
#include "support/catch.hpp"
#include "support/error_of.hpp"
#include "support/golden_tokenizers.hpp"
#include "support/sanitizers.hpp"

using namespace dualagent;

namespace {

/// A line of a golden file: text, ids without special tokens, ids with them, decoded.
void check_golden(const HuggingFaceTokenizer& tokenizer, const nlohmann::json& line) {
  const std::string text = line[0];
  CAPTURE(text);
  const std::vector<Token> plain = line[1], parsed = line[2];
  CHECK(golden::encoded(tokenizer, text) == plain);
  std::vector<Token> ours;
  tokenizer.encode_with_special_tokens(text, ours);
  CHECK(ours == parsed);
  CHECK(valid_utf8(decode(tokenizer, std::span<const Token>(ours))) == line[3].get<std::string>());
}

nlohmann::json tiny() {
  return nlohmann::json::parse(read_file(golden::kTokenizerFolder + "gpt2.json"));
}

std::string refusal(const nlohmann::json& file) {
  return error_of([&] { HuggingFaceTokenizer::from_json(file.dump(), "tiny.json"); });
}

}  // namespace

TEST_CASE("tokens are those of the tokenizers package", "[text][tokenizers]") {
  for (const std::string& name : golden::kTokenizerFamilies) {
    CAPTURE(name);
    const HuggingFaceTokenizer tokenizer = golden::tokenizer_of(name);
    std::istringstream lines(read_file(golden::kTokenizerFolder + name + ".golden.jsonl"));
    std::size_t count = 0;
    for (std::string line; std::getline(lines, line); ++count)
      check_golden(tokenizer, nlohmann::json::parse(line));
    CHECK(count == 140);
  }
}

TEST_CASE("the tokenizers keep the laws", "[text][tokenizers]") {
  const std::vector<std::string> names = {"<|end|>", "<|start|>", "<think>", "</think>",
                                          "<tool_call>"};
  for (const std::string& name : golden::kTokenizerFamilies) {
    if (name == "splits") continue;  // its added tokens take white space with them
    CAPTURE(name);
    const bool nfc = name == "qwen2" || name == "qwen35" || name == "o200k";
    const auto normalized = [&](std::string_view text) {
      std::string form;
      append_nfc(text, form);
      return nfc ? form : std::string(text);
    };
    CHECK(laws::of_tokenizer(golden::tokenizer_of(name), names, normalized).empty());
  }
}

TEST_CASE("only templates write special tokens; other added tokens are found in text",
          "[text][tokenizers]") {
  const HuggingFaceTokenizer tokenizer = golden::tokenizer_of("qwen2");
  const Token end = tokenizer.special("<|end|>").value(),
              think = tokenizer.special("<think>").value();
  CHECK(tokenizer.is_special(end));
  CHECK(!tokenizer.is_special(think));
  CHECK(!tokenizer.special("the"));
  CHECK(golden::encoded(tokenizer, "<think>") == std::vector{think});
  CHECK(golden::encoded(tokenizer, "<|end|>").size() > 1);
  CHECK(encode(tokenizer, Pieces{}.special("<|end|>").text("<|end|>")).front() == end);
  std::vector<Token> trusted;
  tokenizer.encode_with_special_tokens("<|end|>", trusted);
  CHECK(trusted == std::vector{end});
}

TEST_CASE("the file's BOS is told, not added", "[text][tokenizers]") {
  const HuggingFaceTokenizer tokenizer = golden::tokenizer_of("llama3");
  const Token start = tokenizer.special("<|start|>").value();
  REQUIRE(tokenizer.file_prefix().size() == 1);
  CHECK(tokenizer.file_prefix()[0] == start);
  CHECK(tokenizer.file_suffix().empty());
  CHECK(golden::encoded(tokenizer, "").empty());
  const auto prompt = encode(tokenizer, Pieces{}.special("<|start|>").text("a"));  // once
  CHECK(std::count(prompt.begin(), prompt.end(), start) == 1);
}

TEST_CASE("a whole word of the vocabulary is a token where merges are ignored",
          "[text][tokenizers]") {
  nlohmann::json file = nlohmann::json::parse(read_file(golden::kTokenizerFolder + "llama3.json"));
  file["model"]["vocab"]["zq"] = file["model"]["vocab"].size();
  file["added_tokens"] = nlohmann::json::array();
  file["post_processor"] = nullptr;
  const Token zq = file["model"]["vocab"]["zq"];
  CHECK(golden::encoded(HuggingFaceTokenizer::from_json(file.dump(), "x"), "zq") ==
        std::vector{zq});
  file["model"]["ignore_merges"] = false;
  CHECK(golden::encoded(HuggingFaceTokenizer::from_json(file.dump(), "x"), "zq").size() == 2);
}

TEST_CASE("copies are one tokenizer, for any number of threads", "[text][tokenizers]") {
  const HuggingFaceTokenizer tokenizer = golden::tokenizer_of("qwen35");
  const std::string text(2000, 'q');
  const std::vector<Token> expected = golden::encoded(tokenizer, text + "a quick fox 123");
  std::vector<std::vector<Token>> all(4);
  std::vector<std::thread> threads;
  for (std::vector<Token>& own : all)
    threads.emplace_back([copy = tokenizer, &own, &text] {
      for (int i = 0; i < 20; ++i) own = golden::encoded(copy, text + "a quick fox 123");
    });
  for (std::thread& thread : threads) thread.join();
  for (const std::vector<Token>& own : all) CHECK(own == expected);
}

TEST_CASE("long words cost no more than their share", "[text][tokenizers]") {
  // 400 kB without a place to cut: in quadratic time this test would take hours. Under a sanitizer,
  // which looks at memory, a tenth of it.
  constexpr std::size_t kBytes = DUALAGENT_UNDER_ADDRESS_SANITIZER ? 40'000 : 400'000;
  for (const std::string& name :
       {std::string("qwen2"), std::string("deepseek_llm"), std::string("o200k")}) {
    const HuggingFaceTokenizer tokenizer = golden::tokenizer_of(name);
    for (const std::string piece : {"ab", "  ", "\n", "1", "e\u0301", "<", "!", "中"}) {
      std::string text;
      while (text.size() < kBytes) text += piece;
      std::string bytes, form;
      bytes = decode(tokenizer, std::span<const Token>(golden::encoded(tokenizer, text)));
      append_nfc(text, form);
      CHECK(bytes == (name == "deepseek_llm" ? text : form));
    }
  }
}

TEST_CASE("bytes that no text has become U+FFFD where they have no token", "[text][tokenizers]") {
  nlohmann::json file = tiny();
  nlohmann::json vocab = nlohmann::json::object();
  for (const auto& [spelling, id] : file["model"]["vocab"].items()) vocab[spelling] = id;
  vocab["unused"] = vocab["\u00FF"];
  vocab.erase("\u00FF");
  file["model"]["vocab"] = vocab;
  const auto tokenizer = HuggingFaceTokenizer::from_json(file.dump(), "x");
  const auto tokens = golden::encoded(tokenizer, "a\xFFz\xFE");
  CHECK(decode(tokenizer, std::span<const Token>(tokens)) == "a\uFFFDz\xFE");
}

TEST_CASE("what cannot be read is refused by name", "[text][tokenizers]") {
  CHECK(refusal(tiny()) == "no error");
  const auto with = [](const char* pointer, nlohmann::json value) {
    nlohmann::json file = tiny();
    file[nlohmann::json::json_pointer(pointer)] = std::move(value);
    return refusal(file);
  };
  CHECK_THAT(with("/model/type", "Unigram"), ContainsSubstring("model.type = Unigram"));
  CHECK_THAT(with("/model/dropout", 0.1), ContainsSubstring("model.dropout"));
  CHECK_THAT(with("/model/end_of_word_suffix", "</w>"), ContainsSubstring("end_of_word_suffix"));
  CHECK_THAT(with("/model/newthing", 1), ContainsSubstring("model.newthing"));
  CHECK_THAT(with("/normalizer", {{"type", "Lowercase"}}),
             ContainsSubstring("normalizer.type = Lowercase"));
  CHECK_THAT(with("/pre_tokenizer", {{"type", "Metaspace"}}), ContainsSubstring("Metaspace"));
  CHECK_THAT(with("/pre_tokenizer/add_prefix_space", true), ContainsSubstring("add_prefix_space"));
  CHECK_THAT(with("/pre_tokenizer", nullptr), ContainsSubstring("pre_tokenizer"));
  CHECK_THAT(with("/decoder", {{"type", "WordPiece"}}),
             ContainsSubstring("decoder.type = WordPiece"));
  CHECK_THAT(with("/post_processor", {{"type", "BertProcessing"}}),
             ContainsSubstring("BertProcessing"));
  CHECK_THAT(with("/model/merges/0", "a b c"), ContainsSubstring("model.merges[0]"));
  CHECK_THAT(with("/model/merges/1", "a \u2603"), ContainsSubstring("not in model.vocab"));
  CHECK_THAT(with("/model/vocab/!", 7), ContainsSubstring("has the id 7 of"));
  CHECK_THAT(with("/model/vocab/!", -7), ContainsSubstring("not a token's id"));
  CHECK_THAT(with("/added_tokens/0/id", 9999),
             ContainsSubstring("the id 9999, where the tokenizers package"));
  CHECK_THAT(refusal(nlohmann::json::array()),
             ContainsSubstring("is not a JSON object (tiny.json)"));
  nlohmann::json file = tiny();
  file["model"]["vocab"].erase("a");
  file["model"]["merges"] = nlohmann::json::array();
  file["added_tokens"] = nlohmann::json::array();
  file["post_processor"] = nullptr;
  const auto tokenizer = HuggingFaceTokenizer::from_json(file.dump(), "x");  // the byte is left out
  CHECK(decode(tokenizer, std::span<const Token>(golden::encoded(tokenizer, "bab a"))) == "bb ");
  file["model"]["unk_token"] = "b";
  CHECK_THAT(refusal(file), ContainsSubstring("no token 'a' for byte 97"));
  const nlohmann::json unknown = {
      {"type", "Split"}, {"pattern", {{"Regex", "(a|b)+"}}}, {"behavior", "Isolated"}};
  CHECK_THAT(with("/pre_tokenizer", {{"type", "Sequence"}, {"pretokenizers", {unknown}}}),
             ContainsSubstring("link dualagent::pcre2"));
}

TEST_CASE("real tokenizer.json files are read, or refused by name", "[text][tokenizers]") {
  const char* const folder = std::getenv("DUALAGENT_REAL_MODELS");
  if (folder == nullptr) {
    std::cout << "DUALAGENT_REAL_MODELS is not set: no tokenizer.json of a real model was read\n";
    return;
  }
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().filename() != "tokenizer.json") continue;
    ++count;
    CAPTURE(entry.path());
    const std::string fault = error_of([&] {
      const auto tokenizer = HuggingFaceTokenizer::from_file(entry.path());
      const std::string text = "It's 2026: naïve café, 你好 <|im_end|> </s>\n\n\tx";
      CHECK(decode(tokenizer, std::span<const Token>(golden::encoded(tokenizer, text))) == text);
    });
    if (fault != "no error") {
      std::cout << fault << "\n";
      CHECK_THAT(fault, ContainsSubstring("is not supported"));
    }
  }
  CHECK(count > 0);
}
