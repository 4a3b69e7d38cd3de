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

  void add(double of_measure, double of_gap) {
    measure.push_back(of_measure);
    gap.push_back(of_gap);
  }
  [[nodiscard]] double tau() const { return ps::kendall_tau_b(measure, gap); }
};
pairs pairs_of(const std::vector<model_line>& models, const std::string& key) {
  pairs found;
  for (const model_line& m : models) {
    if (std::isfinite(m.value(key)) && std::isfinite(m.gap())) found.add(m.value(key), m.gap());
  }
  return found;
}

/// All of a job but one of its values, as a text.
std::string rest_of(job j, std::string job::*value) {
  j.*value = "*";
  return j.command();
}

/// Models that are alike in all but one value.
std::vector<std::vector<model_line>> grouped(const std::vector<model_line>& models, std::string job::*value) {
  std::map<std::string, std::vector<model_line>> by_rest;
  for (const model_line& m : models) by_rest[rest_of(m.what, value)].push_back(m);
  std::vector<std::vector<model_line>> found;
  for (auto& [rest, group] : by_rest) found.push_back(std::move(group));
  return found;
}
/// Measure and gap of each configuration: models that are alike in all but their seeds.
std::vector<pairs> configurations_of(const std::vector<model_line>& models, const std::string& key) {
  std::vector<pairs> found;
  for (const auto& group : grouped(models, &job::seed)) {
    if (pairs p = pairs_of(group, key); !p.gap.empty()) found.push_back(std::move(p));
  }
  return found;
}

double mean_of(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

}  // namespace

std::string correlation::told() const {
  if (!known()) return "–";
  return polder::text(fixed(tau, 2), " [", fixed(low, 2), ", ", fixed(high, 2), "]");
}

correlation correlate(const std::vector<model_line>& models, const std::string& key) {
  const std::vector<pairs> configurations = configurations_of(models, key);
  const pairs all = pairs_of(models, key);
  correlation found{.models = all.gap.size(), .items = configurations.size()};
  if (!found.known()) return found;
  found.tau = all.tau();
  const auto of_drawn = [&](std::span<const std::size_t> items) {
    pairs drawn;
    for (const std::size_t item : items) {
      const pairs& c = configurations[item];
      for (std::size_t i = 0; i < c.gap.size(); ++i) drawn.add(c.measure[i], c.gap[i]);
    }
    return drawn.tau();
  };
  const ps::interval around = ps::bootstrap_interval(configurations.size(), of_drawn, draws);
  found.low = around.low;
  found.high = around.high;
  return found;
}

correlation correlate_configurations(const std::vector<model_line>& models, const std::string& key) {
  pairs means;
  for (const pairs& c : configurations_of(models, key)) means.add(mean_of(c.measure), mean_of(c.gap));
  correlation found{.models = means.gap.size(), .items = means.gap.size()};
  if (!found.known()) return found;
  found.tau = means.tau();
  const ps::interval around = ps::kendall_interval(means.measure, means.gap, draws);
  found.low = around.low;
  found.high = around.high;
  return found;
}

correlation correlate_varying(const std::vector<model_line>& models, const std::string& key,
                              const hyperparameter& varied) {
  // Groups that differ in their seed alone are one item.
  std::map<std::string, std::vector<double>> by_configuration;
  correlation found;
  for (const auto& group : grouped(models, varied.value)) {
    const pairs p = pairs_of(group, key);
    if (p.gap.size() < 2) continue;
    job rest = group.front().what;
    rest.*varied.value = "*";
    by_configuration[rest_of(rest, &job::seed)].push_back(p.tau());
    found.models += p.gap.size();
  }
  std::vector<double> taus;
  for (const auto& [rest, of_seeds] : by_configuration) taus.push_back(mean_of(of_seeds));
  found.items = taus.size();
  if (!found.known()) return found;
  const auto mean = [&](std::span<const std::size_t> items) {
    double sum = 0.0;
    for (const std::size_t item : items) sum += taus[item];
    return sum / static_cast<double>(items.size());
  };
  std::vector<std::size_t> each(taus.size());
  for (std::size_t i = 0; i < each.size(); ++i) each[i] = i;
  found.tau = mean(each);
  const ps::interval around = ps::bootstrap_interval(taus.size(), mean, draws);
  const double others = 2.0 * 3.0 / static_cast<double>(taus.size());  // the kinds are 1 and -1, 2 apart
  found.low = found.tau == 1.0 ? 1.0 - others : around.low;
  found.high = found.tau == -1.0 ? -1.0 + others : around.high;
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
