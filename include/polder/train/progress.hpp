// polder — one line that says how far a run is and when it will be done.
#pragma once

#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "polder/core/error.hpp"

namespace polder {

/// "42 s", "3 min 05 s", "2 h 07 min"; "?" for a time that is not known.
[[nodiscard]] inline std::string duration_text(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0.0) return "?";
  const auto two_digits = [](std::uint64_t n) { return text(n < 10 ? "0" : "", n); };
  const auto whole = static_cast<std::uint64_t>(std::llround(seconds));
  if (whole < 60) return text(whole, " s");
  if (whole < 3600) return text(whole / 60, " min ", two_digits(whole % 60), " s");
  return text(whole / 3600, " h ", two_digits(whole % 3600 / 60), " min");
}

/// How a progress line is drawn.
struct progress_style {
  bool shown = true;
  bool color = true;
  double pause = 0.1;  ///< seconds between two drawings

  /// What suits a stream: shown on a terminal only; without color where NO_COLOR is set (https://no-color.org).
  [[nodiscard]] static progress_style of(std::FILE* stream) {
    const char* const no_color = std::getenv("NO_COLOR");
    const char* const terminal = std::getenv("TERM");
    const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
    return {.shown = ::isatty(::fileno(stream)) == 1 && !dumb, .color = no_color == nullptr || *no_color == '\0'};
  }
};

/// A line on a terminal that is drawn over and over: label, bar, share, time left, and a text of the caller's.
///
///     qgm  ━━━━━━━━━╸─────────────  38 %  ETA 12 s  loss 0.412
///
/// The time left is (elapsed / done) (total - done), counted from the first step of this process. Cost of `update`: one
/// reading of the clock; at most 10 drawings a second. Where the stream is no terminal nothing is written.
class progress {
 public:
  progress(std::string label, std::uint64_t total, std::uint64_t first = 0, std::FILE* stream = stderr)
      : progress(std::move(label), total, first, stream, progress_style::of(stream)) {}
  progress(std::string label, std::uint64_t total, std::uint64_t first, std::FILE* stream, progress_style style)
      : label_(std::move(label)), total_(total), first_(first), stream_(stream), style_(style) {}
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;
  ~progress() { clear(); }

  /// Whether the next update will be drawn: for callers whose text costs something.
  [[nodiscard]] bool due() const {
    return style_.shown && (!drawn_ || std::chrono::duration<double>(clock::now() - last_).count() >= style_.pause);
  }

  /// `done` of `total` steps are done.
  void update(std::uint64_t done, std::string_view note = {}) {
    if (!due()) return;
    const auto now = clock::now();
    last_ = now;
    drawn_ = true;
    const std::string line =
        text("\r", line_at(done, std::chrono::duration<double>(now - start_).count(), note), "\x1b[K");
    std::fwrite(line.data(), 1, line.size(), stream_);
    std::fflush(stream_);
  }

  /// Takes the line away, so that other text can be printed.
  void clear() {
    if (!std::exchange(drawn_, false)) return;
    std::fputs("\r\x1b[K", stream_);
    std::fflush(stream_);
  }

  /// The line as it is drawn `elapsed` seconds after the start.
  [[nodiscard]] std::string line_at(std::uint64_t done, double elapsed, std::string_view note) const {
    constexpr int width = 24;
    const double share = total_ > 0 ? static_cast<double>(done) / static_cast<double>(total_) : 1.0;
    const int filled = static_cast<int>(share * width);
    std::string bar;
    for (int i = 0; i < width; ++i) bar += i < filled ? "━" : i == filled ? "╸" : "─";
    if (style_.color) bar = text("\x1b[36m", bar, "\x1b[0m");
    const double left = done > first_
                            ? elapsed / static_cast<double>(done - first_) * static_cast<double>(total_ - done)
                            : std::nan("");
    return text(label_, "  ", bar, "  ", static_cast<int>(100.0 * share), " %  ETA ", duration_text(left),
                note.empty() ? "" : "  ", note);
  }

 private:
  using clock = std::chrono::steady_clock;

  std::string label_;
  std::uint64_t total_;
  std::uint64_t first_;
  std::FILE* stream_;
  progress_style style_;
  clock::time_point start_ = clock::now();
  clock::time_point last_{};
  bool drawn_ = false;
};

}  // namespace polder
