#pragma once

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "dualagent/text/call_format.hpp"

namespace dualagent {

/// A CallFormat that is chosen while a program runs: holds any other one.
///
/// Copies share what they hold, which nothing changes.
/// Example: AnyCallFormat calls = coder ? AnyCallFormat(QwenCoderCalls::of(box.specs()))
///                                      : AnyCallFormat(HermesCalls{});
class AnyCallFormat {
  struct Interface {
    virtual ~Interface() = default;
    virtual Turn parse(std::string_view said) const = 0;
    virtual std::optional<std::size_t> call_end(std::string_view said) const = 0;
    virtual std::string render_calls(std::span<const ToolCall> calls) const = 0;
    virtual std::string render_result(const ToolCall& call, std::string_view text) const = 0;
    virtual std::string describe_tools(std::span<const ToolSpec> tools) const = 0;
  };

  template <class F>
  struct Holder final : Interface {
    explicit Holder(F held) : format(std::move(held)) {}
    Turn parse(std::string_view said) const override { return format.parse(said); }
    std::optional<std::size_t> call_end(std::string_view said) const override {
      return format.call_end(said);
    }
    std::string render_calls(std::span<const ToolCall> calls) const override {
      return format.render_calls(calls);
    }
    std::string render_result(const ToolCall& call, std::string_view text) const override {
      return format.render_result(call, text);
    }
    std::string describe_tools(std::span<const ToolSpec> tools) const override {
      return format.describe_tools(tools);
    }
    F format;
  };

  std::shared_ptr<const Interface> held_;

 public:
  template <class F>
  requires(!std::same_as<F, AnyCallFormat> && CallFormat<F>) AnyCallFormat(F format) {
    auto holder = std::make_shared<const Holder<F>>(std::move(format));
    brackets = holder->format.brackets;
    markers = holder->format.markers;
    result_place = holder->format.result_place;
    before_calls = text_before_calls(holder->format);
    held_ = std::move(holder);
  }

  Turn parse(std::string_view said) const { return held_->parse(said); }
  std::optional<std::size_t> call_end(std::string_view said) const { return held_->call_end(said); }
  std::string render_calls(std::span<const ToolCall> calls) const {
    return held_->render_calls(calls);
  }
  std::string render_result(const ToolCall& call, std::string_view text) const {
    return held_->render_result(call, text);
  }
  std::string describe_tools(std::span<const ToolSpec> tools) const {
    return held_->describe_tools(tools);
  }

  // Of the held format; they live as long as any copy.
  std::span<const CallBrackets> brackets;
  std::span<const std::string_view> markers;
  ResultPlace result_place = ResultPlace::own_message;
  std::string_view before_calls;
};
static_assert(CallFormat<AnyCallFormat>);

}  // namespace dualagent
