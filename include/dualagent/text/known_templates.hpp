#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "dualagent/core/compiled.hpp"
#include "dualagent/core/sha256.hpp"
#include "dualagent/text/any_call_format.hpp"
#include "dualagent/text/any_chat_template.hpp"
#include "dualagent/text/chat_dialect.hpp"
#include "dualagent/text/chatml_templates.hpp"
#include "dualagent/text/deepseek_templates.hpp"
#include "dualagent/text/gemma_template.hpp"
#include "dualagent/text/glm_calls.hpp"
#include "dualagent/text/glm_templates.hpp"
#include "dualagent/text/hermes_calls.hpp"
#include "dualagent/text/llama3_calls.hpp"
#include "dualagent/text/llama3_template.hpp"
#include "dualagent/text/mistral_calls.hpp"
#include "dualagent/text/mistral_templates.hpp"
#include "dualagent/text/phi_template.hpp"
#include "dualagent/text/qwen3_coder_calls.hpp"
#include "dualagent/text/qwen_coder_calls.hpp"

/// Which Jinja texts of checkpoints write what our templates write.
namespace dualagent {

/// What a dialect is to do beyond what its model's template says.
struct DialectOptions {
  ChatOptions chat = {};
  Thinking thinking = Thinking::on;  ///< of models that have the choice
  /// What stands where a template writes a date, in its own form: 26 Jul 2024 in Llama's,
  /// 2025-06-01 in Mistral's. Empty: these two, so that runs are alike whatever the day.
  std::string today = {};
};

/// A chat template that is implemented here, and the calls that go with it.
struct KnownTemplate {
  enum class Thoughts : std::uint8_t { none, as_asked, always };

