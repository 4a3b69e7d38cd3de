// polder — who gets which images: Dirichlet label skew, equal and random, or sorted by label.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "polder/core/error.hpp"
#include "polder/core/random.hpp"

namespace polder::data {

/// The indices of each worker's images.
using shards = std::vector<std::vector<std::size_t>>;

/// Fisher and Yates: every order of `items` equally likely.
template <class Item>
void shuffle(std::span<Item> items, random_stream& random) {
  for (std::size_t i = items.size(); i > 1; --i) {
    std::swap(items[i - 1], items[static_cast<std::size_t>(random.below(i))]);
  }
}

namespace detail {

inline void check_partition(std::size_t images, std::size_t workers) {
  require<config_error>(workers > 0, "a partition needs at least one worker");
  require<config_error>(images >= workers, images, " images cannot be shared by ", workers,
                        " workers: take fewer workers or more images");
}

/// `workers` contiguous pieces of floor(N/workers); the rest is dropped.
[[nodiscard]] inline shards equal_pieces(std::span<const std::size_t> order, std::size_t workers) {
  const std::size_t size = order.size() / workers;
  shards pieces;
  for (std::size_t worker = 0; worker < workers; ++worker) {
    const auto piece = order.subspan(worker * size, size);
    pieces.emplace_back(piece.begin(), piece.end());
  }
  return pieces;
}

[[nodiscard]] inline std::vector<std::size_t> shuffled_indices(std::size_t count, random_stream& random) {
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  shuffle(std::span(order), random);
  return order;
}

/// How a group of workers shares its samples: draws until every worker has enough.
class dirichlet_group {
 public:
  dirichlet_group(std::vector<std::size_t> class_sizes, std::size_t workers, double concentration)
      : class_sizes_(std::move(class_sizes)),
        samples_(std::reduce(class_sizes_.begin(), class_sizes_.end())),
        concentration_(concentration),
        taken_(workers),
        weights_(workers),
        ends_(class_sizes_.size(), std::vector<std::size_t>(workers)) {}

  /// One attempt; false if a worker got less than floor(0.5 S/q) samples.
  bool draw(random_stream& random) {
    std::ranges::fill(taken_, std::size_t{0});
    for (std::size_t c = 0; c < class_sizes_.size(); ++c) {
      if (!draw_class(c, random)) return false;
    }
    return std::ranges::min(taken_) >= samples_ / (2 * taken_.size());
  }

  /// Where the piece of worker k ends inside class c, after a draw that was good.
  [[nodiscard]] std::span<const std::size_t> ends(std::size_t c) const { return ends_[c]; }

 private:
  /// p ~ Dirichlet(a, ..., a), p = 0 for workers with S/q samples or more, cut at floor(cumsum(p / sum p) · size).
  ///
  /// p is a softmax of the logarithms of gamma draws over the workers that are not masked: the same law, but it cannot
  /// underflow to a sum of 0, however small the concentration. False where the draw is degenerate all the same.
  bool draw_class(std::size_t c, random_stream& random) {
    const std::size_t workers = taken_.size();
    double greatest = -std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k < workers; ++k) {
      const double drawn = random.log_gamma(concentration_);
      const bool full = taken_[k] * workers >= samples_;
      weights_[k] = full ? -std::numeric_limits<double>::infinity() : drawn;
      greatest = std::max(greatest, weights_[k]);
    }
    if (!std::isfinite(greatest)) return false;
    double sum = 0;
    for (double& weight : weights_) sum += weight = std::exp(weight - greatest);
    if (!std::isfinite(sum) || sum <= 0) return false;
    double cumulated = 0;
    std::size_t begin = 0;
    for (std::size_t k = 0; k < workers; ++k) {
      cumulated += weights_[k] / sum;
      const auto cut = static_cast<std::size_t>(cumulated * static_cast<double>(class_sizes_[c]));
      const std::size_t end = k + 1 == workers ? class_sizes_[c] : std::clamp(cut, begin, class_sizes_[c]);
      taken_[k] += end - begin;
      ends_[c][k] = begin = end;
    }
    return true;
  }

