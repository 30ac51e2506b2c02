#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dualagent/core/crc64.hpp"
#include "dualagent/core/error.hpp"
#include "dualagent/core/random.hpp"
#include "dualagent/io/archive.hpp"
#include "dualagent/io/record_log.hpp"
#include "dualagent/model/backend.hpp"
#include "dualagent/rollout/rollout_start.hpp"
#include "dualagent/tools/tool.hpp"
#include "dualagent/trace/sampled_codec.hpp"

namespace dualagent {

/// What a journal's records survive.
enum class JournalSurvives : std::uint8_t {
  killed_process,  ///< kill -9, a crash, memory that ran out
  lost_power       ///< that, and the machine: flushed to disk whenever a model has moved on
};

/// A tool's answer as the journal keeps it.
struct JournalledAnswer {
  ToolResult result;
  /// Whether the tool used the episode's ToolMemory: it is then asked again, before the episode's
  /// next call that is not in the journal, so that its memory is what it was.
  bool used_memory = false;
};

/// What the rollouts of a scheduler were answered, in a file: sampled tokens with their
/// log-probabilities and versions, answers of tools, reasons of aborts.
///
/// Each answer is written before its episode goes on. A process that plays the same rollouts again
/// (same tasks, seed, weights and program) is given the recorded answers instead of asking models
/// and tools, until there are none, and then goes on: a run that was killed in the middle of an
/// episode ends with the bytes of one that was not, whatever its tools and engines would have
/// answered the second time. An answer that was on its way when the process was killed is lost, and
/// asked for again: a local model draws the same tokens; a tool is called a second time.
///
/// A rollout is known by its random stream (so by seed, step, group and member); where the same one
/// is played again on purpose, as in every evaluation, by how often before. Records of rollouts
/// that nobody plays again are ignored.
///
/// Errors: Error of files (a disk that is full ends the stream of rollouts; what was written
/// stays); when the rollout of a random stream had another task, and when an episode asks for
/// something else than what was recorded: the program, the tasks or the weights are not those of
/// the journal. One thread uses it. Example: scheduler.use_journal(&journal);
class RolloutJournal {
 public:
  explicit RolloutJournal(const std::filesystem::path& path,
                          JournalSurvives survives = JournalSurvives::killed_process)
      : survives_(survives),
        log_(path, kKind, [&](std::span<const std::byte> record) { read(record, path.string()); }) {
    if (log_.torn_bytes() > 0 && survives == JournalSurvives::lost_power) log_.sync();
  }

  /// Rollouts that begin from now on are played together: an exception that ends one ends all.
  void begin_together() { together_.clear(); }

  /// Starts to play a rollout whose own random stream is `random`; returns its number. One that
  /// `fail` ended, and that is started again by this process, begins anew.
  std::size_t begin(const RolloutStart& start, const RandomStream& random) {
    Plays& plays = plays_[{random.key, random.id}];
    if (plays.last_failed) {
      // Records of an earlier process that come after it are of a course that is not taken again.
      for (std::size_t i = --plays.begun; i < plays.numbers.size(); ++i)
        append(Kind::superseded, plays.numbers[i], [](ArchiveWriter&) {});
      plays.numbers.resize(plays.begun);
      plays.last_failed = false;
    }
    if (plays.begun < plays.numbers.size()) {
      const std::size_t number = plays.numbers[plays.begun++];
      require_same(rollouts_[number], start);
      together_.push_back(number);
      return number;
    }
    const std::size_t number = add(random, start_text(start));
    plays.begun = plays.numbers.size();
    together_.push_back(number);
    append(Kind::start, number, [&](ArchiveWriter& out) {
      out.number(random.key);
      out.number(random.id);
      out.text(rollouts_[number].start);
    });
    return number;
  }

  /// Says that an exception ended what is played together, also what had ended before it. The
  /// records stay for a process that comes after.
  void fail() {
    for (const std::size_t number : together_) {
      Played& played = rollouts_[number];
      played.answers.clear();
      plays_[{played.random.key, played.random.id}].last_failed = true;
    }
    together_.clear();
  }

