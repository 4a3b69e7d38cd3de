// Which runs a set has, and in what order: a method is tuned before its runs are compared.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "claims/dppf/plan.hpp"
#include "polder/io/json.hpp"

namespace polder_claims::dppf {

/// The accuracy of the evaluated model on all test images; 0 for a run that failed.
inline double accuracy_of(const polder::io::json& line) {
  if (line.find("failed") != nullptr) return 0.0;
  return line.at("summary").at("accuracy_mean_model").as_double().value_or(0.0);
}

/// The values that a method is most accurate with on the seed of tuning; of equal ones the first. `once(job)` gives the
/// line of a run.
template <class Once>
values tune(const run_set& set, const method& m, Once& once) {
  values best;
  double most = -1.0;
  const auto attempt = [&](const values& with) {
    const double accuracy =
        accuracy_of(once(make_job(set, true, m, set.tuning_workers, set.tuning_period, set.tuning_seed, with)));
    if (accuracy > most) {
      most = accuracy;
      best = with;
    }
  };
  for (const std::string& rate : m.rates) attempt({rate, m.seconds.empty() ? "" : m.seconds.front()});
  const std::string rate = best.rate;
  for (std::size_t i = 1; i < m.seconds.size(); ++i) attempt({rate, m.seconds[i]});
  return best;
}

template <class Once>
std::vector<std::pair<const method*, values>> tune_all(const run_set& set, Once& once) {
  std::vector<std::pair<const method*, values>> all;
  for (const method& m : set.methods) all.emplace_back(&m, tune(set, m, once));
  return all;
}

template <class Once>
void for_all_widths(const run_set& set, Once& once) {
  for (const std::string momentum : {"0", "0.9"}) {
    for (const std::string curvature : {"0", "0.1", "0.3", "0.5"}) {
      for (const std::string alpha : {"0.1", "0.5"}) {
        for (const std::string width : {"1", "5"}) (void)once(quadratic_job(curvature, momentum, alpha, width));
      }
    }
  }
  for (const std::string& network : set.networks) {
    for (const std::string& schedule : set.schedules) {
      for (const std::string& alpha : set.pull_strengths) {
        for (const std::string& width : set.widths) (void)once(width_job(set, network, schedule, alpha, width));
      }
    }
  }
}

template <class Once>
void for_all_methods(const run_set& set, Once& once) {
  for (const auto& [m, with] : tune_all(set, once)) {
    for (const std::string& workers : set.workers) {
      for (const std::string& period : set.periods) {
        for (const std::string& seed : set.seeds) {
          // Synchronous methods have no period: one run serves all.
          if (m->has_period || period == set.periods.front()) {
            (void)once(make_job(set, false, *m, workers, period, seed, with));
          }
        }
      }
    }
  }
}

/// All runs of a set, or those of one part.
template <class Once>
void for_all_runs(const run_set& set, std::string_view part, Once& once) {
  if (part != "methods") for_all_widths(set, once);
  if (part != "widths") for_all_methods(set, once);
}

}  // namespace polder_claims::dppf