  std::vector<std::size_t> class_sizes_;
  std::size_t samples_;
  double concentration_;
  std::vector<std::size_t> taken_;
  std::vector<double> weights_;
  std::vector<std::vector<std::size_t>> ends_;
};

}  // namespace detail

/// The greatest number of times that a group of workers draws its shares before dirichlet gives up.
inline constexpr std::size_t dirichlet_attempts = 200'000;

/// Label skew: the smaller the concentration, the fewer labels a worker sees.
///
///  1. Shuffle all samples. Split the workers into groups of 10 (the last one smaller); each group gets a consecutive
///     slice of 10/n of the samples (the last one the rest): S samples for q workers.
///  2. In a group, for each class: p ~ Dirichlet(a, ..., a); p_k = 0 for a worker that holds S/q samples already;
///     renormalize; cut the class's samples at floor(cumsum(p) · size). Draw the group again until every worker has
///     floor(0.5 S/q) samples.
///  3. Put all lists in a row and cut it into n equal pieces of floor(N/n): all workers have as many samples.
///
/// Parameters: concentration a > 0 (published values 10 ... 0.01). Deterministic in the seed (purpose::partition).
/// Errors: config_error for values out of range, or where no draw of a group is good (many workers, few classes and a
/// small concentration). Source: the partition of Lin et al., "Quasi-Global Momentum", ICML 2021, and its successors,
/// not number for number (their generators are NumPy's).
[[nodiscard]] inline shards dirichlet(std::span<const std::int32_t> labels, std::size_t workers, double concentration,
                                      std::uint64_t seed) {
  constexpr std::size_t group_size = 10;
  detail::check_partition(labels.size(), workers);
  require<config_error>(concentration > 0 && std::isfinite(concentration), "a Dirichlet concentration of ",
                        concentration, " is impossible: it must be above 0");
  require<config_error>(std::ranges::min(labels) >= 0, "label ", std::ranges::min(labels), " is negative");

  random_stream shuffling({.seed = seed, .purpose = purpose::partition});
  const std::vector<std::size_t> order = detail::shuffled_indices(labels.size(), shuffling);
  std::vector<std::size_t> row;
  row.reserve(labels.size());
  const std::size_t groups = (workers + group_size - 1) / group_size;
  const std::size_t slice_size = group_size * labels.size() / workers;
  for (std::size_t group = 0; group < groups; ++group) {
    const std::size_t members = std::min(group_size, workers - group * group_size);
    const std::size_t begin = group * slice_size;
    const std::size_t end = group + 1 == groups ? labels.size() : begin + slice_size;
    // By the labels that are there: what a greatest label leaves out costs nothing.
    std::map<std::int32_t, std::vector<std::size_t>> by_class;
    for (std::size_t i = begin; i < end; ++i) by_class[labels[order[i]]].push_back(order[i]);
    std::vector<std::size_t> class_sizes;
    for (const auto& [label, samples] : by_class) class_sizes.push_back(samples.size());

    random_stream random({.seed = seed, .purpose = purpose::partition, .step = group + 1});
    detail::dirichlet_group shares(std::move(class_sizes), members, concentration);
    std::size_t attempts = 1;
    while (!shares.draw(random)) {
      require<config_error>(++attempts <= dirichlet_attempts, "no Dirichlet partition with concentration ",
                            concentration, " gives all of ", workers, " workers enough of the ", by_class.size(),
                            " classes' samples (", dirichlet_attempts,
                            " draws): take a larger concentration or fewer workers");
    }
    for (std::size_t member = 0; member < members; ++member) {
      std::size_t c = 0;
      for (const auto& [label, samples] : by_class) {
        const auto ends = shares.ends(c++);
        const auto first = samples.begin();
        row.insert(row.end(), first + static_cast<std::ptrdiff_t>(member == 0 ? 0 : ends[member - 1]),
                   first + static_cast<std::ptrdiff_t>(ends[member]));
      }
    }
  }
  return detail::equal_pieces(row, workers);
}

