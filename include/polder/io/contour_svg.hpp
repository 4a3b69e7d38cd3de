// polder — a map of numbers on a plane as SVG: colored bands between contours, with places marked.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/io/axis.hpp"
#include "polder/io/contours.hpp"
#include "polder/io/markup.hpp"
#include "polder/io/plot_layout.hpp"

namespace polder::io {

/// A place on the map, with its name beside it.
struct map_mark {
  std::string name{};
  double x = 0;
  double y = 0;
};

/// A map as a value. Numbers that are not finite are drawn as the greatest one.
struct map_plot {
  std::string title{};
  std::string x_label{};
  std::string y_label{};
  std::string z_label{};  ///< above the colors
  grid numbers{};
  std::vector<map_mark> marks{};
  axis_scale z_scale = axis_scale::linear;  ///< logarithmic: contours at equal ratios, for numbers above 0
  std::size_t bands = 12;                   ///< colors; one more than contours
  double width = 620;                       ///< pixels; the height follows from the grid's shape
};

namespace detail {

/// From low, dark, to high, light: readable in gray and with any color vision.
inline std::string map_color(double place) {
  constexpr std::array<std::array<double, 3>, 5> stops{
      {{27, 42, 73}, {31, 105, 139}, {84, 176, 160}, {190, 224, 175}, {253, 246, 205}}};
  const double at = std::clamp(place, 0.0, 1.0) * 4.0;
  const auto i = std::min<std::size_t>(static_cast<std::size_t>(at), 3);
  std::string color = "#";
  for (std::size_t c = 0; c < 3; ++c) {
    const double mixed = stops[i][c] + (at - static_cast<double>(i)) * (stops[i + 1][c] - stops[i][c]);
    const auto whole = static_cast<unsigned>(std::lround(mixed));
    color += "0123456789abcdef"[whole / 16];
    color += "0123456789abcdef"[whole % 16];
  }
  return color;
}

/// Ascending numbers with three digits, as short as they can be; with up to nine where two of them would read the same.
inline std::vector<std::string> short_numbers(const std::vector<double>& values) {
  const auto with_digits = [&](int precision) {
    std::vector<std::string> texts;
    for (const double value : values) {
      std::array<char, 40> digits;
      const auto [end, status] =
          std::to_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::general, precision);
      texts.emplace_back(digits.data(), end);
    }
    return texts;
  };
  for (int precision = 3; precision <= 9; ++precision) {
    std::vector<std::string> texts = with_digits(precision);
    if (std::adjacent_find(texts.begin(), texts.end()) == texts.end()) return texts;
  }
  return with_digits(3);
}

class map_writer {
 public:
  explicit map_writer(const map_plot& p)
      : plot_(p),
        numbers_(finite(p.numbers)),
        x_(axis_scale::linear, numbers_.x.front(), numbers_.x.back(), 6),
        y_(axis_scale::linear, numbers_.y.front(), numbers_.y.back(), 6) {
    require<config_error>(p.bands >= 2 && p.bands <= 256, "a map with ", p.bands, " bands: choose 2 to 256");
    const auto [least, greatest] = std::minmax_element(numbers_.z.begin(), numbers_.z.end());
    low_ = *least, high_ = *greatest;
    require<config_error>(p.z_scale == axis_scale::linear || low_ > 0.0, "a map's number is ", low_,
                          ": a logarithmic scale needs numbers above 0");
    double tick_width = 0;
    for (const axis_tick& tick : y_.ticks()) tick_width = std::max(tick_width, text_width(tick.label) * font);
    title_ = wrapped(p.title, (p.width - 28) / 16.2);
    top_ = title_.empty() ? 16 : 26 + 19 * static_cast<double>(title_.size());
    left_ = 16 + tick_width + (p.y_label.empty() ? 0 : 20);
    right_ = p.width - 96;
    require<config_error>(right_ - left_ >= 60, "a map ", p.width, " pixels wide is too narrow for its labels");
    const double shape = (numbers_.y.back() - numbers_.y.front()) / (numbers_.x.back() - numbers_.x.front());
    bottom_ = top_ + (right_ - left_) * std::clamp(shape, 0.4, 1.4);
    height_ = bottom_ + (p.x_label.empty() ? 30 : 50);
  }

  std::string whole() {
    head();
    bands();
    axes();
    marks();
    colors();
    out_ += "</svg>\n";
    return std::move(out_);
  }

 private:
  static constexpr double font = 12.5;

