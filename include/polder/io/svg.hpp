// polder — plots of curves and points as SVG, for reports and papers.
//
//     io::plot p{.title = "Test accuracy", .x_label = "epoch", .y_label = "accuracy"};
//     p.series.push_back({.name = "QGM", .x = epochs, .y = accuracy});
//     io::write_file("accuracy.svg", io::svg(p));
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/io/axis.hpp"
#include "polder/io/markup.hpp"
#include "polder/io/plot_layout.hpp"

namespace polder::io {

/// One curve or cloud of a plot. A point that is not finite (or not above 0 on a logarithmic axis) leaves a gap.
struct plot_series {
  enum class style { line, dashed, points, line_and_points };

  std::string name{};  ///< written at the end of the curve; empty: none
  std::vector<double> x{};
  std::vector<double> y{};
  style drawn = style::line;
};

/// A plot as a value.
struct plot {
  static constexpr double automatic = std::numeric_limits<double>::quiet_NaN();

  std::string title{};
  std::string x_label{};
  std::string y_label{};
  std::vector<plot_series> series{};
  axis_scale x_scale = axis_scale::linear;
  axis_scale y_scale = axis_scale::linear;
  double x_low = automatic;
  double x_high = automatic;
  double y_low = automatic;
  double y_high = automatic;
  double width = 640;  ///< pixels; the picture scales without loss
  double height = 400;
};

namespace detail {

class svg_writer {
 public:
  explicit svg_writer(const plot& p) : plot_(p), x_(make_axis(p, true)), y_(make_axis(p, false)) {
    for (const plot_series& series : p.series) {
      if (series.name.empty()) continue;
      ++named_;
      label_width_ = std::max(label_width_, text_width(series.name) * font * 1.08);  // semibold is wider
    }
    double tick_width = 0;
    for (const axis_tick& tick : y_.ticks()) tick_width = std::max(tick_width, text_width(tick.label) * font);
    title_ = wrapped(p.title, (p.width - 2 * title_margin) / (title_font * 1.08));
    top_ = title_.empty() ? 14 : 22 + title_line * static_cast<double>(title_.size());
    bottom_ = p.height - (p.x_label.empty() ? 30 : 50);
    left_ = 14 + tick_width + (p.y_label.empty() ? 0 : 20);
    const bool room = static_cast<double>(named_) * label_height <= bottom_ - top_ && label_width_ < 0.4 * p.width;
    direct_ = named_ > 1 && room;
    right_ = p.width - (direct_ ? 26 + label_width_ : 18);
    if (named_ > 1 && !direct_) top_ += legend_height();
    require<config_error>(right_ - left_ >= 50 && bottom_ - top_ >= 50, "a plot of ", p.width, " x ", p.height,
                          " pixels is too small for its labels: make it larger");
  }

  std::string whole() {
    head();
    grid();
    curves();
    labels();
    out_ += "</svg>\n";
    return std::move(out_);
  }

 private:
  static constexpr double font = 12.5;
  static constexpr double label_height = 16;
  static constexpr double title_font = 15;
  static constexpr double title_line = 19;
  static constexpr double title_margin = 14;

  static axis make_axis(const plot& p, bool horizontal) {
    std::vector<double> values;
    for (const plot_series& series : p.series) {
      require<config_error>(series.x.size() == series.y.size(), "the plotted series '", series.name, "' has ",
                            series.x.size(), " x but ", series.y.size(), " y");
      for (std::size_t i = 0; i < series.x.size(); ++i) {
        const bool gap = !std::isfinite(series.x[i]) || !std::isfinite(series.y[i]);
        if (!gap) values.push_back(horizontal ? series.x[i] : series.y[i]);
      }
    }
    const double length = horizontal ? p.width : p.height;
    const auto count = static_cast<std::size_t>(std::max(2.0, length / (horizontal ? 95 : 60)));
    return horizontal ? fitting_axis(p.x_scale, values, p.x_low, p.x_high, 0.0, count)
                      : fitting_axis(p.y_scale, values, p.y_low, p.y_high, 0.06, count);
  }

  template <class... Pieces>
  void put(const Pieces&... pieces) {
    out_ += text(pieces...);
    out_ += '\n';
  }
  [[nodiscard]] double x_at(double value) const { return left_ + x_.place(value) * (right_ - left_); }
  [[nodiscard]] double y_at(double value) const { return bottom_ - y_.place(value) * (bottom_ - top_); }
  [[nodiscard]] static std::string color_class(std::size_t i) { return text("polder-c", i % plot_colors.size()); }

  /// Where the colors begin again, dashes tell the curves apart.
  [[nodiscard]] bool is_dashed(std::size_t i) const {
    return plot_.series[i].drawn == plot_series::style::dashed || (i / plot_colors.size()) % 2 == 1;
  }