/// Shuffled and cut into equal pieces of floor(N/n): every worker sees the same distribution.
[[nodiscard]] inline shards iid(std::size_t images, std::size_t workers, std::uint64_t seed) {
  detail::check_partition(images, workers);
  random_stream random({.seed = seed, .purpose = purpose::partition});
  return detail::equal_pieces(detail::shuffled_indices(images, random), workers);
}

/// Sorted by label and cut into equal pieces of floor(N/n): the strongest skew. With more than 10 workers, the piece
/// behind each of the first 10 workers' pieces goes to the end of the row, so that with 10 classes and 20 workers
/// worker i < 10 and worker 10 + i share class i, and neighbors on a ring hold different classes.
[[nodiscard]] inline shards sorted_by_label(std::span<const std::int32_t> labels, std::size_t workers) {
  constexpr std::size_t spread = 10;
  detail::check_partition(labels.size(), workers);
  std::vector<std::size_t> order(labels.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, {}, [&](std::size_t i) { return labels[i]; });
  shards pieces = detail::equal_pieces(order, workers);
  if (workers <= spread) return pieces;

  std::deque<std::vector<std::size_t>> waiting(std::move_iterator(pieces.begin()), std::move_iterator(pieces.end()));
  pieces.clear();
  while (!waiting.empty()) {
    pieces.push_back(std::move(waiting.front()));
    waiting.pop_front();
    if (pieces.size() <= spread && !waiting.empty()) {
      waiting.push_back(std::move(waiting.front()));
      waiting.pop_front();
    }
  }
  return pieces;
}

/// A choice of partition, as a value.
struct partition_spec {
  enum class kind { iid, dirichlet, sorted };
  kind which = kind::iid;
  double concentration = 0;  ///< of dirichlet alone
  bool operator==(const partition_spec&) const = default;
};

/// The partition that "iid", "sorted" or "dirichlet:<concentration>" names. Errors: config_error that says what is allowed.
[[nodiscard]] inline partition_spec parse_partition(std::string_view name) {
  if (name == "iid") return {partition_spec::kind::iid, 0};
  if (name == "sorted") return {partition_spec::kind::sorted, 0};
  constexpr std::string_view prefix = "dirichlet:";
  double concentration = 0;
  const char* const end = name.data() + name.size();
  const bool valid = name.starts_with(prefix) && [&] {
    const auto [stop, status] = std::from_chars(name.data() + prefix.size(), end, concentration);
    return status == std::errc{} && stop == end && concentration > 0 && std::isfinite(concentration);
  }();
  require<config_error>(valid, "unknown partition '", name,
                        "': expected iid, sorted or dirichlet:A with a concentration A above 0, as in dirichlet:0.1");
  return {partition_spec::kind::dirichlet, concentration};
}

[[nodiscard]] inline std::string to_string(const partition_spec& spec) {
  if (spec.which == partition_spec::kind::iid) return "iid";
  if (spec.which == partition_spec::kind::sorted) return "sorted";
  return text("dirichlet:", spec.concentration);
}

/// The shards that the choice gives: disjoint, each of floor(N/n) images.
[[nodiscard]] inline shards make_partition(const partition_spec& spec, std::span<const std::int32_t> labels,
                                           std::size_t workers, std::uint64_t seed) {
  switch (spec.which) {
    case partition_spec::kind::dirichlet:
      return dirichlet(labels, workers, spec.concentration, seed);
    case partition_spec::kind::sorted:
      return sorted_by_label(labels, workers);
    case partition_spec::kind::iid:
      break;
  }
  return iid(labels.size(), workers, seed);
}

}  // namespace polder::data