  static grid finite(grid g) {
    check(g);
    double greatest = -std::numeric_limits<double>::infinity();
    for (const double z : g.z) greatest = std::isfinite(z) ? std::max(greatest, z) : greatest;
    require<config_error>(std::isfinite(greatest), "a map has no finite number to draw");
    for (double& z : g.z) z = std::isfinite(z) ? z : greatest;
    return g;
  }
  template <class... Pieces>
  void put(const Pieces&... pieces) {
    out_ += text(pieces...);
    out_ += '\n';
  }
  [[nodiscard]] double x_at(double value) const { return left_ + x_.place(value) * (right_ - left_); }
  [[nodiscard]] double y_at(double value) const { return bottom_ - y_.place(value) * (bottom_ - top_); }
  [[nodiscard]] std::string place_of(const contour_point& p) const {
    return text(coordinate(x_at(p.x)), ' ', coordinate(y_at(p.y)));
  }
  /// The k-th contour's number, 1 <= k < bands.
  [[nodiscard]] double level(std::size_t k) const {
    const double share = static_cast<double>(k) / static_cast<double>(plot_.bands);
    if (plot_.z_scale == axis_scale::logarithmic) return low_ * std::pow(high_ / low_, share);
    return low_ + share * (high_ - low_);
  }
  [[nodiscard]] std::string band_color(std::size_t k) const {
    return map_color(static_cast<double>(k) / static_cast<double>(plot_.bands - 1));
  }

  void head() {
    put("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"polder-map\" viewBox=\"0 0 ", coordinate(plot_.width), ' ',
        coordinate(height_), "\" width=\"", coordinate(plot_.width), "\" height=\"", coordinate(height_),
        "\" role=\"img\" font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', "
        "Arial, sans-serif\" font-size=\"",
        font, "\">");
    put("<title>", escape_markup(plot_.title), "</title>");
    put("<style>.polder-map{max-width:100%;height:auto}.polder-map .page{fill:#fff}.polder-map .text{fill:#24292f}",
        ".polder-map .quiet{fill:#57606a}.polder-map .line{fill:none;stroke:#1b2a49;stroke-width:0.8;stroke-opacity:"
        "0.45;stroke-linejoin:round}.polder-map .base{stroke:#8c959f}.polder-map .mark{fill:#e8590c;stroke:#fff;"
        "stroke-width:1.5}.polder-map .name{fill:#fff;stroke:#1b2a49;stroke-width:3;stroke-linejoin:round;paint-order:"
        "stroke;font-weight:600}@media (prefers-color-scheme:dark){.polder-map .page{fill:#14181d}.polder-map .text{"
        "fill:#e6edf3}.polder-map .quiet{fill:#9da7b1}.polder-map .base{stroke:#6e7681}}</style>");
    put("<rect class=\"page\" width=\"", coordinate(plot_.width), "\" height=\"", coordinate(height_), "\" rx=\"6\"/>");
    for (std::size_t line = 0; line < title_.size(); ++line) {
      put("<text class=\"text\" x=\"14\" y=\"", coordinate(24 + 19 * static_cast<double>(line)),
          "\" font-size=\"15\" font-weight=\"600\">", escape_markup(title_[line]), "</text>");
    }
  }

  /// Each band over those below it. All cells of a band are one path: borders between them are not seen.
  void bands() {
    put("<rect x=\"", coordinate(left_), "\" y=\"", coordinate(top_), "\" width=\"", coordinate(right_ - left_),
        "\" height=\"", coordinate(bottom_ - top_), "\" fill=\"", band_color(0), "\"/>");
    if (!(low_ < high_)) return;
    std::string lines;
    for (std::size_t k = 1; k < plot_.bands; ++k) {
      std::string area;
      for (std::size_t j = 0; j + 1 < numbers_.y.size(); ++j) area_of_row(j, level(k), area);
      if (area.empty()) continue;
      put("<path fill=\"", band_color(k), "\" d=\"", area, "\"/>");
      for (const contour& line : contours(numbers_, level(k))) {
        char pen = 'M';
        for (const contour_point& p : line.points) {
          lines += pen + place_of(p);
          pen = 'L';
        }
        if (line.closed) lines += 'Z';
      }
    }
    put("<path class=\"line\" d=\"", lines, "\"/>");
  }
  void area_of_row(std::size_t j, double height, std::string& area) const {
    for (std::size_t i = 0; i + 1 < numbers_.x.size(); ++i) {
      const cell_part part(numbers_, i, j, height);
      if (part.size() == 0) continue;
      if (part.whole()) {
        const std::size_t first = i;
        while (i + 2 < numbers_.x.size() && cell_part(numbers_, i + 1, j, height).whole()) ++i;
        const contour_point low{numbers_.x[first], numbers_.y[j]}, high{numbers_.x[i + 1], numbers_.y[j + 1]};
        area += text('M', place_of(low), 'H', coordinate(x_at(high.x)), 'V', coordinate(y_at(high.y)), 'H',
                     coordinate(x_at(low.x)), 'Z');
        continue;
      }
      char pen = 'M';
      for (const cell_corner& corner : part) {
        area += pen + place_of(corner.at);
        pen = 'L';
      }
      area += 'Z';
    }
  }

