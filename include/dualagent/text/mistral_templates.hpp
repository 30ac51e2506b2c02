#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "dualagent/text/chat_template.hpp"
#include "dualagent/text/mistral_calls.hpp"

namespace dualagent {

namespace detail {

/// The system message of Mistral Small 3.2 up to its date, and after it.
inline constexpr std::string_view kMistralSmall32BeforeDate =
    "You are Mistral Small 3, a Large Language Model (LLM) created by Mistral AI, a French "
    "startup headquartered in Paris.\n"
    "Your knowledge base was last updated on 2023-10-01. The current date is ";
inline constexpr std::string_view kMistralSmall32AfterDate =
    ".\n\n"
    "When you're not sure about some information or when the user's request requires "
    "up-to-date or specific data, you must use the available tools to fetch the information. "
    "Do not hesitate to use tools whenever they can provide a more accurate or complete "
    "response. If no relevant tools are available, then clearly state that you don't have "
    "the information and avoid making up anything.\n\n"
    "If the user's question is not clear, ambiguous, or does not provide enough context for "
    "you to accurately answer the question, you do not try to answer it right away and you "
    "rather ask the user to clarify their request (e.g. \"What are some good restaurants "
    "around me?\" => \"Where are you?\" or \"When is the next flight to Tokyo\" => \"Where "
    "do you travel from?\").\n"
    "You are always very attentive to dates, and when asked about information at specific "
    "dates, you discard information that is at another date.\n"
    "You follow these instructions in all languages, and always respond to the user in the "
    "language they use or request.\n"
    "Next sections describe the capabilities that you have.\n\n"
    "# WEB BROWSING INSTRUCTIONS\n\n"
    "You cannot perform any web search or access internet to open URLs, links etc. If it "
    "seems like the user is expecting you to do so, you clarify the situation and ask the "
    "user to copy paste the text directly in the chat.\n\n"
    "# MULTI-MODAL INSTRUCTIONS\n\n"
    "You have the ability to read images, but you cannot generate images. You also cannot "
    "transcribe audio files or videos.\n"
    "You cannot read nor transcribe audio files or videos.\n\n"
    "# TOOL CALLING INSTRUCTIONS\n\n"
    "You may have access to tools that you can use to fetch information or perform actions. "
    "You must use these tools in the following situations:\n\n"
    "1. When the request requires up-to-date information.\n"
    "2. When the request requires specific data that you do not have in your knowledge "
    "base.\n"
    "3. When the request involves actions that you cannot perform without tools.\n\n"
    "Always prioritize using tools to provide the most accurate and helpful response. If "
    "tools are not available, inform the user that you cannot perform the requested action "
    "at the moment.";

/// The system message of Ministral 3 Reasoning.
inline constexpr std::string_view kMinistral3System =
    "# HOW YOU SHOULD THINK AND ANSWER\n\n"
    "First draft your thinking process (inner monologue) until you arrive at a response. "
    "Format your response using Markdown, and use LaTeX for any mathematical equations. "
    "Write both your thoughts and the response in the same language as the input.\n\n"
    "Your thinking process must follow the template below:[THINK]Your thoughts or/and draft, "
    "like working through an exercise on scratch paper. Be as casual and as long as you want "
    "until you are confident to generate the response to the user.[/THINK]Here, provide a "
    "self-contained response.";

/// What the templates of Mistral share: `[INST]TEXT[/INST]TEXT</s>`, with nothing before a turn of
/// the model, and a message for each result.
struct MistralMessages {
  static constexpr std::string_view end_of_turn = "</s>";
  static constexpr std::array<std::string_view, 0> other_ends{};
  static constexpr bool begins_thinking() { return false; }

  void user(Pieces& pieces, std::string_view text) const {
    begin_user(pieces);
    pieces.text(text);
    end_user(pieces);
  }
  void begin_user(Pieces& pieces) const { pieces.special("[INST]"); }
  void end_user(Pieces& pieces) const { pieces.special("[/INST]"); }
  void assistant(Pieces&) const {}
  void after_turn(Pieces&) const {}
  void results(Pieces& pieces, std::span<const std::string> bodies) const {
    for (const std::string& body : bodies)
      pieces.special("[TOOL_RESULTS]").text(body).special("[/TOOL_RESULTS]");
  }

 protected:
  static void write_tools(Pieces& pieces, std::string_view tools) {
    if (!tools.empty())
      pieces.special("[AVAILABLE_TOOLS]").text(tools).special("[/AVAILABLE_TOOLS]");
  }
};

}  // namespace detail

/// Mistral Nemo Instruct: `<s>[AVAILABLE_TOOLS]TOOLS[/AVAILABLE_TOOLS][INST]TEXT[/INST]TEXT</s>`.
/// Pair it with MistralNemoCalls.
///
/// It has no system message: the system's text opens the first message of the user. The model's own
/// template writes that text only while that message is the last one and drops it afterwards, and
/// writes the tools before the last message of the user; ours leaves both where they were read
/// first. It has no text beside calls, and refuses a message of the user after a result or after
/// another one (a request for a summary, a summary): ours writes them one behind the other. Source:
/// the chat template of Mistral-Nemo-Instruct-2407.
struct MistralNemo : detail::MistralMessages {
  static constexpr std::string_view thinking_open = {}, thinking_close = {};
  static constexpr std::string_view append_only =
      "tools and the system's text stay at the first message of the user";

