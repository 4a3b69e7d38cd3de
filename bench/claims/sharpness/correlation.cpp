#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "claims/sharpness/report.hpp"
#include "polder/io/svg.hpp"
#include "polder/sharpness/kendall.hpp"

namespace polder_claims::sharpness {
namespace {

namespace ps = polder::sharpness;
constexpr ps::bootstrap_options draws{.level = 0.95, .draws = 1000, .seed = 1};

/// Measure and gap of the models that have both.
struct pairs {
  std::vector<double> measure, gap;
};
pairs pairs_of(const std::vector<model_line>& models, const std::string& key) {
  pairs found;
  for (const model_line& m : models) {
    if (!std::isfinite(m.value(key)) || !std::isfinite(m.gap())) continue;
    found.measure.push_back(m.value(key));
    found.gap.push_back(m.gap());
  }
  return found;
}

/// All of a job but one hyperparameter, as a text.
std::string rest_of(const job& j, const hyperparameter& varied) {
  job rest = j;
  rest.*varied.value = "*";
  return rest.command();
}

}  // namespace

std::string correlation::told() const {
  if (!known()) return "–";
  return polder::text(fixed(tau, 2), " [", fixed(low, 2), ", ", fixed(high, 2), "]");
}

correlation correlate(const std::vector<model_line>& models, const std::string& key) {
  const pairs p = pairs_of(models, key);
  correlation found{.models = p.gap.size()};
  if (!found.known()) return found;
  found.tau = ps::kendall_tau_b(p.measure, p.gap);
  const ps::interval around = ps::kendall_interval(p.measure, p.gap, draws);
  found.low = around.low;
  found.high = around.high;
  return found;
}

correlation correlate_varying(const std::vector<model_line>& models, const std::string& key,
                              const hyperparameter& varied) {
  std::map<std::string, std::vector<model_line>> groups;
  for (const model_line& m : models) groups[rest_of(m.what, varied)].push_back(m);
  std::vector<double> taus;
  correlation found;
  for (const auto& [rest, group] : groups) {
    const pairs p = pairs_of(group, key);
    if (p.gap.size() < 2) continue;
    taus.push_back(ps::kendall_tau_b(p.measure, p.gap));
    found.models += p.gap.size();
  }
  if (taus.empty()) return {};
  const auto mean = [&](std::span<const std::size_t> items) {
    double sum = 0.0;
    for (const std::size_t item : items) sum += taus[item];
    return sum / static_cast<double>(items.size());
  };
  std::vector<std::size_t> each(taus.size());
  for (std::size_t i = 0; i < each.size(); ++i) each[i] = i;
  found.tau = mean(each);
  const ps::interval around = ps::bootstrap_interval(taus.size(), mean, draws);
  found.low = around.low;
  found.high = around.high;
  return found;
}

std::string scatter(const std::vector<model_line>& models, const measure_name& m) {
  std::map<std::string, std::pair<std::vector<double>, std::vector<double>>> series;
  bool positive = true;
  for (const model_line& each : models) {
    const double x = each.value(m.key);
    if (!std::isfinite(x)) continue;
    positive = positive && x > 0.0;
    auto& [xs, ys] = series[each.what.kind + ":" + each.what.width];
    xs.push_back(x);
    ys.push_back(each.gap());
  }
  polder::io::plot p{.title = "Gap over " + m.title,
                     .x_label = m.title,
                     .y_label = "test error - training error, points",
                     .x_scale = positive ? polder::io::axis_scale::logarithmic : polder::io::axis_scale::linear,
                     .width = 760,
                     .height = 440};
  for (auto& [name, points] : series) {
    p.series.push_back({.name = name,
                        .x = std::move(points.first),
                        .y = std::move(points.second),
                        .drawn = polder::io::plot_series::style::points});
  }
  return p.series.empty() ? std::string() : polder::io::svg(p);
}

}  // namespace polder_claims::sharpness
