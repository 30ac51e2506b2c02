#pragma once

/// Definitions of training_rollout_codec.hpp; see core/compiled.hpp.

#include "dualagent/store/training_rollout_codec.hpp"

namespace dualagent::detail {

inline constexpr std::string_view kTrainingMagic = "DualTrai";

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE std::vector<std::byte> encode_training_rollout(const TrainingRollout& training) {
  ArchiveWriter out;
  out.numbers(std::span<const char>(detail::kTrainingMagic));
  out.number(detail::kTrainingFormat);
  out.text(training.source().run);
  out.text(training.source().writer);
  out.number(training.source().step);
  out.count(training.group_size());
  out.number(crc64(out.bytes()));
  const std::vector<std::byte> rollout = encode_rollout(training.rollout());
  out.numbers(std::span(reinterpret_cast<const std::uint8_t*>(rollout.data()), rollout.size()));
  return std::move(out).take();
}

DUALAGENT_INLINE TrainingRollout decode_training_rollout(std::span<const std::byte> bytes,
                                                         const std::string& where) {
  if (bytes.size() < detail::kTrainingMagic.size() ||
      std::memcmp(bytes.data(), detail::kTrainingMagic.data(), detail::kTrainingMagic.size()) != 0)
    throw Error("not an encoded training rollout", where,
                "Give bytes that encode_training_rollout made");
  ArchiveReader in(bytes.subspan(detail::kTrainingMagic.size()), where);
  const auto format = in.number<std::uint32_t>("the format");
  if (format != detail::kTrainingFormat)
    throw Error("an encoded training rollout has format " + std::to_string(format) +
                    ", this library reads format " + std::to_string(detail::kTrainingFormat),
                where, "Use the library version that wrote it");
  RolloutSource source;
  source.run = in.text("the run");
  source.writer = in.text("the writer");
  source.step = in.number<std::uint64_t>("the step");
  const auto group_size = static_cast<std::size_t>(in.number<std::uint64_t>("the group size"));
  const std::size_t head = detail::kTrainingMagic.size() + sizeof(std::uint32_t) +
                           4 * sizeof(std::uint64_t) + source.run.size() + source.writer.size();
  if (in.number<std::uint64_t>("the checksum") != crc64(bytes.first(head)))
    throw Error("an encoded training rollout is damaged: its checksum does not fit", where,
                "Use another copy of it");
  return TrainingAccess::make(std::move(source), group_size,
                              decode_rollout(bytes.subspan(head + sizeof(std::uint64_t)), where));
}

}  // namespace dualagent
