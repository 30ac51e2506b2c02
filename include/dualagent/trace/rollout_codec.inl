#pragma once

/// Definitions of rollout_codec.hpp; see core/compiled.hpp.

#include "dualagent/trace/rollout_codec.hpp"

namespace dualagent::detail {

inline constexpr std::string_view kRolloutMagic = "DualRoll";
inline constexpr std::size_t kSpanBytes = 2 + 8;  ///< of a span without its tokens
inline constexpr std::size_t kMinSegmentBytes = 1 + 8 + 8;
inline constexpr std::size_t kSummaryRequestBytes = 5 * 8;
inline constexpr std::size_t kMinToolUseBytes = 8 + 1 + 8;

inline void encode_context(ArchiveWriter& out, const Context& context) {
  out.count(context.spans().size());
  for (const Span& span : context.spans()) {
    out.number(static_cast<std::uint8_t>(span.provenance));
    out.number(static_cast<std::uint8_t>(span.agent));
    out.count(span.size);
    out.numbers(context.tokens(span));
    if (span.is_sampled())
      encode_draws(out, context.log_probs().subspan(span.begin, span.size),
                   context.drawn_log_probs().subspan(span.begin, span.size),
                   context.weight_versions(span));
  }
}

inline void encode_body(ArchiveWriter& out, const Rollout& rollout) {
  out.text(rollout.task_id);
  out.count(rollout.group);
  out.count(rollout.member);
  out.number(static_cast<std::uint8_t>(rollout.status));
  out.text(rollout.ending);
  out.number(static_cast<std::uint8_t>(rollout.answer ? 1 : 0));
  if (rollout.answer) out.text(*rollout.answer);
  out.number(rollout.reward);
  for (const std::size_t count :
       {rollout.turns, rollout.calls, rollout.malformed_turns, rollout.summaries})
    out.count(count);
  out.number(static_cast<std::uint8_t>(rollout.fork ? 1 : 0));
  if (rollout.fork) {
    out.count(rollout.fork->member);
    out.count(rollout.fork->summary);
  }
  out.count(rollout.summary_requests.size());
  for (const SummaryRequest& request : rollout.summary_requests)
    for (const std::size_t count :
         {request.segment, request.position, request.turns, request.calls, request.malformed_turns})
      out.count(count);
  out.count(rollout.tool_uses.size());
  for (const ToolUse& use : rollout.tool_uses) {
    out.text(use.tool);
    out.number(static_cast<std::uint8_t>(use.status));
    out.text(use.problem);
  }
  out.count(rollout.segments.size());
  for (const Segment& segment : rollout.segments) {
    out.number(static_cast<std::uint8_t>(segment.owner));
    out.number(segment.parent ? static_cast<std::uint64_t>(*segment.parent) : kNothing);
    encode_context(out, segment.context);
  }
}

/// Reads a rollout's body and refuses what no rollout can hold.
class RolloutDecoder {
 public:
  RolloutDecoder(std::span<const std::byte> body, std::string where)
      : in_(body, std::move(where)) {}

  Rollout decode() {
    Rollout rollout;
    rollout.task_id = in_.text("the task's id");
    rollout.group = size("the group");
    rollout.member = size("the member");
    rollout.status = one_of<RolloutStatus>(RolloutStatus::aborted, "status");
    rollout.ending = in_.text("the ending");
    if (flag("an answer")) rollout.answer = in_.text("the answer");
    rollout.reward = in_.number<double>("the reward");
    rollout.turns = size("the turns");
    rollout.calls = size("the calls");
    rollout.malformed_turns = size("the malformed turns");
    rollout.summaries = size("the summaries");
    if (flag("a fork")) rollout.fork = ForkOrigin{size("the fork"), size("the fork")};
    decode_summary_requests(rollout);
    decode_tool_uses(rollout);
    decode_segments(rollout);
    for (const SummaryRequest& request : rollout.summary_requests)
      if (request.segment >= rollout.segments.size() ||
          request.position > rollout.segments[request.segment].context.size())
        in_.fail("a summary request lies outside of the rollout's segments");
    in_.require_end();
    return rollout;
  }

