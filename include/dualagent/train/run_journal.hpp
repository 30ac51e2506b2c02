#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <system_error>
#include <vector>

#include "dualagent/core/error.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/core/warning.hpp"
#include "dualagent/io/atomic_file.hpp"
#include "dualagent/rollout/rollout_journal.hpp"
#include "dualagent/train/checkpoint.hpp"
#include "dualagent/train/run_options.hpp"

namespace dualagent {

/// The journals of a run: of each rank one file for each checkpoint, with what rollouts were
/// answered since. A run that goes on from a checkpoint opens its file again.
///
/// `Work` plays rollouts if it has `use_journal(RolloutJournal*)`; it has the journal until this
/// object ends. Errors: as RolloutJournal; Error for other work that is asked to keep one.
template <class Work>
class RunJournal {
 public:
  /// `survives` empty: nothing is kept. Ranks of one run share the folder.
  RunJournal(Work& work, RunFiles files, std::optional<JournalSurvives> survives, std::size_t rank)
      : work_(&work), files_(std::move(files)), survives_(survives), rank_(rank) {
    if (survives_ && !plays())
      throw Error("the run is to keep a journal, but its work plays no rollouts that have one",
                  "RunOptions::journal", "Leave it out, or give the work a use_journal");
  }
  RunJournal(const RunJournal&) = delete;
  RunJournal& operator=(const RunJournal&) = delete;
  ~RunJournal() {
    if (journal_) use(nullptr);
  }

  /// From now on what is answered belongs to the checkpoint of this many steps. Files of
  /// checkpoints that are gone are removed.
  void begin(std::size_t steps_done) {
    if (!survives_) return;
    close();
    ensure_directory(files_.journals());
    journal_.emplace(files_.journal(steps_done, rank_), *survives_);
    if (journal_->torn_bytes() > 0)
      warn("the last " + std::to_string(journal_->torn_bytes()) + " bytes of " +
           journal_->path().string() +
           " were torn when the run was killed; what they held is asked for again");
    use(&*journal_);
    const auto checkpoints = detail::list_checkpoints(files_.checkpoints());
    remove_before(checkpoints.empty() ? 0 : checkpoints.front().step);
  }

  /// The run has ended with its last checkpoint: removes this rank's files, and the folder with
  /// those of the last rank.
  void end() {
    if (!survives_) return;
    close();
    remove_before(~std::uint64_t{0});
    std::error_code other_files;
    std::filesystem::remove(files_.journals(), other_files);
  }

 private:
  static constexpr bool plays() {
    return requires(Work & work, RolloutJournal * journal) { work.use_journal(journal); };
  }
  void use(RolloutJournal* journal) {
    if constexpr (plays()) work_->use_journal(journal);
  }
  void close() {
    if (!journal_) return;
    use(nullptr);
    journal_.reset();
  }

  void remove_before(std::uint64_t steps_done) const {
    std::error_code error;
    std::filesystem::directory_iterator entry(files_.journals(), error), end;
    std::vector<std::filesystem::path> old;
    for (; !error && entry != end; entry.increment(error))
      if (const auto step = files_.step_of_journal(entry->path(), rank_);
          step && *step < steps_done)
        old.push_back(entry->path());
    if (error) detail::throw_file_error("list the folder", files_.journals(), error.value());
    for (const std::filesystem::path& path : old)
      if (!std::filesystem::remove(path, error) && error)
        detail::throw_file_error("remove a journal", path, error.value());
  }

  Work* work_;
  RunFiles files_;
  std::optional<JournalSurvives> survives_;
  std::size_t rank_;
  std::optional<RolloutJournal> journal_;
};

}  // namespace dualagent
