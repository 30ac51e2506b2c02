#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/store/store_clock.hpp"
#include "dualagent/store/training_rollout_codec.hpp"
#include "dualagent/store/trajectory_store.hpp"
#include "support/training_rollouts.hpp"

/// What every TrajectoryStore promises; run it on your own.
namespace laws {

/// The laws of a store. `make(limits, now)` makes a new, empty one, in a std::unique_ptr; `now`
/// gives the milliseconds by which its leases run out.
///
/// Example: laws::of_store([](dualagent::StoreLimits limits, dualagent::StoreClock now) {
///            return std::make_unique<MyStore>(limits, now); })
/// returns one sentence per violation.
template <class Make>
class StoreLaws {
 public:
  explicit StoreLaws(const Make& make) : make_(make) {}

  std::vector<std::string> violations() {
    for (const auto law :
         {&StoreLaws::keys_are_stored_once, &StoreLaws::groups_are_claimed_whole,
          &StoreLaws::order_is_that_of_completion, &StoreLaws::a_claim_is_bounded,
          &StoreLaws::one_lease_is_good, &StoreLaws::a_full_store_refuses,
          &StoreLaws::what_cannot_be_meant_is_refused, &StoreLaws::stale_groups_are_dropped,
          &StoreLaws::stale_groups_are_handed_out, &StoreLaws::readers_ask_for_runs_and_steps,
          &StoreLaws::a_run_is_forgotten, &StoreLaws::threads_lose_and_double_nothing})
      (this->*law)();
    return found_;
  }

 private:
  using TrainingRollouts = std::vector<dualagent::TrainingRollout>;
  using CommitResult = dualagent::CommitResult;
  using CommitStatus = dualagent::CommitStatus;
  using ClaimRequest = dualagent::ClaimRequest;
  using ClaimResult = dualagent::ClaimResult;
  using Lease = dualagent::Lease;
  using LeaseStatus = dualagent::LeaseStatus;
  using StalePolicy = dualagent::StalePolicy;
  using Wanted = training::Wanted;

  auto new_store(dualagent::StoreLimits limits = {}) {
    time_ = 1'000'000;
    return make_(limits, dualagent::StoreClock([this] { return time_.load(); }));
  }
  void expect(bool holds, const std::string& law) {
    if (!holds) found_.push_back(law);
  }
  static ClaimRequest request(const std::string& reader = "reader", std::size_t groups = 1) {
    return {.run = "run", .reader = reader, .max_groups = groups, .lease_seconds = 10};
  }
  /// The number of the first claimed group; nothing if there is none.
  static std::optional<std::size_t> first(const ClaimResult& claimed) {
    if (claimed.groups.empty()) return std::nullopt;
    return claimed.groups[0].rollouts.at(0).rollout().group;
  }
  template <class Store>
  static LeaseStatus acknowledge(Store& store, Lease lease) {
    return store.acknowledge(std::span<const Lease>(&lease, 1)).at(0);
  }
  template <class Store>
  static LeaseStatus give_back(Store& store, Lease lease) {
    return store.give_back(std::span<const Lease>(&lease, 1)).at(0);
  }
  template <class Body>
  static bool throws(const Body& body) {
    try {
      body();
    } catch (const dualagent::Error&) {
      return true;
    }
    return false;
  }

  void keys_are_stored_once() {
    const auto store = new_store();
    const TrainingRollouts group = training::group({});
    expect(store->commit(group) == CommitResult{.stored = 2}, "a new group is stored");
    const CommitResult again{.repeated = 2};
    expect(store->commit(group) == again, "a repeated commit is not stored again");
    ClaimResult claimed = store->claim(request("reader", 9));
    expect(claimed.groups.size() == 1, "a repeated commit makes no second group");
    if (claimed.groups.empty()) return;
    expect(store->commit(group) == again, "a claimed group is not stored again");
    expect(store->commit(training::group({.size = 3})) == CommitResult{.repeated = 3},
           "a complete group takes nothing more, also of another size");
    acknowledge(*store, claimed.groups[0].lease);
    expect(store->commit(group) == again, "an acknowledged group is not stored again");
    expect(store->claim(request()).groups.empty(), "an acknowledged group is not handed out again");
    expect(store->commit(training::group({.writer = "another"})).stored == 2 &&
               store->commit(training::group({.step = 1})).stored == 2 &&
               store->commit(training::group({.group = 1})).stored == 2 &&
               store->commit(training::group({.run = "another"})).stored == 2,
           "run, writer, step and group are parts of the key");
    const auto stats = store->stats();
    expect(stats.stored_rollouts == 10 && stats.repeated_rollouts == 9 &&
               stats.acknowledged_groups == 1 && stats.ready_groups == 4 && stats.rollouts == 8,
           "the counts are those of what happened");
  }