  /// The recorded continuation of `context`; nothing if the rollout has no record left.
  std::optional<Generation> next_generation(std::size_t number, SequenceId sequence,
                                            std::span<const Token> context) {
    return next<Generation>(number, Kind::generation, [&](ArchiveReader& in) {
      const auto tokens = in.number<std::uint64_t>("a context's size");
      const auto checksum = in.number<std::uint64_t>("a context's checksum");
      if (tokens != context.size() || checksum != crc64(std::as_bytes(context)))
        refuse(number, "a context of " + std::to_string(tokens) + " tokens was continued",
               "one of " + std::to_string(context.size()) +
                   (tokens == context.size() ? " others" : ""));
      const auto finish =
          detail::decode_one_of<FinishReason>(in, FinishReason::context_full, "reason to finish");
      return Generation{sequence, decode_sampled(in), finish};
    });
  }
  void add_generation(std::size_t number, std::span<const Token> context,
                      const Generation& generation) {
    append(Kind::generation, number, [&](ArchiveWriter& out) {
      out.count(context.size());
      out.number(crc64(std::as_bytes(context)));
      out.number(static_cast<std::uint8_t>(generation.finish));
      encode_sampled(out, generation.sampled);
    });
  }

  /// The recorded answer to `call`; nothing if the rollout has no record left.
  std::optional<JournalledAnswer> next_answer(std::size_t number, const ToolCall& call) {
    return next<JournalledAnswer>(number, Kind::answer, [&](ArchiveReader& in) {
      if (const std::string tool = in.text("a tool's name"); tool != call.tool)
        refuse(number, "the tool '" + tool + "' was called", "the tool '" + call.tool + "'");
      JournalledAnswer answer;
      answer.used_memory = detail::decode_flag(in, "used memory");
      answer.result.status =
          detail::decode_one_of<ToolStatus>(in, ToolStatus::timed_out, "status of a tool");
      answer.result.text = in.text("a tool's answer");
      return answer;
    });
  }
  void add_answer(std::size_t number, const ToolCall& call, const JournalledAnswer& answer) {
    append(Kind::answer, number, [&](ArchiveWriter& out) {
      out.text(call.tool);
      out.number(static_cast<std::uint8_t>(answer.used_memory ? 1 : 0));
      out.number(static_cast<std::uint8_t>(answer.result.status));
      out.text(answer.result.text);
    });
  }

  /// The recorded reason for which the rollout was aborted; nothing if that is not what comes next.
  std::optional<std::string> next_abort(std::size_t number) {
    const auto& answers = rollouts_[number].answers;
    if (answers.empty() || answers.front().kind != Kind::abort) return std::nullopt;
    return next<std::string>(number, Kind::abort,
                             [](ArchiveReader& in) { return in.text("a reason"); });
  }
  void add_abort(std::size_t number, const std::string& reason) {
    append(Kind::abort, number, [&](ArchiveWriter& out) { out.text(reason); });
  }

  /// What was added so far survives what the journal promises.
  void commit() {
    if (survives_ == JournalSurvives::killed_process || !uncommitted_) return;
    log_.sync();
    uncommitted_ = false;
  }

  /// Answers that were taken from the journal.
  std::size_t replayed() const { return replayed_; }
  /// Bytes of a torn end that were cut off when the file was opened.
  std::uint64_t torn_bytes() const { return log_.torn_bytes(); }
  const std::filesystem::path& path() const { return log_.path(); }

 private:
  enum class Kind : std::uint8_t { start, generation, answer, abort, superseded };
  static constexpr RecordLogKind kKind{
      .magic = "DualJrnl", .format = 1, .name = "a rollout journal"};

  struct Answer {
    Kind kind;
    std::vector<std::byte> body;
  };
  struct Played {
    RandomStream random;
    std::string start;
    std::deque<Answer> answers = {};  // recorded, not yet given
  };
  /// The rollouts of one random stream, in the order in which they were begun.
  struct Plays {
    std::vector<std::size_t> numbers = {};
    std::size_t begun = 0;  // by this process
    bool last_failed = false;
  };

  static std::string start_text(const RolloutStart& start) {
    std::string text = "task '" + start.task->id + "', member " + std::to_string(start.member);
    if (start.source != nullptr)
      text += ", a fork of member " + std::to_string(start.source->member) + " at summary " +
              std::to_string(start.summary);
    return text;
  }

  std::size_t add(const RandomStream& random, std::string start) {
    rollouts_.push_back({random, std::move(start)});
    plays_[{random.key, random.id}].numbers.push_back(rollouts_.size() - 1);
    return rollouts_.size() - 1;
  }

  template <class Write>
  void append(Kind kind, std::size_t number, const Write& write) {
    ArchiveWriter out;
    out.number(static_cast<std::uint8_t>(kind));
    out.count(number);
    write(out);
    log_.append(out.bytes());
    uncommitted_ = true;
  }

