#pragma once

/// Definitions of json_text.hpp; see core/compiled.hpp.

#include "dualagent/text/json_text.hpp"

namespace dualagent {

DUALAGENT_INLINE bool is_json_space(char c) {
  return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

DUALAGENT_INLINE std::size_t skip_json_space(std::string_view text, std::size_t at) {
  while (at < text.size() && is_json_space(text[at])) ++at;
  return at;
}

}  // namespace dualagent

namespace dualagent::detail {

/// 0 to 15, or -1.
inline int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// The four hexadecimal digits at `at`, or -1.
inline int hex_unit(std::string_view text, std::size_t at) {
  if (text.size() < 4 || at > text.size() - 4) return -1;
  int unit = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    const int digit = hex_digit(text[at + i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

/// The high bits of those of eight bytes that are a quote, a backslash, a control character or not
/// ASCII; the lowest set bit is exact, borrows may set others above it.
inline std::uint64_t special_bytes(std::uint64_t eight) {
  constexpr std::uint64_t kOnes = 0x0101010101010101U, kHigh = 0x8080808080808080U;
  const std::uint64_t quote = eight ^ (kOnes * '"'), backslash = eight ^ (kOnes * '\\');
  return ((quote - kOnes) | (backslash - kOnes) | (eight - kOnes * 0x20) | eight) & kHigh;
}

/// Eight bytes at a time to the next byte of a string that may need a look.
inline std::size_t skip_plain_bytes(std::string_view text, std::size_t at) {
  static_assert(std::endian::native == std::endian::little);
  for (; text.size() - at >= 8; at += 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, text.data() + at, 8);
    if (const std::uint64_t found = special_bytes(eight))
      return at + static_cast<std::size_t>(std::countr_zero(found)) / 8;
  }
  return at;
}

/// After the backslash at `at`; surrogates must come in pairs.
inline JsonEnd skip_json_escape(std::string_view text, std::size_t at) {
  if (at + 1 >= text.size()) return {text.size(), "the text ends inside a string"};
  if (text[at + 1] != 'u') {
    const bool known = std::memchr("\"\\/bfnrt", text[at + 1], 8) != nullptr;
    return {known ? at + 2 : at, known ? nullptr : "a string has an unknown escape"};
  }
  const int unit = hex_unit(text, at + 2);
  if (unit < 0) return {at, "a \\u escape needs four hexadecimal digits"};
  if (unit < 0xD800 || unit > 0xDFFF) return {at + 6, nullptr};
  const bool pair = unit < 0xDC00 && text.substr(at + 6, 2) == "\\u" &&
                    (hex_unit(text, at + 8) & ~0x3FF) == 0xDC00;
  return {pair ? at + 12 : at, pair ? nullptr : "a \\u escape is half of a surrogate pair"};
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE JsonEnd skip_json_string(std::string_view text, std::size_t at) {
  for (++at;;) {
    at = detail::skip_plain_bytes(text, at);
    if (at >= text.size()) return {text.size(), "the text ends inside a string"};
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte == '"') return {at + 1, nullptr};
    if (byte == '\\') {
      const JsonEnd escape = detail::skip_json_escape(text, at);
      if (!escape.whole()) return escape;
      at = escape.at;
    } else if (byte < 0x20) {
      return {at, "a string holds a control character that is not escaped"};
    } else if (byte < 0x80) {
      ++at;
    } else {
      const DecodedCharacter character = decode_utf8(text.substr(at));
      if (!character.valid) return {at, "a string holds a byte that is not UTF-8"};
      at += character.size_bytes;
    }
  }
}

}  // namespace dualagent

namespace dualagent::detail {

inline std::size_t skip_digits(std::string_view text, std::size_t at) {
  while (at < text.size() && is_digit(text[at])) ++at;
  return at;
}

inline JsonEnd skip_json_number(std::string_view text, std::size_t at) {
  constexpr const char* kFault = "a number is broken";
  const auto byte = [&](std::size_t i) { return i < text.size() ? text[i] : '\0'; };
  const std::size_t begin = at;
  if (byte(at) == '-') ++at;
  if (!is_digit(byte(at))) return {at, kFault};
  at = byte(at) == '0' ? at + 1 : skip_digits(text, at);
  if (byte(at) == '.') {
    if (!is_digit(byte(at + 1))) return {at + 1, kFault};
    at = skip_digits(text, at + 1);
  }
  const bool exponent = byte(at) == 'e' || byte(at) == 'E';
  if (exponent) {
    ++at;
    if (byte(at) == '+' || byte(at) == '-') ++at;
    if (!is_digit(byte(at))) return {at, kFault};
    at = skip_digits(text, at);
  }
  constexpr std::size_t kSafeBytes = 300;  // no number so short is too large without an exponent
  double value = 0;
  const bool held = (!exponent && at - begin < kSafeBytes) ||
                    std::from_chars(text.data() + begin, text.data() + at, value).ec == std::errc{};
  return {held ? at : begin, held ? nullptr : "a number does not fit a double"};
}

/// A string, a number, true, false or null.
inline JsonEnd skip_json_scalar(std::string_view text, std::size_t at) {
  if (at >= text.size()) return {text.size(), "the text ends where a value is expected"};
  const char c = text[at];
  if (c == '"') return skip_json_string(text, at);
  if (c == '-' || is_digit(c)) return skip_json_number(text, at);
  for (const std::string_view word : {"true", "false", "null"})
    if (text.substr(at, word.size()) == word) return {at + word.size(), nullptr};
  return {at, "a value is expected"};
}

DUALAGENT_INLINE JsonEnd skip_json_key(std::string_view text, std::size_t at) {
  if (at >= text.size()) return {text.size(), "the text ends where a key is expected"};
  if (text[at] != '"') return {at, "a key in double quotes is expected"};
  const JsonEnd key = skip_json_string(text, at);
  if (!key.whole()) return key;
  at = skip_json_space(text, key.at);
  if (at >= text.size()) return {text.size(), "the text ends where a ':' is expected"};
  if (text[at] != ':') return {at, "a ':' is expected after a key"};
  return {skip_json_space(text, at + 1), nullptr};
}

/// The values around the reading place: one bit a level, set for an object.
class JsonNesting {
  static_assert(kMaxJsonDepth <= 64);

 public:
  bool push(bool object) {
    if (depth_ == kMaxJsonDepth) return false;
    bits_ = bits_ << 1U | static_cast<std::uint64_t>(object);
    ++depth_;
    return true;
  }
  void pop() { bits_ >>= 1U, --depth_; }
  bool empty() const { return depth_ == 0; }
  bool in_object() const { return (bits_ & 1U) != 0; }

 private:
  std::uint64_t bits_ = 0;
  std::size_t depth_ = 0;
};

/// After a whole value: closes what ends here and goes past the comma to the next value.
inline JsonEnd leave_json_value(std::string_view text, std::size_t at, JsonNesting& nesting) {
  while (!nesting.empty()) {
    at = skip_json_space(text, at);
    if (at >= text.size())
      return {text.size(), nesting.in_object() ? "the text ends inside an object"
                                               : "the text ends inside an array"};
    if (text[at] == ',') {
      at = skip_json_space(text, at + 1);
      return nesting.in_object() ? skip_json_key(text, at) : JsonEnd{at, nullptr};
    }
    if (text[at] != (nesting.in_object() ? '}' : ']'))
      return {at, nesting.in_object() ? "a ',' or '}' is expected in an object"
                                      : "a ',' or ']' is expected in an array"};
    nesting.pop();
    ++at;
  }
  return {at, nullptr};
}

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE JsonEnd skip_json_value(std::string_view text, std::size_t at) {
  detail::JsonNesting nesting;
  for (;;) {
    JsonEnd end{at, nullptr};
    const char c = at < text.size() ? text[at] : '\0';
    if (c == '{' || c == '[') {
      if (!nesting.push(c == '{')) return {at, "the nesting is deeper than 64 levels"};
      at = skip_json_space(text, at + 1);
      if (at < text.size() && text[at] == (c == '{' ? '}' : ']')) {
        nesting.pop();
        end.at = at + 1;
      } else {
        if (c == '{') end = detail::skip_json_key(text, at);
        if (!end.whole()) return end;
        if (c == '{') at = end.at;
        continue;
      }
    } else {
      end = detail::skip_json_scalar(text, at);
      if (!end.whole()) return end;
    }
    if (nesting.empty()) return end;
    end = detail::leave_json_value(text, end.at, nesting);
    if (!end.whole() || nesting.empty()) return end;
    at = end.at;
  }
}

DUALAGENT_INLINE std::string json_string_text(std::string_view literal) {
  literal = literal.substr(1, literal.size() - 2);
  std::string text;
  text.reserve(literal.size());
  for (std::size_t at = 0;;) {
    const std::size_t backslash = literal.find('\\', at);
    text += literal.substr(at, backslash - at);
    if (backslash == std::string_view::npos) return text;
    const char c = literal[backslash + 1];
    at = backslash + 2;
    if (c != 'u') {
      constexpr std::string_view kNames = "bfnrt";
      const std::size_t name = kNames.find(c);
      text += name == std::string_view::npos ? c : "\b\f\n\r\t"[name];
      continue;
    }
    auto unit = static_cast<std::uint32_t>(detail::hex_unit(literal, at));
    at += 4;
    if (unit >= 0xD800 && unit <= 0xDBFF) {
      const auto low = static_cast<std::uint32_t>(detail::hex_unit(literal, at + 2));
      unit = 0x10000 + ((unit - 0xD800) << 10U) + (low - 0xDC00);
      at += 6;
    }
    append_utf8(text, unit);
  }
}

DUALAGENT_INLINE std::string json_literal(std::string_view text) {
  constexpr std::string_view kHexDigits = "0123456789abcdef", kEscaped = "\"\\\b\f\n\r\t";
  std::string literal;
  literal.reserve(text.size() + text.size() / 8 + 2);
  literal += '"';
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t plain = detail::skip_plain_bytes(text, i);
    literal.append(text, i, plain - i);
    if ((i = plain) == text.size()) break;
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x80) {
      const DecodedCharacter character = decode_utf8(text.substr(i));
      literal += character.valid ? text.substr(i, character.size_bytes) : "\xEF\xBF\xBD";
      i += character.size_bytes;
      continue;
    }
    const bool plain_byte = byte >= 0x20 && byte != '"' && byte != '\\';
    const std::size_t escape = plain_byte ? kEscaped.npos : kEscaped.find(text[i]);
    if (escape != kEscaped.npos)
      (literal += '\\') += "\"\\bfnrt"[escape];
    else if (!plain_byte)
      ((literal += "\\u00") += kHexDigits[byte >> 4U]) += kHexDigits[byte & 0xFU];
    else
      literal += text[i];
    ++i;
  }
  return literal += '"';
}

DUALAGENT_INLINE std::string indented_json(std::string_view json) {
  std::string text;
  std::size_t depth = 0;
  const auto new_line = [&] { text.append("\n").append(4 * depth, ' '); };
  for (std::size_t at = skip_json_space(json, 0); at < json.size();
       at = skip_json_space(json, at)) {
    const char c = json[at];
    const bool opened = !text.empty() && (text.back() == '{' || text.back() == '[');
    const bool closes = c == '}' || c == ']';
    if (closes && depth > 0) --depth;
    if (closes != opened) new_line();
    if (c == '"') {
      const std::size_t end = skip_json_string(json, at).at;
      text += json.substr(at, end - at);
      at = end;
      continue;
    }
    ++at;
    text += c;
    if (c == '{' || c == '[') ++depth;
    if (c == ',') new_line();
    if (c == ':') text += ' ';
  }
  return text;
}

}  // namespace dualagent
