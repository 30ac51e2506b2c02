#pragma once

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "dualagent/core/check.hpp"
#include "dualagent/core/compiled.hpp"
#include "dualagent/core/number_text.hpp"
#include "dualagent/core/printable.hpp"

namespace dualagent {

/// Where progress is shown. Tests replace the functions; everybody else uses `standard_error`.
struct ProgressScreen {
  std::function<void(std::string_view)> write;  ///< shows a text at once
  std::function<std::size_t()> columns;         ///< width now; asked at every redraw
  std::function<double()> seconds;              ///< a clock that never goes back
  bool in_place = false;                        ///< a terminal: one line is redrawn
  bool colour = false;
  bool unicode = false;  ///< line-drawing characters may be used

  /// Shows nothing.
  static ProgressScreen silent() {
    return {.write = [](std::string_view) {},
            .columns = [] { return std::size_t{80}; },
            .seconds = [] { return 0.0; }};
  }

  /// Standard error. Not a terminal, or TERM=dumb: plain lines. NO_COLOR set and not empty: no
  /// colour. Line-drawing characters where the locale's name says UTF-8.
  static ProgressScreen standard_error();

  /// Errors: Error that names a function which is empty.
  void validate() const;

 private:
  /// Progress is not a result: what cannot be shown is dropped.
  static void write_to_standard_error(std::string_view text);

  static std::size_t width_of_standard_error();
};

struct ProgressOptions {
  std::string label = {};
  std::size_t total = 0;              ///< steps in all
  std::size_t first = 0;              ///< steps that an earlier run has done (resume)
  std::size_t plain_every_steps = 0;  ///< distance of plain lines; 0: about 20 lines in all
  double redraw_seconds = 0.05;       ///< least time between two redraws of a terminal's line
};

/// What one line of progress says.
struct ProgressState {
  std::string_view label = {};
  std::size_t done = 0;
  std::size_t total = 0;
  std::string_view note = {};
  double elapsed_seconds = 0;
  double remaining_seconds = -1;  ///< negative: unknown
};

/// One line of progress for a terminal of this width: label, bar, steps, note, elapsed time and
/// ETA. The bar is left out where it would have fewer than 8 columns; then the line is cut.
std::string progress_line(const ProgressState& state, std::size_t columns,
                          const ProgressScreen& screen);

/// Shows how far a loop is: a line redrawn in place on a terminal, plain lines elsewhere.
///
/// A terminal's line is redrawn by one write, at most every `redraw_seconds`, and never cleared
/// first, so it does not flicker. Plain lines come at steps that depend on the step count only.
/// Nothing a caller can see depends on time. One thread at a time; never throws for lack of a
/// terminal.
/// Example: Progress progress({.label = "dual", .total = 30});
///          progress.update(step + 1, "success 91 %");
class Progress {
 public:
  explicit Progress(ProgressOptions options,
                    ProgressScreen screen = ProgressScreen::standard_error());
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() {
    try {
      finish();
    } catch (...) {  // progress is not a result: what cannot be shown is dropped
    }
  }

  /// `done` steps are done; `note` is the current success or the like, kept until the next one.
  void update(std::size_t done, std::string_view note = {});

  /// Prints a line above the bar.
  void message(std::string_view text);

  /// Ends the line; what is printed next begins on a line of its own. Further updates are silent.
  void finish() {
    if (finished_) return;
    finished_ = true;
    if (screen_.in_place) screen_.write("\r" + line_text() + "\x1b[K\n");
  }

 private:
  double seconds() const { return screen_.seconds() - start_seconds_; }

  std::size_t plain_distance() const;

  ProgressState state() const;

  std::string line_text() const { return progress_line(state(), screen_.columns(), screen_); }

  void draw() {
    drawn_seconds_ = seconds();
    screen_.write("\r" + line_text() + "\x1b[K");
  }

  void print_plain();

  ProgressOptions options_;
  ProgressScreen screen_;
  double start_seconds_;
  double drawn_seconds_ = 0;
  std::size_t done_;
  std::string note_;
  bool finished_ = false;
};

}  // namespace dualagent

#ifndef DUALAGENT_COMPILED
#include "dualagent/report/progress.inl"
#endif