  /// One record of the file that is opened.
  void read(std::span<const std::byte> record, const std::string& where) {
    ArchiveReader in(record, where);
    const auto kind = detail::decode_one_of<Kind>(in, Kind::superseded, "kind of record");
    const auto number = in.number<std::uint64_t>("a rollout's number");
    if (number > rollouts_.size() || (number == rollouts_.size()) != (kind == Kind::start))
      in.fail("a record is of rollout " + std::to_string(number) + ", which did not begin");
    if (kind == Kind::start) {
      RandomStream random;
      random.key = in.number<std::uint64_t>("a random stream");
      random.id = in.number<std::uint64_t>("a random stream");
      add(random, in.text("a rollout's start"));
      return;
    }
    Played& played = rollouts_[static_cast<std::size_t>(number)];
    if (kind == Kind::superseded) {
      std::erase(plays_[{played.random.key, played.random.id}].numbers, number);
      return;
    }
    constexpr std::size_t kHeader = 1 + 8;
    played.answers.push_back({kind, {record.begin() + kHeader, record.end()}});
  }

  template <class Result, class Decode>
  std::optional<Result> next(std::size_t number, Kind kind, const Decode& decode) {
    auto& answers = rollouts_[number].answers;
    if (answers.empty()) return std::nullopt;
    if (answers.front().kind != kind)
      refuse(number, sentence_of(answers.front().kind), sentence_of(kind));
    ArchiveReader in(answers.front().body, log_.path().string());
    Result result = decode(in);
    in.require_end();
    answers.pop_front();
    ++replayed_;
    return result;
  }

  static std::string sentence_of(Kind kind) {
    switch (kind) {
      case Kind::generation:
        return "a context was continued";
      case Kind::answer:
        return "a tool was called";
      default:
        return "the rollout was aborted";
    }
  }

  void require_same(const Played& played, const RolloutStart& start) const {
    if (const std::string text = start_text(start); text != played.start)
      throw Error(
          "the journal has a rollout of " + played.start + " where the run plays one of " + text,
          log_.path().string(), kRemedy);
  }

  [[noreturn]] void refuse(std::size_t number, const std::string& recorded,
                           const std::string& asked) const {
    throw Error("the journal does not fit the run: " + recorded + ", and now " + asked,
                log_.path().string() + ", rollout of " + rollouts_[number].start, kRemedy);
  }

  static constexpr const char* kRemedy =
      "Resume with the program, tasks and weights of that run, or remove the journal to play its "
      "rollouts anew";

  JournalSurvives survives_;
  std::vector<Played> rollouts_;  // by number
  std::map<std::pair<std::uint64_t, std::uint64_t>, Plays> plays_;
  std::vector<std::size_t> together_;  // numbers
  std::size_t replayed_ = 0;
  bool uncommitted_ = false;
  RecordLog log_;  // last: its records fill what is above
};

/// One rollout's place in a journal, or in none: then nothing is recorded and nothing comes back.
class JournalEntry {
 public:
  JournalEntry() = default;
  JournalEntry(RolloutJournal* journal, const RolloutStart& start, const RandomStream& random)
      : journal_(journal), number_(journal == nullptr ? 0 : journal->begin(start, random)) {}

  std::optional<Generation> next_generation(SequenceId sequence, std::span<const Token> context) {
    if (journal_ == nullptr) return std::nullopt;
    return journal_->next_generation(number_, sequence, context);
  }
  void add_generation(std::span<const Token> context, const Generation& generation) {
    if (journal_ != nullptr) journal_->add_generation(number_, context, generation);
  }
  std::optional<JournalledAnswer> next_answer(const ToolCall& call) {
    if (journal_ == nullptr) return std::nullopt;
    return journal_->next_answer(number_, call);
  }
  void add_answer(const ToolCall& call, const JournalledAnswer& answer) {
    if (journal_ != nullptr) journal_->add_answer(number_, call, answer);
  }
  std::optional<std::string> next_abort() {
    if (journal_ == nullptr) return std::nullopt;
    return journal_->next_abort(number_);
  }
  void add_abort(const std::string& reason) {
    if (journal_ != nullptr) journal_->add_abort(number_, reason);
  }

 private:
  RolloutJournal* journal_ = nullptr;
  std::size_t number_ = 0;
};

}  // namespace dualagent
