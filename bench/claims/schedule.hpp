// Which runs a set has, and in what order: a method is tuned before its runs are compared.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "claims/plan.hpp"
#include "polder/io/json.hpp"

namespace polder_claims {

/// The accuracy of the averaged model on all test images; 0 for a run that failed.
inline double accuracy_of(const polder::io::json& line) {
  if (line.find("failed") != nullptr) return 0.0;
  return line.at("summary").at("accuracy_mean_model").as_double().value_or(0.0);
}

/// The best of some values on the seed and the alpha of tuning; of equal ones the first.
class search {
 public:
  explicit search(const run_set& set) : set_(set) {}

  template <class Once>
  void attempt(const method& m, const values& with, Once& once) {
    const double accuracy = accuracy_of(once(make_job(set_, true, m, ring, set_.tuning_alpha, set_.tuning_seed, with)));
    if (accuracy > most_) {
      most_ = accuracy;
      best_ = with;
    }
  }
  [[nodiscard]] const values& best() const { return best_; }

 private:
  const run_set& set_;
  values best_;
  double most_ = -1.0;
};

/// Tunes a method without compression: learning rates first, at the first radius, then the other radii at the best rate.
/// `once(job)` gives the line of a run.
template <class Once>
values tune(const run_set& set, const method& m, Once& once) {
  search s(set);
  for (const std::string& rate : m.rates) s.attempt(m, {rate, m.sharpness_aware() ? m.radii.front() : ""}, once);
  const std::string rate = s.best().rate;
  for (std::size_t i = 1; i < m.radii.size(); ++i) s.attempt(m, {rate, m.radii[i]}, once);
  return s.best();
}

/// The consensus step of a codec, tried with the method without SAM at the rate of that; for all methods that are
/// compared with it.
template <class Once>
std::string tune_step(const run_set& set, const method& m, const values& whole, const codec& k, Once& once) {
  search s(set);
  for (const std::string& gamma : k.steps) s.attempt(m, {whole.rate, whole.rho, k.name, gamma}, once);
  return s.best().gamma;
}

/// Methods that belong together, each with the values that it does best with.
struct family {
  std::vector<std::pair<const method*, values>> members;
  std::vector<std::pair<const codec*, std::string>> steps;  ///< of consensus
};
template <class Once>
family tune_family(const run_set& set, bool cross_gradients, Once& once) {
  family f;
  for (const method& m : methods()) {
    if (m.cross_gradients == cross_gradients) f.members.emplace_back(&m, tune(set, m, once));
  }
  for (const auto& [m, whole] : f.members) {
    if (m->sharpness_aware() || m->compressed.empty()) continue;
    for (const codec& k : set.codecs) f.steps.emplace_back(&k, tune_step(set, *m, whole, k, once));
  }
  return f;
}

/// Calls once(job) for the runs of a family that are compared on a graph, with and without compression.
template <class Once>
void compare(const run_set& set, const family& f, const graph& on, bool compressed, Once& once) {
  for (const auto& [m, whole] : f.members) {
    std::vector<values> all;
    if (!compressed) all.push_back(whole);
    for (const auto& [k, gamma] : f.steps) {
      if (compressed && !m->compressed.empty()) all.push_back({whole.rate, whole.rho, k->name, gamma});
    }
    for (const values& with : all) {
      for (const std::string& alpha : set.alphas) {
        for (const std::string& seed : set.seeds) (void)once(make_job(set, false, *m, on, alpha, seed, with));
      }
    }
  }
}

/// All runs of a set, or those of the methods of one part ("quasi_global": without cross-gradients).
template <class Once>
void for_all_runs(const run_set& set, std::string_view part, Once& once) {
  for (const bool cross_gradients : {false, true}) {
    if (part == (cross_gradients ? "quasi_global" : "cross_gradients")) continue;
    const family f = tune_family(set, cross_gradients, once);
    compare(set, f, ring, false, once);
    compare(set, f, ring, true, once);
    if (!cross_gradients) compare(set, f, torus, false, once);
  }
}

}  // namespace polder_claims
