#include "dualagent/report/progress.hpp"

#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/catch.hpp"
#include "support/error_of.hpp"

using namespace dualagent;

namespace {

/// A screen whose clock and width the test sets.
struct FakeScreen {
  std::vector<std::string> writes;
  double now = 100.0;
  std::size_t width = 80;

  ProgressScreen screen(bool in_place, bool colour = false, bool unicode = false) {
    return {.write = [this](std::string_view text) { writes.emplace_back(text); },
            .columns = [this] { return width; },
            .seconds = [this] { return now; },
            .in_place = in_place,
            .colour = colour,
            .unicode = unicode};
  }
  std::string all() const {
    std::string text;
    for (const std::string& write : writes) text += write;
    return text;
  }
};

std::string without_colour(std::string text) {
  for (std::size_t at = text.find("\x1b["); at != std::string::npos; at = text.find("\x1b["))
    text.erase(at, text.find('m', at) + 1 - at);
  return text;
}

}  // namespace

TEST_CASE("a line never reaches the last column, whatever the width", "[report][progress]") {
  FakeScreen fake;
  for (const bool unicode : {false, true})
    for (const bool colour : {false, true})
      for (std::size_t columns = 0; columns <= 200; ++columns)
        for (const std::size_t done : {0u, 7u, 30u}) {
          const ProgressState state{.label = "dual-agent pair \xC3\xBC",
                                    .done = done,
                                    .total = 30,
                                    .note = "success 91 %",
                                    .elapsed_seconds = 83,
                                    .remaining_seconds = 3661};
          const std::string line =
              without_colour(progress_line(state, columns, fake.screen(true, colour, unicode)));
          const std::size_t width = count_characters(line);
          if (width > (columns > 1 ? columns - 1 : 1))
            FAIL("a line of " << width << " in " << columns << " columns: " << line);
          if (columns >= 120 && line.find("success 91 %") == std::string::npos)
            FAIL("cut although there was room: " << line);
        }
  SUCCEED();
}

TEST_CASE("a line says label, bar, steps, note, time and ETA", "[report][progress]") {
  FakeScreen fake;
  const ProgressState half{.label = "dual",
                           .done = 15,
                           .total = 30,
                           .note = "success 91 %",
                           .elapsed_seconds = 83,
                           .remaining_seconds = 83};
  CHECK(progress_line(half, 60, fake.screen(true)) ==
        "dual  ########--------  15/30  success 91 %  1:23  eta 1:23");
  ProgressState finished = half;
  finished.done = 30;
  CHECK_THAT(progress_line(finished, 70, fake.screen(true)), !ContainsSubstring("eta"));
  CHECK_THAT(progress_line(finished, 70, fake.screen(true)), !ContainsSubstring("-"));
  ProgressState unknown = half;
  unknown.remaining_seconds = -1;
  CHECK_THAT(progress_line(unknown, 70, fake.screen(true)), !ContainsSubstring("eta"));
}

TEST_CASE("a label or note cannot steer the terminal", "[report][progress]") {
  FakeScreen fake;
  const std::string line = progress_line(
      {.label = "\x1b[2J", .done = 1, .total = 2, .note = "a\nb\r"}, 100, fake.screen(true));
  CHECK(line.find('\x1b') == std::string::npos);
  CHECK(line.find('\n') == std::string::npos);
  CHECK(line.find('\r') == std::string::npos);
}

TEST_CASE("a terminal's line is redrawn in place, not oftener than asked for",
          "[report][progress]") {
  FakeScreen fake;
  {
    Progress progress({.label = "dual", .total = 100, .redraw_seconds = 0.5}, fake.screen(true));
    REQUIRE(fake.writes.size() == 1);
    for (std::size_t step = 1; step <= 10; ++step) progress.update(step);
    CHECK(fake.writes.size() == 1);  // no time has passed
    fake.now += 0.6;
    progress.update(11, "success 5 %");
    REQUIRE(fake.writes.size() == 2);
    CHECK_THAT(fake.writes[1], ContainsSubstring(" 11/100  success 5 %"));
    progress.update(100);  // the end is always shown, and the note kept
    REQUIRE(fake.writes.size() == 3);
    CHECK_THAT(fake.writes[2], ContainsSubstring("100/100  success 5 %"));
  }
  for (const std::string& write : fake.writes) {
    CHECK(write.front() == '\r');
    CHECK(write.find("\x1b[2J") == std::string::npos);
  }
  CHECK(fake.writes.size() == 4);
  CHECK(fake.writes.back().back() == '\n');  // what follows begins on its own line
}

