// Which runs a set has, and in what order: a method is tuned before its runs are compared.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "claims/plan.hpp"
#include "polder/io/json.hpp"

namespace polder_claims {

/// The accuracy of the averaged model on all test images; 0 for a run that failed.
inline double accuracy_of(const polder::io::json& line) {
  if (line.find("failed") != nullptr) return 0.0;
  return line.at("summary").at("accuracy_mean_model").as_double().value_or(0.0);
}

/// The values that a method does best with.
struct tuned {
  std::string rate;
  std::string rho;
};

/// Tunes a method: learning rates first, at the first radius, then the other radii at the best rate. `once(job)` gives the
/// line of a run. Of equal ones the first wins.
template <class Once>
tuned tune(const run_set& set, const method& m, Once& once) {
  tuned best;
  double most = -1.0;
  const auto attempt = [&](const std::string& rate, const std::string& rho) {
    const double accuracy =
        accuracy_of(once(make_job(set, true, m, ring, {}, set.tuning_alpha, set.tuning_seed, rate, rho)));
    if (accuracy > most) {
      most = accuracy;
      best = {rate, rho};
    }
  };
  for (const std::string& rate : m.rates) attempt(rate, m.sharpness_aware() ? m.radii.front() : "");
  const std::string rate = best.rate;
  for (std::size_t i = 1; i < m.radii.size(); ++i) attempt(rate, m.radii[i]);
  return best;
}

/// Calls once(job) for the runs of a method that are compared on a graph, with and without compression.
template <class Once>
void compare(const run_set& set, const method& m, const graph& on, bool compressed, const tuned& values, Once& once) {
  for (const codec& k : compressed ? set.codecs : std::vector<codec>{{}}) {
    for (const std::string& alpha : set.alphas) {
      for (const std::string& seed : set.seeds) {
        (void)once(make_job(set, false, m, on, k, alpha, seed, values.rate, values.rho));
      }
    }
  }
}

/// All runs of a set, or those of the methods of one part ("quasi_global": without cross-gradients).
template <class Once>
void for_all_runs(const run_set& set, std::string_view part, Once& once) {
  for (const bool cross_gradients : {false, true}) {
    if (part == (cross_gradients ? "quasi_global" : "cross_gradients")) continue;
    std::vector<std::pair<const method*, tuned>> chosen;
    for (const method& m : methods()) {
      if (m.cross_gradients == cross_gradients) chosen.emplace_back(&m, tune(set, m, once));
    }
    const auto compare_all = [&](const graph& on, bool compressed) {
      for (const auto& [m, values] : chosen) {
        if (!compressed || !m->compressed.empty()) compare(set, *m, on, compressed, values, once);
      }
    };
    compare_all(ring, false);
    compare_all(ring, true);
    if (!cross_gradients) compare_all(torus, false);
  }
}

}  // namespace polder_claims
