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
  static ProgressScreen standard_error() {
    const auto setting = [](const char* name) {
      const char* const value = std::getenv(name);
      return std::string_view(value == nullptr ? "" : value);
    };
    std::string_view locale = setting("LC_ALL");
    if (locale.empty()) locale = setting("LC_CTYPE");
    if (locale.empty()) locale = setting("LANG");
    const bool in_place = ::isatty(STDERR_FILENO) == 1 && setting("TERM") != "dumb";
    const auto start = std::chrono::steady_clock::now();
    return {
        .write = write_to_standard_error,
        .columns = width_of_standard_error,
        .seconds =
            [start] {
              return std::chrono::duration<double>(std::chrono::steady_clock::now() - start)
                  .count();
            },
        .in_place = in_place,
        .colour = in_place && setting("NO_COLOR").empty(),
        .unicode = locale.find("UTF-8") != std::string_view::npos ||
                   locale.find("utf8") != std::string_view::npos,
    };
  }

 private:
  /// Progress is not a result: what cannot be shown is dropped.
  static void write_to_standard_error(std::string_view text) {
    while (!text.empty()) {
      const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return;
      text.remove_prefix(static_cast<std::size_t>(written));
    }
  }

  static std::size_t width_of_standard_error() {
    struct winsize size {};
    if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
    return size.ws_col;
  }
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

namespace detail {

inline std::string bar_text(std::size_t width, double fraction, const ProgressScreen& screen) {
  const auto halves = static_cast<std::size_t>(2.0 * fraction * static_cast<double>(width));
  const std::size_t full = halves / 2;
  std::string bar;
  if (screen.colour) bar += "\x1b[36m";
  for (std::size_t i = 0; i < full; ++i) bar += screen.unicode ? "━" : "#";
  std::size_t drawn = full;
  if (halves % 2 == 1 && screen.unicode) {
    bar += "╸";
    ++drawn;
  }
  if (screen.colour) bar += "\x1b[90m";
  for (; drawn < width; ++drawn) bar += !screen.unicode ? "-" : screen.colour ? "━" : " ";
  if (screen.colour) bar += "\x1b[0m";
  return bar;
}

/// At most `columns` characters of a text without escape sequences.
inline std::string cut_to_columns(std::string_view text, std::size_t columns) {
  std::size_t end = 0;
  for (std::size_t c = 0; c < columns && end < text.size(); ++c)
    end += decode_utf8(text.substr(end)).size_bytes;
  return std::string(text.substr(0, end));
}

inline std::string counts_text(const ProgressState& state) {
  const std::string total = std::to_string(state.total);
  std::string done = std::to_string(state.done);
  if (done.size() < total.size()) done.insert(0, total.size() - done.size(), ' ');
  return done + "/" + total;
}

}  // namespace detail

/// One line of progress for a terminal of this width: label, bar, steps, note, elapsed time and
/// ETA. The bar is left out where it would have fewer than 8 columns; then the line is cut.
inline std::string progress_line(const ProgressState& state, std::size_t columns,
                                 const ProgressScreen& screen) {
  constexpr std::size_t kLeastBar = 8;
  constexpr std::size_t kMostBar = 40;
  const std::string label = printable(state.label);
  std::string right = detail::counts_text(state);
  if (!state.note.empty()) right += "  " + printable(state.note);
  right += "  " + clock_text(state.elapsed_seconds);
  if (state.done < state.total && state.remaining_seconds >= 0)
    right += "  eta " + clock_text(state.remaining_seconds);

  const std::size_t usable = columns > 1 ? columns - 1 : 1;  // the last column would wrap
  const std::size_t text_columns = count_characters(label) + count_characters(right) + 4;
  if (text_columns + kLeastBar > usable)
    return detail::cut_to_columns(label + "  " + right, usable);
  const double fraction =
      state.total == 0 ? 1.0 : static_cast<double>(state.done) / static_cast<double>(state.total);
  const std::size_t width = std::min(kMostBar, usable - text_columns);
  return label + "  " + detail::bar_text(width, std::min(1.0, fraction), screen) + "  " + right;
}

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
                    ProgressScreen screen = ProgressScreen::standard_error())
      : options_(std::move(options)),
        screen_(std::move(screen)),
        start_seconds_(screen_.seconds()),
        done_(options_.first) {
    if (screen_.in_place) draw();
  }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { finish(); }

  /// `done` steps are done; `note` is the current success or the like, kept until the next one.
  void update(std::size_t done, std::string_view note = {}) {
    done_ = done;
    if (!note.empty()) note_ = note;
    if (finished_) return;
    if (screen_.in_place) {
      if (done_ >= options_.total || seconds() - drawn_seconds_ >= options_.redraw_seconds) draw();
    } else if (done_ % plain_distance() == 0 || done_ == options_.total) {
      print_plain();
    }
  }

  /// Prints a line above the bar.
  void message(std::string_view text) {
    const std::string line = printable(text, LineBreaks::keep) + '\n';
    if (!screen_.in_place || finished_) return screen_.write(line);
    screen_.write("\r\x1b[K" + line + line_text());
  }

  /// Ends the line; what is printed next begins on a line of its own. Further updates are silent.
  void finish() {
    if (finished_) return;
    finished_ = true;
    if (screen_.in_place) screen_.write("\r" + line_text() + "\x1b[K\n");
  }

 private:
  double seconds() const { return screen_.seconds() - start_seconds_; }

  std::size_t plain_distance() const {
    if (options_.plain_every_steps > 0) return options_.plain_every_steps;
    return std::max<std::size_t>(1, (options_.total + 19) / 20);
  }

  ProgressState state() const {
    const double elapsed = seconds();
    ProgressState state{.label = options_.label,
                        .done = done_,
                        .total = options_.total,
                        .note = note_,
                        .elapsed_seconds = elapsed};
    if (done_ > options_.first && done_ <= options_.total)
      state.remaining_seconds = elapsed * static_cast<double>(options_.total - done_) /
                                static_cast<double>(done_ - options_.first);
    return state;
  }

  std::string line_text() const { return progress_line(state(), screen_.columns(), screen_); }

  void draw() {
    drawn_seconds_ = seconds();
    screen_.write("\r" + line_text() + "\x1b[K");
  }

  void print_plain() {
    const ProgressState now = state();
    std::string line = printable(now.label) + ": " + detail::counts_text(now);
    if (!now.note.empty()) line += "  " + printable(now.note);
    line += "  elapsed " + clock_text(now.elapsed_seconds);
    if (now.done < now.total && now.remaining_seconds >= 0)
      line += "  eta " + clock_text(now.remaining_seconds);
    screen_.write(line + '\n');
  }

  ProgressOptions options_;
  ProgressScreen screen_;
  double start_seconds_;
  double drawn_seconds_ = 0;
  std::size_t done_;
  std::string note_;
  bool finished_ = false;
};

}  // namespace dualagent