 private:
  std::size_t size(std::string_view what) {
    return static_cast<std::size_t>(in_.number<std::uint64_t>(what));
  }
  template <class Enum>
  Enum one_of(Enum last, std::string_view what) {
    return decode_one_of(in_, last, what);
  }
  bool flag(std::string_view what) { return decode_flag(in_, what); }

  void decode_summary_requests(Rollout& rollout) {
    const std::size_t requests = in_.count("the summary requests", kSummaryRequestBytes);
    for (std::size_t i = 0; i < requests; ++i)
      rollout.summary_requests.push_back({.segment = size("a summary request"),
                                          .position = size("a summary request"),
                                          .turns = size("a summary request"),
                                          .calls = size("a summary request"),
                                          .malformed_turns = size("a summary request")});
  }

  void decode_tool_uses(Rollout& rollout) {
    const std::size_t uses = in_.count("the tool uses", kMinToolUseBytes);
    for (std::size_t i = 0; i < uses; ++i) {
      ToolUse use{.tool = in_.text("a tool use")};
      use.status = one_of<ToolStatus>(ToolStatus::timed_out, "status of a tool use");
      use.problem = in_.text("a tool use");
      rollout.tool_uses.push_back(std::move(use));
    }
  }

  void decode_segments(Rollout& rollout) {
    const std::size_t segments = in_.count("the segments", kMinSegmentBytes);
    for (std::size_t i = 0; i < segments; ++i) {
      Segment segment;
      segment.owner = one_of<AgentRole>(AgentRole::summarizer, "agent");
      const auto parent = in_.number<std::uint64_t>("a segment");
      if (parent != kNothing) {
        if (parent >= i) in_.fail("a segment goes on from one that does not come before it");
        segment.parent = static_cast<std::size_t>(parent);
      }
      decode_context(segment.context);
      rollout.segments.push_back(std::move(segment));
    }
  }

  void decode_context(Context& context) {
    const std::size_t spans = in_.count("the spans", kSpanBytes);
    for (std::size_t i = 0; i < spans; ++i) {
      const auto provenance = one_of<Provenance>(Provenance::inherited, "provenance");
      const auto agent = one_of<AgentRole>(AgentRole::summarizer, "agent");
      const std::size_t size = in_.count("a span's tokens", sizeof(Token));
      if (size == 0) in_.fail("a span has no tokens");
      std::vector<Token> tokens = decode_tokens(in_, size);
      if (provenance == Provenance::sampled)
        context.append(decode_draws(in_, agent, std::move(tokens)));
      else
        context.append(provenance, tokens, agent);
    }
  }

  ArchiveReader in_;
};

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE std::vector<std::byte> encode_rollout(const Rollout& rollout) {
  ArchiveWriter out;
  out.numbers(std::span<const char>(detail::kRolloutMagic));
  out.number(detail::kRolloutFormat);
  detail::encode_body(out, rollout);
  out.number(crc64(out.bytes()));
  return std::move(out).take();
}

DUALAGENT_INLINE Rollout decode_rollout(std::span<const std::byte> bytes,
                                        const std::string& where) {
  const std::size_t header = detail::kRolloutMagic.size() + sizeof(std::uint32_t);
  const std::size_t checksum = sizeof(std::uint64_t);
  if (bytes.size() < header + checksum ||
      std::memcmp(bytes.data(), detail::kRolloutMagic.data(), detail::kRolloutMagic.size()) != 0)
    throw Error("not an encoded rollout", where, "Give bytes that encode_rollout made");
  const std::size_t checked = bytes.size() - checksum;
  if (ArchiveReader(bytes.subspan(checked), where).number<std::uint64_t>("the checksum") !=
      crc64(bytes.first(checked)))
    throw Error("an encoded rollout is damaged: its checksum does not fit its " +
                    std::to_string(bytes.size()) + " bytes",
                where, "Use another copy of it");
  const auto format = ArchiveReader(bytes.subspan(detail::kRolloutMagic.size()), where)
                          .number<std::uint32_t>("the format");
  if (format != detail::kRolloutFormat)
    throw Error("an encoded rollout has format " + std::to_string(format) +
                    ", this library reads format " + std::to_string(detail::kRolloutFormat),
                where, "Use the library version that wrote it");
  return detail::RolloutDecoder(bytes.subspan(header, checked - header), where).decode();
}

}  // namespace dualagent