  std::string_view name;    ///< e.g. "qwen3"
  std::string_view models;  ///< whose it is, for people
  std::string_view mark;    ///< a text that stands in every Jinja text of its family
  std::string_view bos;     ///< the token that it writes first; empty: none
  Thoughts thoughts = Thoughts::none;
  AnyChatTemplate (*chat)(const DialectOptions&) = nullptr;
  AnyCallFormat (*calls)(const DialectOptions&) = nullptr;
};

namespace detail {

inline constexpr std::string_view kChatMlMark = "<|im_start|>", kLlamaMark = "<|start_header_id|>",
                                  kLlamaBos = "<|begin_of_text|>", kDeepSeekMark = "<｜User｜>",
                                  kDeepSeekBos = "<｜begin▁of▁sentence｜>",
                                  kGlmMark = "[gMASK]<sop>", kGemmaMark = "<start_of_turn>",
                                  kPhiMark = "<|end|>", kMistralMark = "[INST]",
                                  kMistralBos = "<s>";

inline AnyCallFormat hermes_calls(const DialectOptions&) { return HermesCalls{}; }
inline AnyCallFormat llama3_calls(const DialectOptions&) { return Llama3Calls{}; }
inline AnyCallFormat mistral_nemo_calls(const DialectOptions&) { return MistralNemoCalls{}; }
inline AnyCallFormat mistral_small32_calls(const DialectOptions&) { return MistralSmall32Calls{}; }
inline AnyCallFormat ministral3_calls(const DialectOptions&) { return Ministral3Calls{}; }
AnyCallFormat qwen_coder_calls(const DialectOptions& options);
AnyCallFormat qwen3_coder_calls(const DialectOptions& options);
AnyCallFormat glm45_calls(const DialectOptions& options);
AnyCallFormat glm47_calls(const DialectOptions& options);

template <class Template>
AnyChatTemplate plain_template(const DialectOptions&) {
  return Template{};
}
template <class Template>
AnyChatTemplate thinking_template(const DialectOptions& options) {
  Template chat;
  chat.thinking = options.thinking;
  return chat;
}
AnyChatTemplate dated_llama(const DialectOptions& options);
AnyChatTemplate dated_mistral(const DialectOptions& options);

using TemplateThoughts = KnownTemplate::Thoughts;

inline constexpr std::array kKnownTemplates{
    KnownTemplate{"chatml", "many", kChatMlMark, "", TemplateThoughts::none,
                  &plain_template<ChatMl>, &hermes_calls},
    KnownTemplate{"smollm2", "SmolLM2 Instruct", kChatMlMark, "", TemplateThoughts::none,
                  &plain_template<SmolLm2>, &hermes_calls},
    KnownTemplate{"qwen2", "Qwen 2 Instruct, Qwen 2.5 base", kChatMlMark, "",
                  TemplateThoughts::none,
                  [](const DialectOptions&) -> AnyChatTemplate {
                    return Qwen25{"You are a helpful assistant."};
                  },
                  &hermes_calls},
    KnownTemplate{"qwen2.5", "Qwen 2.5 Instruct and Coder", kChatMlMark, "", TemplateThoughts::none,
                  &plain_template<Qwen25>, &hermes_calls},
    KnownTemplate{"qwen2.5-math", "Qwen 2.5 Math", kChatMlMark, "", TemplateThoughts::none,
                  [](const DialectOptions&) -> AnyChatTemplate {
                    return Qwen25{
                        "Please reason step by step, and put your final answer within "
                        "\\boxed{}."};
                  },
                  &hermes_calls},
    KnownTemplate{"qwen3", "Qwen 3", kChatMlMark, "", TemplateThoughts::as_asked,
                  &thinking_template<Qwen3>, &hermes_calls},
    KnownTemplate{"qwen3-instruct-2507", "Qwen 3 Instruct 2507", kChatMlMark, "",
                  TemplateThoughts::none, &plain_template<ChatMl>, &hermes_calls},
    KnownTemplate{"qwq", "QwQ", kChatMlMark, "", TemplateThoughts::always, &plain_template<QwQ>,
                  &hermes_calls},
    KnownTemplate{"qwen3.5", "Qwen 3.5 and 3.6", kChatMlMark, "", TemplateThoughts::as_asked,
                  &thinking_template<Qwen35>, &qwen_coder_calls},
    KnownTemplate{"qwen3-coder", "Qwen3-Coder", kChatMlMark, "", TemplateThoughts::none,
                  &plain_template<Qwen3Coder>, &qwen3_coder_calls},
    KnownTemplate{
        "llama3", "Llama 3 Instruct", kLlamaMark, kLlamaBos, TemplateThoughts::none,
        [](const DialectOptions&) -> AnyChatTemplate { return Llama3{.knowledge_date = ""}; },
        &llama3_calls},
    KnownTemplate{"llama3.1", "Llama 3.1 and 3.3 Instruct", kLlamaMark, kLlamaBos,
                  TemplateThoughts::none, &dated_llama, &llama3_calls},
    KnownTemplate{"llama3.2", "Llama 3.2 Instruct", kLlamaMark, kLlamaBos, TemplateThoughts::none,
                  &dated_llama, &llama3_calls},
    KnownTemplate{"deepseek-v3", "DeepSeek V2.5 and V3", kDeepSeekMark, kDeepSeekBos,
                  TemplateThoughts::none, &plain_template<DeepSeekV3>, &hermes_calls},
    KnownTemplate{"deepseek-v3.1", "DeepSeek V3.1", kDeepSeekMark, kDeepSeekBos,
                  TemplateThoughts::as_asked, &thinking_template<DeepSeekV31>, &hermes_calls},
    KnownTemplate{"deepseek-r1", "DeepSeek R1 and its distillations", kDeepSeekMark, kDeepSeekBos,
                  TemplateThoughts::always, &plain_template<DeepSeekR1>, &hermes_calls},
    KnownTemplate{"deepseek-r1-0528", "DeepSeek R1-0528-Qwen3", kDeepSeekMark, kDeepSeekBos,
                  TemplateThoughts::always,
                  [](const DialectOptions&) -> AnyChatTemplate { return DeepSeekR1{false}; },
                  &hermes_calls},
    KnownTemplate{"glm-4", "GLM-4 9B Chat", kGlmMark, "", TemplateThoughts::none,
                  [](const DialectOptions&) -> AnyChatTemplate { return Glm4{false}; },
                  &hermes_calls},
    KnownTemplate{"glm-4-0414", "GLM-4 0414", kGlmMark, "", TemplateThoughts::none,
                  &plain_template<Glm4>, &hermes_calls},
    KnownTemplate{"glm-4.5", "GLM-4.5 and 4.6", kGlmMark, "", TemplateThoughts::as_asked,
                  &thinking_template<Glm45>, &glm45_calls},
    KnownTemplate{"glm-4.7", "GLM-4.7 and 5", kGlmMark, "", TemplateThoughts::as_asked,
                  &thinking_template<Glm47>, &glm47_calls},
    KnownTemplate{"gemma", "Gemma 1 and 2", kGemmaMark, "<bos>", TemplateThoughts::none,
                  &plain_template<Gemma>, &hermes_calls},
    KnownTemplate{"gemma3", "Gemma 3", kGemmaMark, "<bos>", TemplateThoughts::none,
                  &plain_template<Gemma>, &hermes_calls},
    KnownTemplate{"phi3", "Phi-3 and Phi-3.5", kPhiMark, "", TemplateThoughts::none,
                  &plain_template<Phi3>, &hermes_calls},
    KnownTemplate{"mistral-nemo", "Mistral Nemo Instruct", kMistralMark, kMistralBos,
                  TemplateThoughts::none, &plain_template<MistralNemo>, &mistral_nemo_calls},
    KnownTemplate{"mistral-small-3.2", "Mistral Small 3.2 Instruct", kMistralMark, kMistralBos,
                  TemplateThoughts::none, &dated_mistral, &mistral_small32_calls},
    KnownTemplate{"ministral-3-reasoning", "Ministral 3 Reasoning", kMistralMark, kMistralBos,
                  TemplateThoughts::always, &plain_template<Ministral3>, &ministral3_calls},
};

struct KnownDigest {
  std::string_view sha256;  ///< of the Jinja text as Jinja reads it
  std::string_view name;
};

/// Each was rendered by transformers and compared: tests/golden/chat_templates.
std::span<const KnownDigest> known_digests();

}  // namespace detail

/// All templates that `dialect_for` can choose.
inline std::span<const KnownTemplate> known_templates() { return detail::kKnownTemplates; }

/// The template of that name, or null.
const KnownTemplate* known_template(std::string_view name);

/// SHA-256 of a Jinja text as Jinja reads it: line ends are \n, and one at the end is dropped.
std::string chat_template_digest(std::string_view jinja);

/// The template that renders every conversation as this Jinja text does, where turns may be
/// appended at all; null: unknown. The text is not run.
const KnownTemplate* recognized_template(std::string_view jinja);

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/text/known_templates.inl"
#endif