  void groups_are_claimed_whole() {
    const auto store = new_store();
    const TrainingRollouts group = training::group({.size = 3});
    store->commit(std::span(group).subspan(2, 1));
    store->commit(std::span(group).first(1));
    expect(store->claim(request()).groups.empty(), "an incomplete group is not handed out");
    expect(store->stats().incomplete_groups == 1, "an incomplete group is counted");
    store->commit(group);  // once more with what is missing
    const ClaimResult claimed = store->claim(request());
    expect(claimed.groups.size() == 1 && claimed.groups[0].rollouts.size() == 3,
           "a complete group is handed out with all its rollouts");
    for (const auto& one : claimed.groups)
      for (std::size_t i = 0; i < one.rollouts.size(); ++i)
        expect(dualagent::encode_training_rollout(one.rollouts[i]) ==
                   dualagent::encode_training_rollout(group.at(i)),
               "rollouts come back bit by bit, in order of member");
  }

  void order_is_that_of_completion() {
    const auto store = new_store();
    const TrainingRollouts late = training::group({.group = 0});
    store->commit(std::span(late).first(1));
    for (const std::size_t g : {3U, 1U, 2U}) store->commit(training::group({.group = g}));
    store->commit(std::span(late).subspan(1));
    std::vector<std::size_t> order;
    const ClaimResult all = store->claim(request("reader", 9));
    for (const auto& one : all.groups) order.push_back(one.rollouts.at(0).rollout().group);
    expect(order == std::vector<std::size_t>{3, 1, 2, 0},
           "groups are handed out in the order in which they became complete");
    if (all.groups.size() != 4) return;
    give_back(*store, all.groups[1].lease);
    give_back(*store, all.groups[0].lease);
    expect(first(store->claim(request())) == 3, "a group that was given back keeps its place");
    store->claim(request());
    time_ += 10'000;
    const ClaimResult again = store->claim(request());
    expect(first(again) == 3, "a group whose lease ran out keeps its place");
    expect(!again.groups.empty() && again.groups[0].deliveries == 3, "deliveries are counted");
  }

  void a_claim_is_bounded() {
    const auto store = new_store();
    for (const std::size_t g : {0U, 1U, 2U}) store->commit(training::group({.group = g}));
    const std::size_t bytes = store->stats().bytes / 3;
    ClaimRequest wanted = request("reader", 9);
    wanted.max_bytes = 1;
    expect(store->claim(wanted).groups.size() == 1, "one group is handed out whatever it has");
    wanted.max_bytes = 2 * bytes - 1;
    expect(store->claim(wanted).groups.size() == 1, "a claim has no more bytes than it asks for");
    wanted.max_bytes = 2 * bytes;
    store->give_back_all("reader");
    expect(store->claim(wanted).groups.size() == 2, "a claim has the bytes that it asks for");
    expect(store->stats().claimed_groups == 2, "what a claim leaves out stays ready");
  }

  void one_lease_is_good() {
    const auto store = new_store();
    store->commit(training::group({}));
    const ClaimResult a = store->claim(request("a"));
    if (a.groups.empty()) return expect(false, "a complete group is handed out");
    const Lease first_lease = a.groups[0].lease;
    time_ += 9'999;
    expect(store->claim(request("b")).groups.empty(), "a lease that runs keeps others away");
    expect(store->extend(std::span(&first_lease, 1), 5).at(0) == LeaseStatus::done,
           "a lease is extended");
    time_ += 4'999;
    expect(store->claim(request("b")).groups.empty(), "an extended lease runs longer");
    expect(store->stats().claimed_groups == 1, "a claimed group is counted");
    time_ += 1;
    expect(store->stats().ready_groups == 1, "a lease ends when its time is over");
    const ClaimResult b = store->claim(request("b"));
    if (b.groups.empty()) return expect(false, "a group whose lease ran out is handed out");
    expect(acknowledge(*store, first_lease) == LeaseStatus::lost &&
               give_back(*store, first_lease) == LeaseStatus::lost,
           "a lease is lost when another reader has claimed the group");
    time_ += 60'000;
    const Lease second_lease = b.groups[0].lease;
    expect(acknowledge(*store, second_lease) == LeaseStatus::done,
           "a lease that ran out is good until another reader claims the group");
    expect(acknowledge(*store, second_lease) == LeaseStatus::repeated,
           "a repeated acknowledgement is known");
    expect(acknowledge(*store, {second_lease.number + 1000}) == LeaseStatus::lost,
           "an unknown lease is lost");
    expect(store->stats().acknowledged_groups == 1, "a group is acknowledged once");

    store->commit(training::group({.group = 1}));
    store->commit(training::group({.group = 2}));
    store->claim(request("a"));
    store->claim(request("b"));
    expect(store->give_back_all("a") == 1 && first(store->claim(request("b"))) == 1,
           "all that one reader claimed is given back, and nothing else");
  }

