#pragma once

/// Definitions of character_class.hpp; see core/compiled.hpp.

#include "dualagent/text/character_class.hpp"

namespace dualagent {

DUALAGENT_INLINE void CharacterSet::add(char32_t first, char32_t last) {
  for (char32_t word = first / 64; word <= last / 64; ++word) {
    std::uint64_t bits = ~std::uint64_t{0};
    if (word == first / 64) bits &= ~std::uint64_t{0} << (first % 64);
    if (word == last / 64) bits &= ~std::uint64_t{0} >> (63 - last % 64);
    bits_[word] |= bits;
  }
}

DUALAGENT_INLINE std::vector<std::pair<char32_t, char32_t>> CharacterSet::runs() const {
  std::vector<std::pair<char32_t, char32_t>> found;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (c % 64 == 0 && bits_[c / 64] == 0) c += 63;
    if (!contains(c)) continue;
    if (!found.empty() && found.back().second + 1 == c)
      found.back().second = c;
    else
      found.emplace_back(c, c);
  }
  return found;
}

DUALAGENT_INLINE std::optional<CharacterSet> CharacterClassReader::read() {
  if (!rest_.starts_with('[')) return read_atom();
  rest_.remove_prefix(1);
  const bool inverted = take("^");
  CharacterSet set;
  while (!take("]")) {
    if (rest_.empty() || rest_.front() == '[' || rest_.starts_with("&&")) return std::nullopt;
    if (!read_item(set)) return std::nullopt;
  }
  if (inverted) set.invert();
  return set;
}

DUALAGENT_INLINE std::optional<CharacterSet> CharacterClassReader::read_atom() {
  CharacterSet set;
  if (rest_.empty() ||
      std::string_view("()[]{}?*+|^$.").find(rest_.front()) != std::string_view::npos)
    return std::nullopt;
  if (const auto shorthand = read_shorthand()) return shorthand;
  const auto c = read_character();
  if (!c) return std::nullopt;
  set.add(*c, *c);
  return set;
}

DUALAGENT_INLINE bool CharacterClassReader::read_item(CharacterSet& set) {
  if (const auto shorthand = read_shorthand()) {
    set.add(*shorthand);
    return true;
  }
  const auto first = read_character();
  if (!first) return false;
  auto last = first;
  if (rest_.size() > 1 && rest_[0] == '-' && rest_[1] != ']') {
    rest_.remove_prefix(1);
    last = read_character();
    if (!last || *last < *first) return false;
  }
  set.add(*first, *last);
  return true;
}

DUALAGENT_INLINE std::optional<CharacterSet> CharacterClassReader::read_shorthand() {
  const UnicodeTable& table = UnicodeTable::get();
  CharacterSet set;
  if (rest_.size() < 2 || rest_[0] != '\\') return std::nullopt;
  const char kind = rest_[1];
  if (kind == 's' || kind == 'S') {
    set.add_if([&](char32_t c) { return table.is_space(c); });
    rest_.remove_prefix(2);
  } else if (kind == 'd' || kind == 'D') {
    set.add_if([&](char32_t c) { return table.category(c) == Category::Nd; });
    rest_.remove_prefix(2);
  } else if (kind == 'p' || kind == 'P') {
    const std::size_t close = rest_.find('}');
    if (close == std::string_view::npos || rest_.size() < 3 || rest_[2] != '{') return std::nullopt;
    const auto categories = categories_of(rest_.substr(3, close - 3));
    if (!categories) return std::nullopt;
    set.add_if([&](char32_t c) { return table.is_in(c, *categories); });
    rest_.remove_prefix(close + 1);
  } else {
    return std::nullopt;
  }
  if (kind == 'S' || kind == 'D' || kind == 'P') set.invert();
  return set;
}

DUALAGENT_INLINE std::optional<char32_t> CharacterClassReader::read_character() {
  if (rest_.empty()) return std::nullopt;
  const DecodedCharacter c = decode_utf8(rest_);
  if (!c.valid) return std::nullopt;
  if (c.code_point != '\\') {
    rest_.remove_prefix(c.size_bytes);
    return c.code_point;
  }
  if (rest_.size() < 2) return std::nullopt;
  const char escaped = rest_[1];
  constexpr std::string_view kNames = "nrtf", kMeanings = "\n\r\t\f";
  if (const std::size_t at = kNames.find(escaped); at != std::string_view::npos) {
    rest_.remove_prefix(2);
    return static_cast<unsigned char>(kMeanings[at]);
  }
  if (escaped == 'x' || escaped == 'u') return read_hex();
  const auto byte = static_cast<unsigned char>(escaped);
  const bool is_sign =
      byte < 0x80 && byte > 0x20 && UnicodeTable::get().is_in(byte, kPunctuation | kSymbols);
  if (!is_sign && escaped != ' ') return std::nullopt;
  rest_.remove_prefix(2);
  return byte;
}

DUALAGENT_INLINE std::optional<char32_t> CharacterClassReader::read_hex() {
  const bool braces = rest_.size() > 2 && rest_[2] == '{';
  const std::size_t begin = braces ? 3 : 2;
  const std::size_t size = braces            ? std::min(rest_.find('}'), rest_.size()) - begin
                           : rest_[1] == 'x' ? 2
                                             : 4;
  if (rest_.size() < begin + size + (braces ? 1 : 0) || size == 0 || size > 6) return std::nullopt;
  std::uint32_t value = 0;
  const char* const end = rest_.data() + begin + size;
  const auto read = std::from_chars(rest_.data() + begin, end, value, 16);
  if (read.ec != std::errc() || read.ptr != end || value > 0x10FFFF) return std::nullopt;
  rest_.remove_prefix(begin + size + (braces ? 1 : 0));
  return value;
}

DUALAGENT_INLINE std::optional<ClassRun> ClassRun::parse(std::string_view expression) {
  CharacterClassReader reader(expression);
  std::optional<CharacterSet> run = reader.read(), before;
  if (run && reader.take("?")) {
    before = std::move(run);
    run = reader.read();
  }
  if (!run) return std::nullopt;
  std::size_t most = 1;
  if (reader.take("+")) {
    most = static_cast<std::size_t>(-1);
  } else if (reader.take("{1,")) {
    const std::string_view digits = reader.rest();
    const auto read = std::from_chars(digits.data(), digits.data() + digits.size(), most);
    if (read.ec != std::errc() || most == 0 || most > 1000) return std::nullopt;
    if (!reader.take(std::string(digits.data(), read.ptr) + "}")) return std::nullopt;
  }
  if (!reader.rest().empty()) return std::nullopt;
  ClassRun parsed(std::move(*run), most);
  parsed.before_ = std::move(before);
  return parsed;
}

DUALAGENT_INLINE const char* ClassRun::run_from(const char* at, const char* end) const {
  for (std::size_t i = 0; i < most_ && at != end; ++i) {
    const CharacterAt c = character_at(at, end);
    if (!run_.contains(c.code_point)) break;
    at = c.next;
  }
  return at;
}

}  // namespace dualagent