  void head() {
    put("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"polder-plot\" viewBox=\"0 0 ", plot_.width, ' ',
        plot_.height, "\" width=\"", plot_.width, "\" height=\"", plot_.height,
        "\" role=\"img\" font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', "
        "Arial, sans-serif\" font-size=\"",
        font, "\">");
    put("<title>", escape_markup(plot_.title), "</title>");
    put("<style>");
    put(".polder-plot{max-width:100%;height:auto}.polder-page{fill:#fff}.polder-text{fill:#24292f}",
        ".polder-quiet{fill:#57606a}.polder-grid{stroke:#e4e7eb}.polder-base{stroke:#8c959f}",
        ".polder-curve{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}.polder-dash{stroke-"
        "dasharray:7 5}");
    for (std::size_t i = 0; i < plot_colors.size(); ++i) put(color_rules(i, plot_colors[i].light));
    put("@media (prefers-color-scheme:dark){");
    put(".polder-page{fill:#14181d}.polder-text{fill:#e6edf3}.polder-quiet{fill:#9da7b1}",
        ".polder-grid{stroke:#2b323b}.polder-base{stroke:#6e7681}");
    for (std::size_t i = 0; i < plot_colors.size(); ++i) put(color_rules(i, plot_colors[i].dark));
    put("}</style>");
    put("<rect class=\"polder-page\" width=\"", plot_.width, "\" height=\"", plot_.height, "\" rx=\"6\"/>");
    for (std::size_t line = 0; line < title_.size(); ++line) {
      put("<text class=\"polder-text\" x=\"", title_margin, "\" y=\"",
          coordinate(24 + title_line * static_cast<double>(line)), "\" font-size=\"", title_font,
          "\" font-weight=\"600\">", escape_markup(title_[line]), "</text>");
    }
  }
  static std::string color_rules(std::size_t i, std::string_view color) {
    return text(".polder-c", i, "{stroke:", color, "}.polder-f.polder-c", i, "{fill:", color, ";stroke:none}");
  }

  void grid() {
    for (const axis_tick& tick : y_.ticks()) {
      const std::string y = coordinate(y_at(tick.value));
      put("<line class=\"polder-grid\" x1=\"", coordinate(left_), "\" x2=\"", coordinate(right_), "\" y1=\"", y,
          "\" y2=\"", y, "\"/>");
      put("<text class=\"polder-quiet\" x=\"", coordinate(left_ - 8), "\" y=\"", y,
          "\" dy=\"0.35em\" text-anchor=\"end\">", tick.label, "</text>");
    }
    for (const axis_tick& tick : x_.ticks()) {
      const std::string x = coordinate(x_at(tick.value));
      put("<line class=\"polder-base\" x1=\"", x, "\" x2=\"", x, "\" y1=\"", coordinate(bottom_), "\" y2=\"",
          coordinate(bottom_ + 5), "\"/>");
      put("<text class=\"polder-quiet\" x=\"", x, "\" y=\"", coordinate(bottom_ + 19), "\" text-anchor=\"middle\">",
          tick.label, "</text>");
    }
    put("<line class=\"polder-base\" x1=\"", coordinate(left_), "\" x2=\"", coordinate(right_), "\" y1=\"",
        coordinate(bottom_), "\" y2=\"", coordinate(bottom_), "\"/>");
    if (!plot_.x_label.empty()) {
      put("<text class=\"polder-text\" x=\"", coordinate((left_ + right_) / 2), "\" y=\"",
          coordinate(plot_.height - 12), "\" text-anchor=\"middle\">", escape_markup(plot_.x_label), "</text>");
    }
    if (!plot_.y_label.empty()) {
      put("<text class=\"polder-text\" transform=\"translate(18 ", coordinate((top_ + bottom_) / 2),
          ") rotate(-90)\" text-anchor=\"middle\">", escape_markup(plot_.y_label), "</text>");
    }
  }

  void curves() {
    // A picture inside the picture cuts off what leaves the axes, without a name that could occur twice on a page.
    const double width = right_ - left_;
    const double height = bottom_ - top_;
    constexpr double rim = 5;
    put("<svg x=\"", coordinate(left_ - rim), "\" y=\"", coordinate(top_ - rim), "\" width=\"",
        coordinate(width + 2 * rim), "\" height=\"", coordinate(height + 2 * rim), "\" viewBox=\"",
        coordinate(left_ - rim), ' ', coordinate(top_ - rim), ' ', coordinate(width + 2 * rim), ' ',
        coordinate(height + 2 * rim), "\" overflow=\"hidden\">");
    for (std::size_t i = plot_.series.size(); i-- > 0;) curve(i);  // the first is drawn last: on top
    put("</svg>");
  }

