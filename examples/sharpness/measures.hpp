// All measures of one row of the table.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "polder/io/json.hpp"
#include "polder/sharpness/lanczos.hpp"
#include "sharpness/models.hpp"
#include "sharpness/network.hpp"
#include "sharpness/options.hpp"

namespace polder_sharpness {

/// A measure as the table shows it. What is the same in both columns says so in the second.
struct line {
  std::string name{};
  std::string plain{};
  std::string filters{};  // relative to filters
};

/// What was found about one model, or about the mean of some workers.
struct row {
  std::string name{};
  std::string measured{};  // which of its models
  polder::io::json numbers{};
  std::vector<line> lines{};
  std::vector<std::pair<std::string, std::string>> skipped{};  // measure and reason
};

/// Something to be computed, and about how much it costs in forward passes over the samples.
struct task {
  std::string name{};
  double cost = 0.0;
  std::function<void()> run{};
};

/// The measures of one row. They are tasks, so that a progress line can know of all of them before the first.
class measurement {
 public:
  /// `initial` holds the parameters that the run began with, or nothing where nobody knows; `train_images` is the size of
  /// the training set.
  measurement(const options& o, const network& f, row begun, parameters of, std::vector<float> initial,
              std::size_t train_images);

  [[nodiscard]] std::vector<task> tasks();
  /// Gives back the memory that only the tasks need.
  void release() { hessian_.reset(); }
  [[nodiscard]] const std::vector<std::vector<float>>& workers() const { return workers_; }
  [[nodiscard]] const std::vector<float>& model() const { return x_; }
  [[nodiscard]] const polder::sharpness::spectrum_points& spectrum() const { return spectrum_; }

  row result;

 private:
  /// Parameters as they are, or relative to filters.
  struct way {
    bool filters = false;
    std::span<const double> scales{};
  };

  line& line_of(const std::string& name);
  void show(const std::string& name, const way& w, std::string cell);
  void put(const std::string& key, const way& w, polder::io::json value);
  /// The same number however filters are scaled.
  void show_invariant(const std::string& name, double value);
  [[nodiscard]] std::vector<way> ways() const;
  template <class Use>
  void with_hessian(const way& w, const Use& use);
  template <class Action>
  void add(std::vector<task>& to, const std::string& name, double cost, Action action);
  template <class Action>
  void add_each_way(std::vector<task>& to, const std::string& name, double cost, const Action& action);

  void measure_loss();
  void measure_eigenvalues(const way& w);
  void measure_trace(const way& w);
  void measure_hutch_plus_plus(const way& w);
  void measure_epsilon_sharpness(const way& w);
  void measure_low_pass(const way& w);
  void measure_local_entropy(const way& w);
  void measure_pac_bayes(const way& w);
  void measure_mean_valley();
  void measure_barrier();
  void measure_spectrum();

  const options& o_;
  const network& f_;
  std::vector<std::vector<float>> workers_;
  std::vector<float> x_, initial_;
  std::size_t train_images_;
  std::vector<double> scales_;
  std::unique_ptr<network::hessian> hessian_;
  polder::sharpness::spectrum_points spectrum_;
};

}  // namespace polder_sharpness
