#include <nlohmann/json.hpp>
#include <string>

#include "dualagent/text/json_text.hpp"
#include "fuzz.hpp"

namespace {

/// Underflowing numbers are the one text that nlohmann_json accepts and this reader does not.
bool has_small_exponent(std::string_view text) {
  return text.find("e-") != text.npos || text.find("E-") != text.npos ||
         text.find(std::string(30, '0')) != text.npos;
}

}  // namespace

/// A value is whole exactly where nlohmann_json accepts it, and its strings have the same text.
FUZZ_TARGET(text) {
  const std::size_t begin = dualagent::skip_json_space(text, 0);
  const dualagent::JsonEnd end = dualagent::skip_json_value(text, begin);
  fuzz::require(end.at <= text.size() || !end.whole(), "a value ends outside the text");
  const bool whole = end.whole() && dualagent::skip_json_space(text, end.at) == text.size();
  const bool odd = text.find('\0') != text.npos || text.starts_with("\xEF\xBB\xBF") ||
                   (!end.whole() && std::string_view(end.fault).find("64 levels") != text.npos) ||
                   has_small_exponent(text);
  fuzz::require(
      odd ? !whole || nlohmann::json::accept(text) : whole == nlohmann::json::accept(text),
      "a value is judged otherwise than by nlohmann_json");
  if (whole && text[begin] == '"') {
    const std::string_view literal = text.substr(begin, end.at - begin);
    fuzz::require(
        dualagent::json_string_text(literal) == nlohmann::json::parse(literal).get<std::string>(),
        "a string has another text than nlohmann_json reads");
  }
  dualagent::walk_json_object(
      text, begin, [](auto, auto, std::size_t) { return static_cast<const char*>(nullptr); });
  const std::string literal = dualagent::json_literal(text);
  fuzz::require(nlohmann::json::accept(literal), "a literal is not JSON");
}
