#pragma once

#include <concepts>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "dualagent/text/chat_template.hpp"

namespace dualagent {

/// A ChatTemplate that is chosen while a program runs: holds any other one.
///
/// Copies share what they hold, which nothing changes.
/// Example: AnyChatTemplate chat = think ? AnyChatTemplate(Qwen3{}) : AnyChatTemplate(ChatMl{});
class AnyChatTemplate {
  struct Interface {
    virtual ~Interface() = default;
    virtual void open(Pieces& pieces, const Opening& opening) const = 0;
    virtual void user(Pieces& pieces, std::string_view text) const = 0;
    virtual void begin_user(Pieces& pieces) const = 0;
    virtual void end_user(Pieces& pieces) const = 0;
    virtual void results(Pieces& pieces, std::span<const std::string> bodies) const = 0;
    virtual void assistant(Pieces& pieces) const = 0;
    virtual void after_turn(Pieces& pieces) const = 0;
    virtual void said(Pieces& pieces, std::string_view thoughts, std::string_view text) const = 0;
    virtual bool begins_thinking() const = 0;
  };

  template <class T>
  struct Holder final : Interface {
    explicit Holder(T held) : chat(std::move(held)) {}
    void open(Pieces& pieces, const Opening& opening) const override { chat.open(pieces, opening); }
    void user(Pieces& pieces, std::string_view text) const override { chat.user(pieces, text); }
    void begin_user(Pieces& pieces) const override { chat.begin_user(pieces); }
    void end_user(Pieces& pieces) const override { chat.end_user(pieces); }
    void results(Pieces& pieces, std::span<const std::string> bodies) const override {
      chat.results(pieces, bodies);
    }
    void assistant(Pieces& pieces) const override { chat.assistant(pieces); }
    void after_turn(Pieces& pieces) const override { chat.after_turn(pieces); }
    void said(Pieces& pieces, std::string_view thoughts, std::string_view text) const override {
      write_text_of_turn(chat, pieces, thoughts, text);
    }
    bool begins_thinking() const override { return chat.begins_thinking(); }
    T chat;
  };

  std::shared_ptr<const Interface> held_;

 public:
  template <class T>
  requires(!std::same_as<T, AnyChatTemplate> && ChatTemplate<T>) AnyChatTemplate(T chat) {
    auto holder = std::make_shared<const Holder<T>>(std::move(chat));
    end_of_turn = holder->chat.end_of_turn;
    other_ends = holder->chat.other_ends;
    thinking_open = holder->chat.thinking_open;
    thinking_close = holder->chat.thinking_close;
    append_only = holder->chat.append_only;
    held_ = std::move(holder);
  }

  void open(Pieces& pieces, const Opening& opening) const { held_->open(pieces, opening); }
  void user(Pieces& pieces, std::string_view text) const { held_->user(pieces, text); }
  void begin_user(Pieces& pieces) const { held_->begin_user(pieces); }
  void end_user(Pieces& pieces) const { held_->end_user(pieces); }
  void results(Pieces& pieces, std::span<const std::string> bodies) const {
    held_->results(pieces, bodies);
  }
  void assistant(Pieces& pieces) const { held_->assistant(pieces); }
  void after_turn(Pieces& pieces) const { held_->after_turn(pieces); }
  void said(Pieces& pieces, std::string_view thoughts, std::string_view text) const {
    held_->said(pieces, thoughts, text);
  }
  bool begins_thinking() const { return held_->begins_thinking(); }

  // Of the held template; they live as long as any copy.
  std::string_view end_of_turn, thinking_open, thinking_close, append_only;
  std::span<const std::string_view> other_ends;
};
static_assert(ChatTemplate<AnyChatTemplate>);

}  // namespace dualagent
