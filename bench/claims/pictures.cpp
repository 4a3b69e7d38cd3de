#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "claims/report.hpp"
#include "polder/core/error.hpp"
#include "polder/io/svg.hpp"

namespace polder_claims {
namespace {

constexpr double gap = std::numeric_limits<double>::quiet_NaN();

/// Adds an error bar, with caps, to a series that is drawn as a line; on a logarithmic x axis.
void add_bar(polder::io::plot_series& to, double x, double mean, double deviation) {
  if (!std::isfinite(deviation)) return;
  const auto piece = [&](std::initializer_list<std::pair<double, double>> points) {
    for (const auto& [px, py] : points) {
      to.x.push_back(px);
      to.y.push_back(py);
    }
    to.x.push_back(gap);
    to.y.push_back(gap);
  };
  constexpr double cap = 1.02;
  piece({{x, mean - deviation}, {x, mean + deviation}});
  piece({{x / cap, mean - deviation}, {x * cap, mean - deviation}});
  piece({{x / cap, mean + deviation}, {x * cap, mean + deviation}});
}

}  // namespace

std::string accuracy_picture(const run_set& set, const results& all, const std::string& alpha) {
  polder::io::plot p{.title = polder::text("Test accuracy of the averaged model, ring of ", ring.workers,
                                           ", Dirichlet alpha ", alpha, ": mean and standard deviation over seeds"),
                     .x_label = "times fewer bytes sent",
                     .y_label = "accuracy, %",
                     .x_scale = polder::io::axis_scale::logarithmic,
                     .width = 760,
                     .height = 460};
  double shift = 1.0;  // so that the bars of several methods at 1 stand beside each other
  for (const method& m : methods()) {
    std::vector<std::string> codecs{"none"};
    for (const codec& k : set.codecs) codecs.push_back(k.name);
    polder::io::plot_series s{.name = m.title};
    std::vector<double> x, y;
    for (const std::string& name : codecs) {
      const kind k{m.title, name, ring.name, alpha};
      const sample accuracy = all.accuracy(k);
      const sample fewer = all.fewer_bytes(k);
      if (accuracy.empty() || fewer.empty()) continue;
      x.push_back(shift * fewer.mean());
      y.push_back(100 * accuracy.mean());
      add_bar(s, x.back(), y.back(), 100 * accuracy.deviation());
    }
    if (x.empty()) continue;
    s.x.insert(s.x.end(), x.begin(), x.end());
    s.y.insert(s.y.end(), y.begin(), y.end());
    p.series.push_back(std::move(s));
    shift *= 1.035;
  }
  return p.series.empty() ? std::string() : polder::io::svg(p);
}

curve mean_curve(const results& all, const kind& k, std::string_view key) {
  std::map<double, std::vector<double>> values;
  for (const auto* const each : all.of(k)) {
    const auto* const points = each->line->at("curve").get_if<json::array>();
    if (points == nullptr || each->failed()) continue;
    for (const json& point : *points) values[number_of(point, "epoch")].push_back(number_of(point, key));
  }
  curve c;
  for (const auto& [epoch, at] : values) {
    double sum = 0.0;
    for (const double value : at) sum += value;
    c.epochs.push_back(epoch);
    c.values.push_back(sum / static_cast<double>(at.size()));
  }
  return c;
}

std::string error_picture(const run_set& set, const results& all, const method& m, const std::string& alpha) {
  polder::io::plot p{
      .title = polder::text("Compression error along the run, ring of ", ring.workers, ", Dirichlet alpha ", alpha),
      .x_label = "epoch",
      .y_label = "||v - C(v)|| / ||v||",
      .y_scale = polder::io::axis_scale::logarithmic,
      .width = 760,
      .height = 420};
  for (const codec& k : set.codecs) {
    for (const std::string& title : {m.title, m.bases.front()}) {
      const curve c = mean_curve(all, {title, k.name, ring.name, alpha}, "compression_error");
      if (c.epochs.empty()) continue;
      p.series.push_back({.name = title + ", " + k.name, .x = c.epochs, .y = c.values});
    }
  }
  return p.series.empty() ? std::string() : polder::io::svg(p);
}

}  // namespace polder_claims
