#pragma once

/// Definitions of progress.hpp; see core/compiled.hpp.

#include "dualagent/report/progress.hpp"

namespace dualagent {

DUALAGENT_INLINE ProgressScreen ProgressScreen::standard_error() {
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
            return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
          },
      .in_place = in_place,
      .colour = in_place && setting("NO_COLOR").empty(),
      .unicode = locale.find("UTF-8") != std::string_view::npos ||
                 locale.find("utf8") != std::string_view::npos,
  };
}

DUALAGENT_INLINE void ProgressScreen::validate() const {
  require_function(write, "write", "ProgressScreen");
  require_function(columns, "columns", "ProgressScreen");
  require_function(seconds, "seconds", "ProgressScreen");
}

DUALAGENT_INLINE void ProgressScreen::write_to_standard_error(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(written));
  }
}

DUALAGENT_INLINE std::size_t ProgressScreen::width_of_standard_error() {
  struct winsize size {};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

}  // namespace dualagent

namespace dualagent::detail {

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

}  // namespace dualagent::detail

namespace dualagent {

DUALAGENT_INLINE std::string progress_line(const ProgressState& state, std::size_t columns,
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

DUALAGENT_INLINE Progress::Progress(ProgressOptions options, ProgressScreen screen)
    : options_(std::move(options)),
      screen_((screen.validate(), std::move(screen))),
      start_seconds_(screen_.seconds()),
      done_(options_.first) {
  require_option(options_.redraw_seconds, kSeconds, "redraw_seconds", "ProgressOptions");
  if (screen_.in_place) draw();
}

DUALAGENT_INLINE void Progress::update(std::size_t done, std::string_view note) {
  done_ = done;
  if (!note.empty()) note_ = note;
  if (finished_) return;
  if (screen_.in_place) {
    if (done_ >= options_.total || seconds() - drawn_seconds_ >= options_.redraw_seconds) draw();
  } else if (done_ % plain_distance() == 0 || done_ == options_.total) {
    print_plain();
  }
}

DUALAGENT_INLINE void Progress::message(std::string_view text) {
  const std::string line = printable(text, LineBreaks::keep) + '\n';
  if (!screen_.in_place || finished_) return screen_.write(line);
  screen_.write("\r\x1b[K" + line + line_text());
}

DUALAGENT_INLINE std::size_t Progress::plain_distance() const {
  if (options_.plain_every_steps > 0) return options_.plain_every_steps;
  return std::max<std::size_t>(1, (options_.total + 19) / 20);
}

DUALAGENT_INLINE ProgressState Progress::state() const {
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

DUALAGENT_INLINE void Progress::print_plain() {
  const ProgressState now = state();
  std::string line = printable(now.label) + ": " + detail::counts_text(now);
  if (!now.note.empty()) line += "  " + printable(now.note);
  line += "  elapsed " + clock_text(now.elapsed_seconds);
  if (now.done < now.total && now.remaining_seconds >= 0)
    line += "  eta " + clock_text(now.remaining_seconds);
  screen_.write(line + '\n');
}

}  // namespace dualagent
