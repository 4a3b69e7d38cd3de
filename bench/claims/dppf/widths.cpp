// How wide the valley is, against what the closed forms say.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "claims/dppf/law.hpp"
#include "claims/dppf/report.hpp"
#include "polder/core/error.hpp"
#include "polder/io/svg.hpp"

namespace polder_claims::dppf {
namespace {

using polder::text;

/// A width and what it should be.
struct width_found {
  job what;
  double observed = 0.0;
  double limit = 0.0;      ///< lambda / alpha
  double predicted = 0.0;  ///< with the learning rate, the momentum and the curvature as they are
  double curvature = 0.0;
  double with_noise = std::nan("");  ///< and with the noise that the run without push shows
};

/// How far observed widths are from predicted ones, as shares of these.
struct spread {
  double least = INFINITY, most = 0.0;
  std::size_t count = 0, close = 0;

  void add(double observed, double predicted) {
    const double share = observed / predicted;
    if (!std::isfinite(share)) return;
    least = std::min(least, share);
    most = std::max(most, share);
    ++count;
    close += std::abs(share - 1.0) <= 0.1 ? 1 : 0;
  }
  [[nodiscard]] std::string told() const {
    if (count == 0) return "not run yet";
    return text(close == count ? "**held**" : "**did not hold**", " (within 10 % in ", close, " of ", count,
                " runs; observed is ", fixed(least, 3), " to ", fixed(most, 3), " times predicted)");
  }
};

double factor_of(const job& j, const json& line) {
  const auto tau = static_cast<std::uint64_t>(std::stoull(j.period));
  if (j.on_quadratic()) return gap_factor(std::stod(j.curvature), std::stod(j.rate), std::stod(j.momentum), tau);
  const double h = number_of(line, "curvature_along_gaps") + number_of(line, "weight_decay");
  return gap_factor(h, number_of(line, "last_rate"), number_of(line, "momentum"), tau);
}
std::optional<width_found> width_of(const job& j, const json& line) {
  if (line.find("failed") != nullptr) return std::nullopt;
  width_found w{.what = j};
  w.observed = number_of(j.on_quadratic() ? line : line.at("summary"), "valley_width");
  w.limit = std::stod(j.lambda) / std::stod(j.alpha);
  w.predicted = width_after(std::stod(j.alpha), std::stod(j.lambda), factor_of(j, line));
  w.curvature = j.on_quadratic() ? std::stod(j.curvature) : number_of(line, "curvature_along_gaps");
  return w;
}

/// The widths of a set's runs on a network, each beside the run without push that belongs to it.
std::vector<width_found> network_widths(const run_set& set, const results& all, const std::string& network) {
  std::vector<width_found> found;
  for (const std::string& schedule : set.schedules) {
    for (const std::string& alpha : set.pull_strengths) {
      const job quiet = width_job(set, network, schedule, alpha, "0");
      const json* const without = all.find(quiet);
      for (const std::string& width : set.widths) {
        const job j = width_job(set, network, schedule, alpha, width);
        const json* const line = all.find(j);
        auto w = line == nullptr ? std::nullopt : width_of(j, *line);
        if (!w) continue;
        if (without != nullptr && without->find("failed") == nullptr) {
          const double a = std::stod(alpha);
          const double noise =
              noise_of(a, factor_of(quiet, *without), number_of(without->at("summary"), "valley_width"));
          w->with_noise = width_with_noise(a, std::stod(j.lambda), factor_of(j, *line), noise);
        }
        found.push_back(*w);
      }
    }
  }
  return found;
}

void tell_quadratics(page& to, const results& all) {
  to.put("On a quadratic of 50 equal curvatures, without noise; 4 workers, 600 rounds of 4 steps:\n");
  to.header({"curvature", "momentum", "alpha", "lambda / alpha", "predicted", "observed"});
  spread plain, momentum;
  for (const auto& each : all.lines()) {
    if (!each.what.on_quadratic()) continue;
    const auto w = width_of(each.what, *each.line);
    if (!w) continue;
    (each.what.momentum == "0" ? plain : momentum).add(w->observed, w->predicted);
    to.row({each.what.curvature, each.what.momentum, each.what.alpha, fixed(w->limit, 1), fixed(w->predicted, 6),
            fixed(w->observed, 6)});
  }
  to.put();
  to.put("- that the width is what the formula says, without momentum: ", plain.told());
  to.put("- the same with momentum: ", momentum.told());
  to.put(
      "\nWith momentum, gaps in more than one dimension may turn about their velocities from round to round; rho knows "
      "it",
      " (`bench/claims/dppf/law.hpp`). On a line, where they cannot turn, the valley is narrower.\n");
}

void tell_network(page& to, const std::string& network, const std::vector<width_found>& widths) {
  to.put("On `", network, "`, seed 1:\n");
  to.header({"learning rate", "alpha", "lambda / alpha", "curvature along the gaps", "predicted", "with noise",
             "observed", "observed / (lambda / alpha)"});
  spread constant, falling, noisy;
  for (const width_found& w : widths) {
    const job& j = w.what;
    const bool pushed = w.limit > 0.0;
    if (pushed) {
      (j.schedule == "constant" ? constant : falling).add(w.observed, w.predicted);
      noisy.add(w.observed, w.with_noise);
    }
    to.row({j.schedule, j.alpha, fixed(w.limit, 1), fixed(w.curvature, 4), fixed(w.predicted, 3),
            pushed && std::isfinite(w.with_noise) ? fixed(w.with_noise, 3) : "–", fixed(w.observed, 3),
            pushed ? fixed(w.observed / w.limit, 3) : "–"});
  }
  to.put();
  const std::string claim = "- that the width is what the formula without noise says, learning rate ";
  if (constant.count > 0) to.put(claim, "constant: ", constant.told());
  if (falling.count > 0) to.put(claim, "to 0: ", falling.told());
  to.put("- that it is what the formula with noise says: ", noisy.told(), "\n");
}

std::string width_picture(const run_set& set, const results& all) {
  polder::io::plot p{.title = "Valley width right after a communication",
                     .x_label = "lambda / alpha",
                     .y_label = "observed width",
                     .x_scale = polder::io::axis_scale::logarithmic,
                     .y_scale = polder::io::axis_scale::logarithmic,
                     .width = 760,
                     .height = 460};
  using style = polder::io::plot_series::style;
  double least = INFINITY, most = 0.0;
  for (const std::string& network : set.networks) {
    const auto widths = network_widths(set, all, network);
    for (const std::string& schedule : set.schedules) {
      for (const std::string& alpha : set.pull_strengths) {
        polder::io::plot_series s{.name = text(network, ", ", schedule, ", alpha ", alpha),
                                  .drawn = style::line_and_points};
        for (const width_found& w : widths) {
          if (w.what.schedule != schedule || w.what.alpha != alpha || !(w.limit > 0.0)) continue;
          s.x.push_back(w.limit);
          s.y.push_back(w.observed);
          least = std::min(least, w.limit);
          most = std::max(most, w.limit);
        }
        if (!s.x.empty()) p.series.push_back(std::move(s));
      }
    }
  }
  if (p.series.empty()) return {};
  p.series.push_back({.name = "lambda / alpha", .x = {least, most}, .y = {least, most}, .drawn = style::dashed});
  return polder::io::svg(p);
}

}  // namespace

void tell_widths(page& to, const run_set& set, const results& all) {
  to.put("## 1. Is the valley as wide as lambda / alpha says?\n");
  to.put(
      "The width is the mean distance of the workers to their mean right after the last communication; pull to the "
      "plain",
      " average. *Predicted* is lambda / (1 - (1 - alpha) rho): rho is what the 4 local steps of a round make of a "
      "gap,",
      " at the run's last learning rate, with its momentum and with the curvature of the training loss along the gaps "
      "at",
      " the mean, d^T H d / d^T d, measured by exact products of the Hessian on ", set.measured_images,
      " images. It knows no noise. *With noise* adds what gradients' noise does to the gaps in the run without push, "
      "as",
      " if it were of the same size in every direction, and left nothing in the momentum.\n");
  tell_quadratics(to, all);
  for (const std::string& network : set.networks) {
    const auto widths = network_widths(set, all, network);
    if (widths.empty()) {
      to.put("On `", network, "`: not run yet\n");
    } else {
      tell_network(to, network, widths);
    }
  }
  to.picture("_width", "Observed widths over lambda / alpha", width_picture(set, all));
}

}  // namespace polder_claims::dppf