  void curve(std::size_t i) {
    using style = plot_series::style;
    const plot_series& series = plot_.series[i];
    const bool line = series.drawn != style::points;
    const bool points = series.drawn == style::points || series.drawn == style::line_and_points;
    std::string path;
    std::string dots;
    std::string previous;
    bool pen_down = false;
    for (std::size_t k = 0; k < series.x.size(); ++k) {
      if (!x_.shows(series.x[k]) || !y_.shows(series.y[k])) {
        pen_down = false;
        continue;
      }
      // Far outside the axes nothing is seen, but coordinates must stay small enough for every reader of SVG.
      const std::string x = coordinate(std::clamp(x_at(series.x[k]), -1e5, 1e5));
      const std::string y = coordinate(std::clamp(y_at(series.y[k]), -1e5, 1e5));
      std::string place = text(x, ' ', y);
      if (pen_down && place == previous) continue;
      const bool alone =
          !pen_down && (k + 1 == series.x.size() || !x_.shows(series.x[k + 1]) || !y_.shows(series.y[k + 1]));
      path += text(pen_down ? "L" : "M", place, alone ? "h0" : "");  // a round cap shows even a lone point
      if (points) dots += text("<circle cx=\"", x, "\" cy=\"", y, "\" r=\"3\"/>");
      pen_down = true;
      previous = std::move(place);
    }
    if (path.empty()) return;
    put("<g><title>", escape_markup(series.name), "</title>");
    if (line) {
      put("<path class=\"polder-curve ", color_class(i), is_dashed(i) ? " polder-dash" : "", "\" d=\"", path, "\"/>");
    }
    if (points) put("<g class=\"polder-f ", color_class(i), "\">", dots, "</g>");
    put("</g>");
  }

  void labels() {
    if (named_ < 2) return;
    direct_ ? direct_labels() : legend();
  }

  /// Names at the ends of their curves.
  void direct_labels() {
    std::vector<std::size_t> shown;
    std::vector<double> places;
    std::vector<double> ends;
    for (std::size_t i = 0; i < plot_.series.size(); ++i) {
      const plot_series& series = plot_.series[i];
      for (std::size_t k = series.x.size(); k-- > 0 && !series.name.empty();) {
        if (!x_.shows(series.x[k]) || !y_.shows(series.y[k])) continue;
        shown.push_back(i);
        places.push_back(std::clamp(y_at(series.y[k]), top_, bottom_));
        ends.push_back(std::clamp(x_at(series.x[k]), left_, right_));
        break;
      }
    }
    const std::vector<double> moved = spread(places, label_height, top_ + 4, bottom_ - 4);
    for (std::size_t j = 0; j < shown.size(); ++j) {
      put("<path class=\"", color_class(shown[j]), "\" fill=\"none\" stroke-width=\"1\" opacity=\"0.55\" d=\"M",
          coordinate(std::min(ends[j] + 4, right_ + 4)), ' ', coordinate(places[j]), "L", coordinate(right_ + 10), ' ',
          coordinate(moved[j]), "h5\"/>");
      put("<text class=\"polder-f ", color_class(shown[j]), "\" font-weight=\"600\" x=\"", coordinate(right_ + 18),
          "\" y=\"", coordinate(moved[j]), "\" dy=\"0.35em\">", escape_markup(plot_.series[shown[j]].name), "</text>");
    }
  }

  [[nodiscard]] std::size_t legend_columns() const {
    return std::max<std::size_t>(1, static_cast<std::size_t>((plot_.width - 60) / (label_width_ + 44)));
  }
  [[nodiscard]] double legend_height() const {
    const std::size_t rows = (named_ + legend_columns() - 1) / legend_columns();
    return 18 * static_cast<double>(rows) + 4;
  }
  void legend() {
    std::size_t place = 0;
    const double first = top_ - legend_height() + 4;
    for (std::size_t i = 0; i < plot_.series.size(); ++i) {
      if (plot_.series[i].name.empty()) continue;
      const double x = left_ + static_cast<double>(place % legend_columns()) * (label_width_ + 44);
      const std::size_t row = place / legend_columns();
      const double y = first + 18 * static_cast<double>(row);
      if (plot_.series[i].drawn == plot_series::style::points) {
        put("<circle class=\"polder-f ", color_class(i), "\" cx=\"", coordinate(x + 11), "\" cy=\"", coordinate(y),
            "\" r=\"3\"/>");
      } else {
        put("<path class=\"polder-curve ", color_class(i), is_dashed(i) ? " polder-dash" : "", "\" d=\"M",
            coordinate(x), ' ', coordinate(y), "h22\"/>");
      }
      put("<text class=\"polder-text\" x=\"", coordinate(x + 28), "\" y=\"", coordinate(y), "\" dy=\"0.35em\">",
          escape_markup(plot_.series[i].name), "</text>");
      ++place;
    }
  }

  const plot& plot_;
  std::vector<std::string> title_;
  axis x_;
  axis y_;
  std::string out_;
  std::size_t named_ = 0;
  bool direct_ = false;
  double label_width_ = 0;
  double top_ = 0;
  double bottom_ = 0;
  double left_ = 0;
  double right_ = 0;
};

}  // namespace detail

/// The picture of a plot: a complete SVG file that also works inside an HTML page and follows its dark mode.
/// Errors: config_error for a series with another number of x than y, or a plot too small for its labels.
[[nodiscard]] inline std::string svg(const plot& p) { return detail::svg_writer(p).whole(); }

}  // namespace polder::io
