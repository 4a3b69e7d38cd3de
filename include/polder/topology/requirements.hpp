// polder — what a mixing rule needs of a mixing matrix, checked before training starts.
#pragma once

#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/topology/graph.hpp"
#include "polder/topology/mixing_matrix.hpp"

namespace polder::topology {

/// What a rule needs of a mixing matrix; the defaults are what gossip averaging needs to reach the exact mean.
struct requirements {
  bool row_sums = true;        ///< each row sums to 1: equal parameters stay as they are
  bool column_sums = true;     ///< each column sums to 1: mixing keeps the mean of all workers
  bool non_negative = true;    ///< a mix is a convex combination
  bool own_share = true;       ///< self weights above 0: workers cannot merely swap their parameters for ever
  bool connected = true;       ///< over a period everyone hears everyone, directly or through others
  bool symmetric = false;      ///< w_ij = w_ji in every phase
  std::string_view because{};  ///< one sentence for the error: why the rule needs a symmetric matrix
};

/// Sums of weights may miss 1 by this much, and w_ij may differ from w_ji: room for some thousand roundings of 2^-53
/// each, while a million rounds with such a row still scale the parameters by less than 1 + 1e-6.
inline constexpr double weight_tolerance = 1e-12;

/// Weights of one pair of workers that differ: w(to, from) = weight, w(from, to) = back.
struct asymmetry {
  std::size_t phase = 0;
  int to = 0;
  int from = 0;
  double weight = 0;
  double back = 0;
};

/// The first pair whose weights differ by more than weight_tolerance; nothing if W is symmetric in every phase.
/// Cost: O(edges · log degree).
[[nodiscard]] inline std::optional<asymmetry> find_asymmetry(const mixing_matrix& w) {
  for (std::size_t phase = 0; phase < w.period(); ++phase) {
    for (int rank = 0; rank < w.size(); ++rank) {
      const mixing_row& row = w.row(phase, rank);
      for (std::size_t k = 0; k < row.sources.size(); ++k) {
        const double back = w.weight(phase, row.sources[k], rank);
        if (std::abs(row.weights[k] - back) > weight_tolerance) {
          return asymmetry{phase, rank, row.sources[k], row.weights[k], back};
        }
      }
    }
  }
  return std::nullopt;
}

namespace detail {

inline bool is_one(double sum) { return std::abs(sum - 1) <= weight_tolerance; }
inline std::string beside_one(double sum) {
  return text(sum, " (1 ", sum < 1 ? "- " : "+ ", std::abs(sum - 1), "), not to 1");
}

// Checks the rows of a phase and adds their weights to column_sums.
inline void check_rows(const mixing_matrix& w, std::size_t phase, const requirements& needs, const std::string& where,
                       std::vector<double>& column_sums) {
  for (int rank = 0; rank < w.size(); ++rank) {
    const mixing_row& row = w.row(phase, rank);
    double row_sum = 0;
    for (std::size_t k = 0; k < row.sources.size(); ++k) {
      require<config_error>(!needs.non_negative || row.weights[k] >= 0, where, "the weight of worker ", rank,
                            " for worker ", row.sources[k], " is ", row.weights[k],
                            ": weights must not be negative; use a smaller consensus step or Metropolis weights");
      row_sum += row.weights[k];
      column_sums[static_cast<std::size_t>(row.sources[k])] += row.weights[k];
    }
    if (needs.row_sums && !is_one(row_sum)) {
      fail<config_error>(where, "the weights of worker ", rank, " sum to ", beside_one(row_sum),
                         ": divide the row by its sum, or use Metropolis weights");
    }
    require<config_error>(!needs.own_share || row.self_weight() > 0, where, "worker ", rank,
                          " gives its own parameters the weight ", row.self_weight(),
                          ": workers that keep nothing of their own may swap parameters for ever; use damped(0.5)");
  }
}

inline void check_columns(const std::vector<double>& column_sums, const std::string& where) {
  for (std::size_t rank = 0; rank < column_sums.size(); ++rank) {
    if (is_one(column_sums[rank])) continue;
    fail<config_error>(where, "the weights that all workers give worker ", rank, " sum to ",
                       beside_one(column_sums[rank]),
                       ", so mixing would move the mean: use Metropolis weights (undirected graphs), or a graph whose "
                       "degrees are equal");
  }
}

}  // namespace detail

/// Checks `w` before training. Throws config_error that names worker, phase, value and remedy unless all `needs` hold.
/// Cost: O(edges · log degree).
inline void check(const mixing_matrix& w, const requirements& needs = {}) {
  const std::string& name = w.on().name();
  for (std::size_t phase = 0; phase < w.period(); ++phase) {
    const std::string where = text("mixing matrix of ", name, ", phase ", phase, ": ");
    std::vector<double> column_sums(static_cast<std::size_t>(w.size()));
    detail::check_rows(w, phase, needs, where, column_sums);
    if (needs.column_sums) detail::check_columns(column_sums, where);
  }
  if (const auto lost = w.on().broken_path(); needs.connected && lost) {
    fail<config_error>("mixing matrix of ", name, ": nothing from worker ", lost->from, " ever reaches worker ",
                       lost->to, ", directly or through others, in a whole period of ", w.period(),
                       w.period() == 1 ? " phase" : " phases", ": add edges that join them");
  }
  if (const auto pair = needs.symmetric ? find_asymmetry(w) : std::nullopt) {
    fail<config_error>("mixing matrix of ", name, ", phase ", pair->phase, ": worker ", pair->to, " gives worker ",
                       pair->from, " the weight ", pair->weight, ", which gives back ", pair->back,
                       ", but symmetric weights are needed", needs.because.empty() ? "" : " (", needs.because,
                       needs.because.empty() ? "" : ")", ": use Metropolis weights on an undirected graph");
  }
}

}  // namespace polder::topology
