#pragma once

#include <cctype>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

/// A small checker of markup: elements nest, attributes are quoted and named once, text has no bare
/// `<` or unknown entity. Returns what is wrong, or an empty text.
class TagBalance {
 public:
  enum class Kind { html, xml };

  static std::string problem(std::string_view text, Kind kind) {
    TagBalance checker(text, kind);
    checker.run();
    return checker.problem_;
  }

 private:
  TagBalance(std::string_view text, Kind kind) : text_(text), kind_(kind) {}

  void fail(const std::string& what) {
    if (problem_.empty()) problem_ = what + " before: " + std::string(text_.substr(at_, 60));
  }
  bool ended() const { return at_ >= text_.size() || !problem_.empty(); }
  char here() const { return at_ < text_.size() ? text_[at_] : '\0'; }
  bool take(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return false;
    at_ += word.size();
    return true;
  }

  void run() {
    if (kind_ == Kind::html && !take("<!DOCTYPE html>")) fail("no doctype");
    while (!ended())
      if (here() == '<')
        tag();
      else
        character();
    if (!open_.empty()) fail("<" + open_.back() + "> is never closed");
  }

  void character() {
    if (here() == '&') return entity();
    const auto byte = static_cast<unsigned char>(here());
    if (byte < 0x20 && byte != '\n' && byte != '\t') fail("a control character");
    ++at_;
  }

  void entity() {
    for (const char* known : {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"})
      if (take(known)) return;
    fail("an unknown entity");
  }

  std::string name() {
    const std::size_t begin = at_;
    while (std::isalnum(static_cast<unsigned char>(here())) != 0 || here() == '-' || here() == ':')
      ++at_;
    if (at_ == begin) fail("a name is missing");
    return std::string(text_.substr(begin, at_ - begin));
  }

  void tag() {
    if (take("</")) {
      const std::string closed = name();
      if (!take(">")) fail("a closing tag does not end");
      if (open_.empty() || open_.back() != closed) return fail("</" + closed + "> closes nothing");
      open_.pop_back();
      return;
    }
    ++at_;
    const std::string opened = name();
    attributes();
    if (take("/>")) return;
    if (!take(">")) return fail("a tag does not end");
    static const std::set<std::string> kVoid{"meta", "input", "br", "hr", "link", "img"};
    if (kind_ == Kind::html && kVoid.count(opened) != 0) return;
    open_.push_back(opened);
    if (opened == "script" || opened == "style") raw(opened);
  }

  void attributes() {
    std::set<std::string> names;
    while (!ended() && std::isspace(static_cast<unsigned char>(here())) != 0) {
      while (std::isspace(static_cast<unsigned char>(here())) != 0) ++at_;
      if (here() == '>' || here() == '/') return;
      if (!names.insert(name()).second) fail("an attribute stands twice");
      if (!take("=")) {
        if (kind_ == Kind::xml) fail("an attribute has no value");
        continue;
      }
      if (!take("\"")) return fail("a value is not quoted");
      while (!ended() && here() != '"')
        if (here() == '<')
          fail("a bare < in a value");
        else
          character();
      ++at_;
    }
  }

  /// Content that ends only at its own closing tag.
  void raw(const std::string& element) {
    const std::size_t end = text_.find("</" + element, at_);
    if (end == std::string_view::npos) return fail("<" + element + "> does not end");
    at_ = end;
  }

  std::string_view text_;
  Kind kind_;
  std::size_t at_ = 0;
  std::vector<std::string> open_;
  std::string problem_;
};