  void a_full_store_refuses() {
    const auto store = new_store({.max_rollouts = 6});
    const TrainingRollouts begun = training::group({.group = 0, .size = 3});
    store->commit(std::span(begun).first(1));
    TrainingRollouts two = training::group({.group = 1});
    for (const auto& one : training::group({.group = 2})) two.push_back(one);
    expect(store->commit(two) == CommitResult{.status = CommitStatus::full},
           "a full store refuses");
    expect(store->commit(std::span(two).first(2)).stored == 2, "what was refused is not stored");
    expect(store->commit(std::span(begun).subspan(1)).stored == 2,
           "a group that has begun finds room");
    expect(store->commit(training::group({.group = 3})).status == CommitStatus::full,
           "groups are counted whole");
    ClaimResult claimed = store->claim(request());
    if (claimed.groups.empty()) return expect(false, "a complete group is handed out");
    expect(store->commit(training::group({.group = 3})).status == CommitStatus::full,
           "a claimed group counts until it is acknowledged");
    acknowledge(*store, claimed.groups[0].lease);
    expect(store->commit(training::group({.group = 3})).stored == 2,
           "an acknowledged group makes room");

    const std::size_t bytes = dualagent::encode_training_rollout(training::rollout({}, 0)).size();
    const auto small = new_store({.max_bytes = 2 * bytes + bytes / 2});
    expect(small->commit(training::group({.group = 0})).stored == 2, "bytes below the limit fit");
    expect(small->commit(training::group({.group = 1})).status == CommitStatus::full,
           "bytes above the limit are refused");
  }

  void what_cannot_be_meant_is_refused() {
    const auto store = new_store({.max_rollouts = 4});
    expect(throws([&] { store->commit(training::group({.size = 5})); }),
           "a group that never fits is an error");
    const TrainingRollouts group = training::group({});
    store->commit(std::span(group).first(1));
    TrainingRollouts mixed = training::group({.group = 1});
    mixed.push_back(training::rollout({.size = 3}, 2));
    expect(throws([&] { store->commit(mixed); }), "one group has one size");
    expect(store->stats().rollouts == 2, "a commit that is an error stores nothing");
    expect(throws([&] { store->claim({.run = "run", .reader = ""}); }), "a reader has a name");
    expect(throws([&] { store->claim({.run = "run", .reader = "a", .max_groups = 0}); }),
           "a claim asks for a group at least");
    expect(store->commit(std::span<const dualagent::TrainingRollout>{}) == CommitResult{},
           "nothing can be committed");
  }

  template <class Store>
  static void commit_versions(Store& store) {
    store.commit(training::group({.group = 0, .versions = {4, 0}}));
    store.commit(training::group({.group = 1, .versions = {5, 0}}));
    store.commit(training::group({.group = 2, .versions = {5, 1}}));
    const Wanted mixed{.group = 3, .versions = {5, 1}};
    const Wanted older{.group = 3, .versions = {4, 1}};
    store.commit(std::vector{training::rollout(mixed, 0), training::rollout(older, 1)});
    const Wanted begun{.group = 4, .versions = {4, 1}};
    store.commit(std::vector{training::rollout(begun, 0)});
  }

  void stale_groups_are_dropped() {
    const auto store = new_store();
    commit_versions(*store);
    store->claim(request("other"));  // group 0
    ClaimRequest wanted = request("reader", 9);
    wanted.oldest.answerer = 5;
    const ClaimResult claimed = store->claim(wanted);
    expect(claimed.dropped_groups == 2,
           "groups with any token of older weights are dropped, incomplete ones too");
    expect(claimed.groups.size() == 2 && first(claimed) == 1, "other groups are handed out");
    expect(
        store->commit(training::group({.group = 4, .versions = {4, 1}})) == CommitResult{.late = 2},
        "rollouts of a dropped group come late");
    time_ += 10'000;
    wanted.oldest = {.answerer = 5, .summarizer = 1};
    const ClaimResult later = store->claim(wanted);
    expect(later.dropped_groups == 2 && later.groups.size() == 1 && first(later) == 2,
           "each agent has its own oldest version; a claimed group is dropped after its lease");
    const auto stats = store->stats();
    expect(stats.dropped_groups == 4 && stats.late_rollouts == 2 && stats.rollouts == 2,
           "dropped groups are counted and make room");
  }