  void open(Pieces& pieces, const Opening& opening) const {
    pieces.special("<s>");
    write_tools(pieces, opening.tools);
    begin_user(pieces);
    pieces.text(opening.system).text(opening.system.empty() ? "" : "\n\n").text(opening.user);
    end_user(pieces);
  }
};
static_assert(ChatTemplate<MistralNemo>);

/// Mistral Small 3.2 Instruct: `<s>[SYSTEM_PROMPT]TEXT[/SYSTEM_PROMPT]`, tools and messages as
/// those of Mistral Nemo. Pair it with MistralSmall32Calls.
///
/// The model's own template writes the tools before the last message of the user; ours leaves them
/// before the first. It has no text beside calls, and refuses a message of the user after a result
/// or after another one: ours writes them one behind the other. The default system message holds a
/// date: the model's own writes the day on which it is run, ours `today`, so that a run can be
/// repeated. Source: the chat template of Mistral-Small-3.2-24B-Instruct-2506.
/// Example: MistralSmall32{"2025-12-31"}
struct MistralSmall32 : detail::MistralMessages {
  std::string today;  ///< year, month, day; by default the month in the model's name

  explicit MistralSmall32(std::string date = "2025-06-01") : today(std::move(date)) {}

  static constexpr std::string_view thinking_open = {}, thinking_close = {};
  static constexpr std::string_view append_only = "tools stay before the first message of the user";

  void open(Pieces& pieces, const Opening& opening) const {
    pieces.special("<s>").special("[SYSTEM_PROMPT]");
    if (!opening.system.empty())
      pieces.text(opening.system);
    else
      pieces.text(detail::kMistralSmall32BeforeDate)
          .text(today)
          .text(detail::kMistralSmall32AfterDate);
    pieces.special("[/SYSTEM_PROMPT]");
    write_tools(pieces, opening.tools);
    user(pieces, opening.user);
  }

  /// `ID[TOOL_CONTENT]TEXT` in the words of the call format; [TOOL_CONTENT] is a token behind an id
  /// alone, never in the text.
  void results(Pieces& pieces, std::span<const std::string> bodies) const {
    for (const std::string& body : bodies) {
      const std::string_view text = body;
      pieces.special("[TOOL_RESULTS]");
      const std::size_t id = text.find(kContent);
      if (id == 0 || id == detail::kMistralIdSize)
        pieces.text(text.substr(0, id)).special(kContent).text(text.substr(id + kContent.size()));
      else
        pieces.text(text);
      pieces.special("[/TOOL_RESULTS]");
    }
  }

 private:
  static constexpr std::string_view kContent = "[TOOL_CONTENT]";
};
static_assert(ChatTemplate<MistralSmall32>);

/// Ministral 3 Reasoning: `<s>[SYSTEM_PROMPT]TEXT[/SYSTEM_PROMPT]`, then tools, messages
/// `[INST]TEXT[/INST]` and turns `[THINK]THOUGHTS[/THINK]TEXT</s>`. Pair it with Ministral3Calls.
///
/// Other models whose template differs in the default system message alone are written with their
/// own; with an empty one there is a system message only where it has a text. A system text that is
/// given is text: [THINK] is a token in the default alone. The model's own template refuses a
/// message of the user after a result or after another one: ours writes them one behind the other.
/// Source: the chat template of Ministral-3-14B-Reasoning-2512. Example: Ministral3{""}
struct Ministral3 : detail::MistralMessages {
  std::string system;  ///< where none is given

  explicit Ministral3(std::string default_system = std::string(detail::kMinistral3System))
      : system(std::move(default_system)) {}

  static constexpr std::string_view thinking_open = "[THINK]", thinking_close = "[/THINK]";
  static constexpr std::string_view append_only = {};

  void open(Pieces& pieces, const Opening& opening) const {
    static constexpr std::array<std::string_view, 2> kMarkers{thinking_open, thinking_close};
    pieces.special("<s>");
    if (!opening.system.empty() || !system.empty()) {
      pieces.special("[SYSTEM_PROMPT]");
      if (!opening.system.empty())
        pieces.text(opening.system);
      else
        pieces.marked_text(system, kMarkers);
      pieces.special("[/SYSTEM_PROMPT]");
    }
    write_tools(pieces, opening.tools);
    user(pieces, opening.user);
  }

  void said(Pieces& pieces, std::string_view thoughts, std::string_view text) const {
    if (!thoughts.empty()) pieces.marker(thinking_open).text(thoughts).marker(thinking_close);
    pieces.text(text);
  }
};
static_assert(ChatTemplate<Ministral3>);

}  // namespace dualagent