TEST_CASE("the ETA is elapsed time per step done since the start, times what is left",
          "[report][progress]") {
  FakeScreen fake;
  Progress progress({.label = "x", .total = 30, .first = 10, .redraw_seconds = 0},
                    fake.screen(true));
  fake.now += 60;
  progress.update(15);  // 5 steps in 60 s, 15 left: 180 s
  CHECK_THAT(fake.writes.back(), ContainsSubstring("15/30  1:00  eta 3:00"));
  progress.update(10);  // nothing done yet
  CHECK_THAT(fake.writes.back(), !ContainsSubstring("eta"));
}

TEST_CASE("elsewhere plain lines come at fixed steps, without escape sequences",
          "[report][progress]") {
  FakeScreen fake;
  {
    Progress progress({.label = "dual", .total = 100}, fake.screen(false));
    for (std::size_t step = 1; step <= 100; ++step) {
      fake.now += 1;
      progress.update(step, "n" + std::to_string(step));
    }
  }
  REQUIRE(fake.writes.size() == 20);
  CHECK(fake.writes[0] == "dual:   5/100  n5  elapsed 0:05  eta 1:35\n");
  CHECK(fake.writes[19] == "dual: 100/100  n100  elapsed 1:40\n");
  CHECK(fake.all().find('\x1b') == std::string::npos);
  CHECK(fake.all().find('\r') == std::string::npos);
}

TEST_CASE("the distance of plain lines can be chosen, the last one always comes",
          "[report][progress]") {
  FakeScreen fake;
  Progress progress({.label = "d", .total = 10, .plain_every_steps = 4}, fake.screen(false));
  for (std::size_t step = 1; step <= 10; ++step) progress.update(step);
  REQUIRE(fake.writes.size() == 3);
  CHECK_THAT(fake.writes[0], ContainsSubstring(" 4/10"));
  CHECK_THAT(fake.writes[1], ContainsSubstring(" 8/10"));
  CHECK_THAT(fake.writes[2], ContainsSubstring("10/10"));
}

TEST_CASE("messages stand above the bar, which is drawn again", "[report][progress]") {
  FakeScreen fake;
  Progress progress({.label = "dual", .total = 2}, fake.screen(true));
  progress.message("saved \x1b[31m");
  CHECK(fake.writes.back().rfind("\r\x1b[Ksaved \\x1b[31m\ndual", 0) == 0);
  progress.finish();
  progress.message("after");
  CHECK(fake.writes.back() == "after\n");
  const std::size_t writes = fake.writes.size();
  progress.update(2);
  progress.finish();
  CHECK(fake.writes.size() == writes);  // silent once it is finished
}

TEST_CASE("a run without steps does not divide by zero", "[report][progress]") {
  FakeScreen fake;
  {
    Progress progress({.label = "none"}, fake.screen(true));
    progress.update(0);
  }
  CHECK_THAT(fake.all(), ContainsSubstring("0/0"));
  FakeScreen plain;
  Progress progress({.label = "none"}, plain.screen(false));
  progress.update(0);
  CHECK(plain.all() == "none: 0/0  elapsed 0:00\n");
}

TEST_CASE("a screen without its functions is refused, not called", "[report][progress]") {
  CHECK_THAT(error_of([] { Progress progress({.total = 1}, ProgressScreen{}); }),
             ContainsSubstring("write is empty (ProgressScreen)"));
}

TEST_CASE("a time between redraws that no clock has is refused", "[report][progress]") {
  for (const double seconds : {-1.0, std::numeric_limits<double>::quiet_NaN(), 1e10})
    CHECK_THAT(error_of([&] {
                 Progress progress({.total = 1, .redraw_seconds = seconds},
                                   ProgressScreen::silent());
               }),
               ContainsSubstring("redraw_seconds is ") && ContainsSubstring("(ProgressOptions)"));
}

TEST_CASE("a screen that fails at the end ends nothing else", "[report][progress]") {
  ProgressScreen screen = ProgressScreen::silent();
  screen.in_place = true;
  bool broken = false;
  screen.write = [&](std::string_view) {
    if (broken) throw std::runtime_error("the terminal is gone");
  };
  {
    Progress progress({.total = 2}, screen);
    broken = true;
  }
  SUCCEED("the destructor let nothing out");
}
