#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/json.hpp"
#include "dualagent/io/archive.hpp"
#include "dualagent/store/training_rollout_codec.hpp"
#include "dualagent/store/trajectory_store.hpp"

namespace dualagent {

/// How a StoreService and an HttpStore write calls and answers: rollouts as archives
/// (io/archive.hpp), all else as JSON. Bodies come from outside. Errors: Error naming what is
/// wrong.
namespace store_wire {

inline constexpr std::string_view kRemedy = "Use the same version of dualagent on both sides";

inline std::span<const std::byte> bytes_of(const std::string& body) {
  return std::as_bytes(std::span(body));
}
inline std::string text_of_bytes(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline void write_rollouts(ArchiveWriter& out, std::span<const TrainingRollout> rollouts) {
  out.count(rollouts.size());
  for (const TrainingRollout& one : rollouts) out.text(text_of_bytes(encode_training_rollout(one)));
}
inline std::vector<TrainingRollout> read_rollouts(ArchiveReader& in) {
  std::vector<TrainingRollout> rollouts;
  const std::size_t count = in.count("the rollouts", sizeof(std::uint64_t));
  for (std::size_t i = 0; i < count; ++i)
    rollouts.push_back(decode_training_rollout(bytes_of(in.text("a rollout")),
                                               in.where() + ", rollout " + std::to_string(i)));
  return rollouts;
}

inline std::string commit_body(std::span<const TrainingRollout> rollouts) {
  ArchiveWriter out;
  write_rollouts(out, rollouts);
  return text_of_bytes(out.bytes());
}
inline std::vector<TrainingRollout> read_commit(const std::string& body) {
  ArchiveReader in(bytes_of(body), "the body of a commit");
  std::vector<TrainingRollout> rollouts = read_rollouts(in);
  in.require_end();
  return rollouts;
}

inline std::string claim_reply(const ClaimResult& result) {
  ArchiveWriter out;
  out.count(result.dropped_groups);
  out.count(result.damaged_groups);
  out.count(result.groups.size());
  for (const ClaimedGroup& group : result.groups) {
    out.number(group.lease.number);
    out.number(static_cast<std::uint8_t>(group.stale ? 1 : 0));
    out.count(group.deliveries);
    write_rollouts(out, group.rollouts);
  }
  return text_of_bytes(out.bytes());
}
inline ClaimResult read_claim_reply(const std::string& body) {
  ArchiveReader in(bytes_of(body), "the answer to a claim");
  ClaimResult result;
  result.dropped_groups = static_cast<std::size_t>(in.number<std::uint64_t>("a count"));
  result.damaged_groups = static_cast<std::size_t>(in.number<std::uint64_t>("a count"));
  const std::size_t groups = in.count("the groups", 3 * sizeof(std::uint64_t) + 1);
  for (std::size_t i = 0; i < groups; ++i) {
    ClaimedGroup group;
    group.lease.number = in.number<std::uint64_t>("a lease");
    group.stale = in.number<std::uint8_t>("a group") != 0;
    group.deliveries = static_cast<std::size_t>(in.number<std::uint64_t>("a group"));
    group.rollouts = read_rollouts(in);
    result.groups.push_back(std::move(group));
  }
  in.require_end();
  return result;
}

/// The members of a JSON object; each one must be there, with its type.
class Fields {
 public:
  Fields(const std::string& body, const std::string& where,
         const std::string& remedy = std::string(kRemedy))
      : json_(parse_json(body, where, remedy)), where_(where), remedy_(remedy) {
    if (!json_.is_object()) throw Error("not a JSON object", where_, remedy_);
  }
  std::string text(const char* name) const {
    return get(name, "a text", [](const auto& j) { return j.is_string(); }).get<std::string>();
  }
  std::uint64_t number(const char* name) const {
    return require_count_at(json_, name, where_, remedy_);
  }
  std::size_t count(const char* name) const { return static_cast<std::size_t>(number(name)); }
  double real(const char* name) const {
    return get(name, "a number", [](const auto& j) { return j.is_number(); }).get<double>();
  }
  const nlohmann::json& array(const char* name) const {
    return get(name, "a list", [](const auto& j) { return j.is_array(); });
  }
  bool has(const char* name) const { return json_.contains(name); }
  const std::string& where() const { return where_; }

 private:
  template <class Is>
  const nlohmann::json& get(const char* name, const char* kind, const Is& is) const {
    const auto found = json_.find(name);
    if (found == json_.end() || !is(*found))
      throw Error(std::string("\"") + name + "\" is not " + kind, where_, remedy_);
    return *found;
  }
  nlohmann::json json_;
  std::string where_;
  std::string remedy_;
};

/// Names of an enum's values, in their order.
template <class Enum, std::size_t N>
Enum value_of(const std::array<const char*, N>& names, const std::string& name,
              const std::string& where) {
  for (std::size_t i = 0; i < N; ++i)
    if (name == names[i]) return static_cast<Enum>(i);
  throw Error("\"" + name + "\" is not known", where, std::string(kRemedy));
}
inline constexpr std::array kCommitStatuses{"stored", "full", "disk_full"};
inline constexpr std::array kStalePolicies{"drop", "hand_out"};
inline constexpr std::array kLeaseStatuses{"done", "repeated", "lost"};

inline nlohmann::json commit_reply(const CommitResult& result) {
  return {{"status", kCommitStatuses[static_cast<std::size_t>(result.status)]},
          {"stored", result.stored},
          {"repeated", result.repeated},
          {"late", result.late}};
}
inline CommitResult read_commit_reply(const std::string& body) {
  const Fields fields(body, "the answer to a commit");
  return {.status = value_of<CommitStatus>(kCommitStatuses, fields.text("status"), fields.where()),
          .stored = fields.count("stored"),
          .repeated = fields.count("repeated"),
          .late = fields.count("late")};
}

inline nlohmann::json claim_body(const ClaimRequest& request) {
  nlohmann::json json{{"run", request.run},
                      {"reader", request.reader},
                      {"max_groups", request.max_groups},
                      {"max_bytes", request.max_bytes},
                      {"oldest_answerer", request.oldest.answerer},
                      {"oldest_summarizer", request.oldest.summarizer},
                      {"stale", kStalePolicies[static_cast<std::size_t>(request.stale)]},
                      {"lease_seconds", request.lease_seconds}};
  if (request.step) json["step"] = *request.step;
  return json;
}
inline ClaimRequest read_claim(const std::string& body) {
  const Fields fields(body, "the body of a claim");
  ClaimRequest request{
      .run = fields.text("run"),
      .reader = fields.text("reader"),
      .max_groups = fields.count("max_groups"),
      .max_bytes = fields.count("max_bytes"),
      .oldest = {fields.number("oldest_answerer"), fields.number("oldest_summarizer")},
      .stale = value_of<StalePolicy>(kStalePolicies, fields.text("stale"), fields.where()),
      .lease_seconds = fields.real("lease_seconds")};
  if (fields.has("step")) request.step = fields.number("step");
  return request;
}

inline nlohmann::json leases_body(std::span<const Lease> leases, double seconds = 1) {
  nlohmann::json numbers = nlohmann::json::array();
  for (const Lease& lease : leases) numbers.push_back(lease.number);
  return {{"leases", std::move(numbers)}, {"seconds", seconds}};
}
inline std::vector<Lease> read_leases(const Fields& fields) {
  std::vector<Lease> leases;
  for (const nlohmann::json& number : fields.array("leases"))
    leases.push_back({require_count(number, "a lease", fields.where(), std::string(kRemedy))});
  return leases;
}
inline nlohmann::json statuses_reply(std::span<const LeaseStatus> statuses) {
  nlohmann::json names = nlohmann::json::array();
  for (const LeaseStatus status : statuses)
    names.push_back(kLeaseStatuses[static_cast<std::size_t>(status)]);
  return {{"statuses", std::move(names)}};
}
inline std::vector<LeaseStatus> read_statuses(const std::string& body) {
  const Fields fields(body, "the answer about leases");
  std::vector<LeaseStatus> statuses;
  for (const nlohmann::json& name : fields.array("statuses")) {
    if (!name.is_string())
      throw Error("a status is not a text", fields.where(), std::string(kRemedy));
    statuses.push_back(
        value_of<LeaseStatus>(kLeaseStatuses, name.get<std::string>(), fields.where()));
  }
  return statuses;
}

/// Calls `visit(name, member)` for each member of the statistics.
template <class Stats, class Visit>
void visit_stats(Stats& stats, const Visit& visit) {
  visit("rollouts", stats.rollouts);
  visit("bytes", stats.bytes);
  visit("incomplete_groups", stats.incomplete_groups);
  visit("ready_groups", stats.ready_groups);
  visit("claimed_groups", stats.claimed_groups);
  visit("damaged_groups", stats.damaged_groups);
  visit("stored_rollouts", stats.stored_rollouts);
  visit("repeated_rollouts", stats.repeated_rollouts);
  visit("late_rollouts", stats.late_rollouts);
  visit("deliveries", stats.deliveries);
  visit("acknowledged_groups", stats.acknowledged_groups);
  visit("dropped_groups", stats.dropped_groups);
}
inline nlohmann::json stats_reply(const StoreStats& stats) {
  nlohmann::json json;
  visit_stats(stats, [&](const char* name, const auto& value) { json[name] = value; });
  return json;
}
inline StoreStats read_stats(const std::string& body) {
  const Fields fields(body, "the statistics of a store");
  StoreStats stats;
  visit_stats(stats, [&](const char* name, auto& value) {
    value = static_cast<std::remove_reference_t<decltype(value)>>(fields.number(name));
  });
  return stats;
}

}  // namespace store_wire

}  // namespace dualagent
