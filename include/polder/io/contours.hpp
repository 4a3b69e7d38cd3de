// polder — contour lines of numbers on a grid, by marching squares.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <vector>

#include "polder/core/error.hpp"

namespace polder::io {

/// Numbers z on the crossings of the lines x and y, both ascending: z[j x.size() + i] belongs to (x[i], y[j]).
struct grid {
  std::vector<double> x{};
  std::vector<double> y{};
  std::vector<double> z{};

  [[nodiscard]] double at(std::size_t i, std::size_t j) const { return z[j * x.size() + i]; }
};

struct contour_point {
  double x = 0;
  double y = 0;
};
/// A piece of a contour, with the higher side on its left; a closed one does not repeat its first point.
struct contour {
  std::vector<contour_point> points{};
  bool closed = false;
};

namespace detail {

/// Throws unless the grid is one.
inline void check(const grid& g) {
  require<config_error>(g.x.size() >= 2 && g.y.size() >= 2 && g.z.size() == g.x.size() * g.y.size(), "a grid of ",
                        g.x.size(), " x ", g.y.size(), " lines with ", g.z.size(),
                        " numbers: give at least 2 x 2 lines and a number for each crossing");
  for (const auto* lines : {&g.x, &g.y}) {
    for (std::size_t i = 0; i < lines->size(); ++i) {
      require<config_error>(std::isfinite((*lines)[i]) && (i == 0 || (*lines)[i - 1] < (*lines)[i]),
                            "a grid's lines must ascend, but ", (*lines)[i], " is line ", i);
    }
  }
}

/// The part of a cell at or above a level, as a polygon; `edge` tells where its border crosses an edge of the grid.
struct cell_corner {
  static constexpr std::size_t none = std::numeric_limits<std::size_t>::max();
  contour_point at;
  std::size_t edge = none;
  bool leaves = false;  // the border goes on inside the cell from here
};

/// The corners of that part of cell (i, j), counter-clockwise; of the two ways through a saddle the one that joins the
/// higher corners. A crossing is computed from the edge alone, so that neighboring cells agree on its bits.
class cell_part {
 public:
  cell_part(const grid& g, std::size_t i, std::size_t j, double level) {
    const std::array<std::size_t, 4> column{i, i + 1, i + 1, i}, row{j, j, j + 1, j + 1};
    const std::size_t lines = g.x.size();
    const std::array<std::size_t, 4> edges{2 * (j * lines + i), 2 * (j * lines + i + 1) + 1, 2 * ((j + 1) * lines + i),
                                           2 * (j * lines + i) + 1};
    for (std::size_t k = 0; k < 4; ++k) {
      const std::size_t next = (k + 1) % 4;
      const bool inside = g.at(column[k], row[k]) >= level, next_inside = g.at(column[next], row[next]) >= level;
      if (inside) corners_[count_++] = {{g.x[column[k]], g.y[row[k]]}};
      if (inside == next_inside) continue;
      const bool turned = k >= 2;  // from the lower to the higher index
      const std::size_t from = turned ? next : k, to = turned ? k : next;
      const double low = g.at(column[from], row[from]), high = g.at(column[to], row[to]);
      const double t = (level - low) / (high - low);
      corners_[count_++] = {{g.x[column[from]] + t * (g.x[column[to]] - g.x[column[from]]),
                             g.y[row[from]] + t * (g.y[row[to]] - g.y[row[from]])},
                            edges[k],
                            inside};
    }
  }
  [[nodiscard]] const cell_corner* begin() const { return corners_.data(); }
  [[nodiscard]] const cell_corner* end() const { return corners_.data() + count_; }
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] bool whole() const {
    return count_ == 4 && std::all_of(begin(), end(), [](const cell_corner& c) { return c.edge == cell_corner::none; });
  }

 private:
  std::array<cell_corner, 8> corners_{};
  std::size_t count_ = 0;
};

}  // namespace detail

/// The lines where the grid's numbers, linear along its edges, have that level. Lines end only at the grid's border.
/// Errors: config_error for a grid that is none or numbers that are not finite.
/// Source: Lorensen, Cline, "Marching cubes", SIGGRAPH 1987, in two dimensions.
[[nodiscard]] inline std::vector<contour> contours(const grid& g, double level) {
  detail::check(g);
  for (const double z : g.z) require<config_error>(std::isfinite(z), "contours: a number of the grid is ", z);
  struct piece {
    contour_point from;
    std::size_t to;
    bool entered = false;  // another piece leads here
    bool used = false;
  };
  std::map<std::size_t, piece> pieces;  // by the edge that they begin on
  std::map<std::size_t, contour_point> ends;
  for (std::size_t j = 0; j + 1 < g.y.size(); ++j) {
    for (std::size_t i = 0; i + 1 < g.x.size(); ++i) {
      const detail::cell_part part(g, i, j, level);
      for (const detail::cell_corner& corner : part) {
        if (!corner.leaves) continue;
        const detail::cell_corner* next = &corner + 1 == part.end() ? part.begin() : &corner + 1;
        while (next->edge == detail::cell_corner::none) next = next + 1 == part.end() ? part.begin() : next + 1;
        pieces[corner.edge] = {corner.at, next->edge};
        ends[next->edge] = next->at;
      }
    }
  }
  for (const auto& [edge, at] : ends) {
    if (const auto found = pieces.find(edge); found != pieces.end()) found->second.entered = true;
  }
  std::vector<contour> lines;
  for (const bool closed : {false, true}) {  // first those that begin at the border
    for (auto& [first, start] : pieces) {
      if (start.used || (!closed && start.entered)) continue;
      contour line{.closed = closed};
      std::size_t edge = first;
      for (auto at = pieces.find(edge); at != pieces.end() && !at->second.used; at = pieces.find(edge)) {
        at->second.used = true;
        line.points.push_back(at->second.from);
        edge = at->second.to;
      }
      if (!closed) line.points.push_back(ends[edge]);
      lines.push_back(std::move(line));
    }
  }
  return lines;
}

}  // namespace polder::io
