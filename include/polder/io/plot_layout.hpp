// polder — what a plot needs besides its axes: colors, the room that texts take, labels that do not overlap.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "polder/io/markup.hpp"
#include "polder/io/utf8.hpp"

namespace polder::io::detail {

/// Seven colors that people with any color vision tell apart (Okabe, Ito: "Color Universal Design", 2008), darker where
/// needed for thin lines on white; and their lighter sisters for dark pages.
struct plot_color {
  std::string_view light;
  std::string_view dark;
};
inline constexpr std::array<plot_color, 7> plot_colors{{{"#0072b2", "#4ba6e0"},
                                                        {"#d55e00", "#ff8533"},
                                                        {"#009e73", "#2cc79b"},
                                                        {"#b5578f", "#e08cbf"},
                                                        {"#c28500", "#f0b429"},
                                                        {"#2f9bd0", "#85d0f7"},
                                                        {"#555555", "#b8b8b8"}}};

/// The width of a text in the wider of the usual sans-serif fonts, in units of the font size.
[[nodiscard]] inline double text_width(std::string_view text) {
  double width = 0;
  while (!text.empty()) {
    const char c = text.front();
    const std::size_t length = std::max<std::size_t>(utf8_length(text), 1);
    const bool narrow = std::string_view("iljtfrI.,:;|!'()[]{} -/").find(c) != std::string_view::npos;
    const bool wide = std::string_view("mwMW@%").find(c) != std::string_view::npos;
    width += narrow ? 0.38 : wide ? 0.95 : c >= 'A' && c <= 'Z' ? 0.74 : 0.63;
    text.remove_prefix(length);
  }
  return width;
}

/// The lines of a text that is broken at spaces so that each is at most `width` wide (a longer word stays whole).
[[nodiscard]] inline std::vector<std::string> wrapped(std::string_view text, double width) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (!lines.empty() && text_width(lines.back()) + text_width(" ") + text_width(word) <= width) {
      (lines.back() += ' ') += word;
    } else {
      lines.emplace_back(word);
    }
  }
  return lines;
}

/// A coordinate in tenths of a pixel.
[[nodiscard]] inline std::string coordinate(double value) {
  std::string result = fixed(value, 1);
  if (result.ends_with(".0")) result.resize(result.size() - 2);
  return result;
}

/// Moves labels of height `size`, wanted at `places`, apart inside [low, high], each as little as order allows. They
/// must fit.
[[nodiscard]] inline std::vector<double> spread(const std::vector<double>& places, double size, double low,
                                                double high) {
  std::vector<std::size_t> order(places.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return places[i]; });
  // Labels that touch form a block, centered on the mean of where its labels want to be; blocks that touch merge.
  struct block {
    double sum;
    double count;
    double size;
    double low;
    double high;
    [[nodiscard]] double first() const {
      const double length = size * (count - 1);
      return std::clamp(sum / count - length / 2, low, std::max(low, high - length));
    }
    [[nodiscard]] double end() const { return first() + size * count; }
  };
  std::vector<block> blocks;
  for (const std::size_t i : order) {
    blocks.push_back({places[i], 1, size, low, high});
    while (blocks.size() > 1 && blocks[blocks.size() - 2].end() > blocks.back().first()) {
      blocks[blocks.size() - 2].sum += blocks.back().sum;
      blocks[blocks.size() - 2].count += blocks.back().count;
      blocks.pop_back();
    }
  }
  std::vector<double> moved(places.size());
  std::size_t next = 0;
  for (const block& b : blocks) {
    for (double k = 0; k < b.count; ++k) moved[order[next++]] = b.first() + k * size;
  }
  return moved;
}

}  // namespace polder::io::detail