  void stale_groups_are_handed_out() {
    const auto store = new_store();
    commit_versions(*store);
    ClaimRequest wanted = request("reader", 9);
    wanted.oldest.answerer = 5;
    wanted.stale = StalePolicy::hand_out;
    const ClaimResult claimed = store->claim(wanted);
    std::vector<bool> stale;
    for (const auto& one : claimed.groups) stale.push_back(one.stale);
    expect(stale == std::vector<bool>{true, false, false, true} && claimed.dropped_groups == 0,
           "stale groups are handed out and marked");
  }

  void readers_ask_for_runs_and_steps() {
    const auto store = new_store();
    store->commit(training::group({.step = 2}));
    store->commit(training::group({.run = "another", .step = 1, .versions = {1, 1}}));
    store->commit(training::group({.step = 1}));
    ClaimRequest wanted = request("reader", 9);
    wanted.step = 1;
    const ClaimResult claimed = store->claim(wanted);
    expect(claimed.groups.size() == 1 && claimed.groups[0].rollouts.at(0).source().step == 1,
           "a claim of one step gets that step's groups");
    wanted.step.reset();
    wanted.oldest.answerer = 9;
    expect(store->claim(wanted).dropped_groups == 1 && store->stats().ready_groups == 1,
           "groups of another run are left alone");
  }

  void a_run_is_forgotten() {
    const auto store = new_store();
    for (const std::size_t g : {0U, 1U, 2U}) store->commit(training::group({.group = g}));
    store->commit(training::group({.run = "another"}));
    const ClaimResult claimed = store->claim(request("reader", 2));
    if (claimed.groups.size() != 2) return expect(false, "complete groups are handed out");
    acknowledge(*store, claimed.groups[0].lease);
    store->forget("run");
    expect(store->stats().rollouts == 2, "nothing of the run is left, and all of another one");
    expect(acknowledge(*store, claimed.groups[1].lease) == LeaseStatus::lost,
           "leases of a forgotten run are lost");
    expect(store->commit(training::group({})).stored == 2, "a forgotten key is new");
  }

  void threads_lose_and_double_nothing() {
    constexpr std::size_t kWriters = 3, kReaders = 2, kGroups = 12;
    const auto store = new_store({.max_rollouts = 16});
    std::atomic<std::size_t> acknowledged{0}, writing{kWriters};
    std::vector<std::map<std::tuple<std::string, std::size_t>, int>> seen(kReaders);
    {
      std::vector<std::jthread> threads;
      for (std::size_t w = 0; w < kWriters; ++w)
        threads.emplace_back([&, w] {
          int refusals = 0;  // by an empty store
          for (std::size_t g = 0; g < kGroups; ++g) {
            const auto group =
                training::group({.writer = "writer " + std::to_string(w), .group = g});
            while (store->commit(group).status != CommitStatus::stored &&
                   acknowledged < kWriters * kGroups) {
              // A store that breaks this law may be full of what no reader can empty.
              const auto stats = store->stats();
              if (stats.incomplete_groups > 0 || (stats.rollouts == 0 && ++refusals > 1000)) break;
              std::this_thread::yield();
            }
            store->commit(std::span(group).first(1));
          }
          --writing;
        });
      for (std::size_t r = 0; r < kReaders; ++r)
        threads.emplace_back([&, r] {
          while (acknowledged < kWriters * kGroups) {
            const bool was_writing = writing > 0;
            const ClaimResult claimed = store->claim(request("reader " + std::to_string(r), 3));
            for (const auto& one : claimed.groups) {
              if (acknowledge(*store, one.lease) != LeaseStatus::done) continue;
              const auto& rollout = one.rollouts.at(0);
              ++seen[r][{rollout.source().writer, rollout.rollout().group}];
              ++acknowledged;
            }
            if (!claimed.groups.empty()) continue;
            if (!was_writing) return;
            std::this_thread::yield();
          }
        });
    }
    std::map<std::tuple<std::string, std::size_t>, int> all;
    for (const auto& one : seen)
      for (const auto& [key, count] : one) all[key] += count;
    bool once = all.size() == kWriters * kGroups;
    for (const auto& [key, count] : all) once = once && count == 1;
    expect(once, "threads that write and read lose and double nothing");
  }

  const Make& make_;
  std::atomic<std::int64_t> time_{0};
  std::vector<std::string> found_;
};

template <class Make>
std::vector<std::string> of_store(const Make& make) {
  return StoreLaws<Make>(make).violations();
}

}  // namespace laws