  void axes() {
    for (const axis_tick& tick : y_.ticks()) {
      const std::string y = coordinate(y_at(tick.value));
      put("<line class=\"base\" x1=\"", coordinate(left_ - 5), "\" x2=\"", coordinate(left_), "\" y1=\"", y, "\" y2=\"",
          y, "\"/><text class=\"quiet\" x=\"", coordinate(left_ - 8), "\" y=\"", y,
          "\" dy=\"0.35em\" text-anchor=\"end\">", tick.label, "</text>");
    }
    for (const axis_tick& tick : x_.ticks()) {
      const std::string x = coordinate(x_at(tick.value));
      put("<line class=\"base\" x1=\"", x, "\" x2=\"", x, "\" y1=\"", coordinate(bottom_), "\" y2=\"",
          coordinate(bottom_ + 5), "\"/><text class=\"quiet\" x=\"", x, "\" y=\"", coordinate(bottom_ + 19),
          "\" text-anchor=\"middle\">", tick.label, "</text>");
    }
    if (!plot_.x_label.empty()) {
      put("<text class=\"text\" x=\"", coordinate((left_ + right_) / 2), "\" y=\"", coordinate(height_ - 12),
          "\" text-anchor=\"middle\">", escape_markup(plot_.x_label), "</text>");
    }
    if (!plot_.y_label.empty()) {
      put("<text class=\"text\" transform=\"translate(18 ", coordinate((top_ + bottom_) / 2),
          ") rotate(-90)\" text-anchor=\"middle\">", escape_markup(plot_.y_label), "</text>");
    }
  }

  void marks() {
    for (const map_mark& mark : plot_.marks) {
      const bool shown = mark.x >= numbers_.x.front() && mark.x <= numbers_.x.back() && mark.y >= numbers_.y.front() &&
                         mark.y <= numbers_.y.back();
      if (!shown) continue;
      const double x = x_at(mark.x), y = y_at(mark.y);
      put("<circle class=\"mark\" cx=\"", coordinate(x), "\" cy=\"", coordinate(y), "\" r=\"5\"/>");
      if (mark.name.empty()) continue;
      const bool to_left = x + 10 + text_width(mark.name) * font * 1.08 > right_;
      put("<text class=\"name\" x=\"", coordinate(to_left ? x - 10 : x + 10), "\" y=\"", coordinate(y),
          "\" dy=\"0.35em\"", to_left ? " text-anchor=\"end\">" : ">", escape_markup(mark.name), "</text>");
    }
  }

  void colors() {
    const double x = right_ + 18, step = (bottom_ - top_) / static_cast<double>(plot_.bands);
    if (!plot_.z_label.empty()) {
      put("<text class=\"text\" x=\"", coordinate(x), "\" y=\"", coordinate(top_ - 8), "\">",
          escape_markup(plot_.z_label), "</text>");
    }
    const auto every = static_cast<std::size_t>(std::max(1.0, std::ceil(17 / step)));
    std::vector<double> levels;
    for (std::size_t k = every; k < plot_.bands; k += every) levels.push_back(level(k));
    const std::vector<std::string> labels = short_numbers(levels);
    for (std::size_t k = 0; k < plot_.bands; ++k) {
      const double y = bottom_ - static_cast<double>(k + 1) * step;
      put("<rect x=\"", coordinate(x), "\" y=\"", coordinate(y), "\" width=\"16\" height=\"", coordinate(step + 0.5),
          "\" fill=\"", band_color(k), "\"/>");
      if (k + 1 < plot_.bands && (k + 1) % every == 0) {
        put("<text class=\"quiet\" x=\"", coordinate(x + 22), "\" y=\"", coordinate(y), "\" dy=\"0.35em\">",
            labels[(k + 1) / every - 1], "</text>");
      }
    }
  }

  const map_plot& plot_;
  grid numbers_;
  axis x_, y_;
  std::vector<std::string> title_;
  std::string out_;
  double low_ = 0, high_ = 0;
  double top_ = 0, bottom_ = 0, left_ = 0, right_ = 0, height_ = 0;
};

}  // namespace detail

/// The picture of a map: a complete SVG file that also works inside an HTML page and follows its dark mode.
/// Errors: config_error for a grid that is none, no finite number, a logarithmic scale with numbers that are not above
/// 0, or a width too small for its labels.
[[nodiscard]] inline std::string svg(const map_plot& p) { return detail::map_writer(p).whole(); }

}  // namespace polder::io
