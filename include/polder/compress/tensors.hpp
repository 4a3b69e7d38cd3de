// polder — what the compressors have in common: checks, sums over a tensor, and what happens to decoded numbers.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

#include "polder/backend/host_memory.hpp"
#include "polder/compress/message.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/ops/arithmetic.hpp"
#include "polder/ops/quantize.hpp"

namespace polder::detail {

/// Compressors work on so many numbers at a time: what they keep of them fits into the first cache.
inline constexpr std::size_t codec_block = 128;

/// y = the decoded number.
struct overwrite {
  static constexpr bool adds = false;
  template <class T>
  void operator()(T& y, T value) const {
    y = value;
  }
};
/// y += weight times the decoded number.
template <class T>
struct add_weighted {
  static constexpr bool adds = true;
  T weight{};
  void operator()(T& y, T value) const { y = ops::multiply_add(weight, value, y); }
};

inline void check_numbers(codec who, std::size_t numbers, const layout& tensors) {
  require<config_error>(numbers == tensors.size(), name_of(who), ": the vector has ", numbers, " numbers, the layout ",
                        tensors.size());
}
inline void check_room(codec who, std::size_t room, std::size_t needed) {
  require<config_error>(room >= needed, name_of(who), ": there is room for ", room, " bytes but max_bytes says ",
                        needed);
}
inline void check_keep(codec who, double keep) {
  require<config_error>(keep > 0.0 && keep <= 1.0, name_of(who), ": keep is ", keep,
                        " but the fraction that is kept lies in (0, 1]");
}

/// How many of a tensor's m numbers a sparsifier keeps: max(1, floor(keep m)), none of none.
[[nodiscard]] inline std::size_t kept_of(double keep, std::size_t m) {
  if (m == 0) return 0;
  const auto kept = static_cast<std::size_t>(std::floor(keep * static_cast<double>(m)));
  return std::clamp(kept, std::size_t{1}, m);
}

/// The least of of_size(m) over the tensors of m > 0 numbers; 1 if there is none. What holds for the whole vector holds
/// for each tensor, as it may lie in that one alone.
template <class OfSize>
[[nodiscard]] double least_over_tensors(const layout& tensors, const OfSize& of_size) {
  double least = 1.0;
  for (const tensor_info& tensor : tensors.tensors()) {
    if (tensor.size() > 0) least = std::min(least, of_size(tensor.size()));
  }
  return least;
}

/// What a consensus step may count on of a contraction where all workers lose the same numbers: their errors add up along
/// an edge where they would else cancel. It halves the step of mixing/consensus_step.hpp.
[[nodiscard]] constexpr double contraction_together(double delta) { return 2.0 * delta / (4.0 - delta); }

/// The least k/m of a sparsifier.
[[nodiscard]] inline double least_kept_share(double keep, const layout& tensors) {
  return least_over_tensors(
      tensors, [keep](std::size_t m) { return static_cast<double>(kept_of(keep, m)) / static_cast<double>(m); });
}

/// The sum of `element` over a tensor, in the canonical order of backend/tensor_backend.hpp.
template <class T, class Element>
[[nodiscard]] double tensor_sum(const T* x, std::size_t m, const Element& element) {
  double total = 0.0;
  for (std::size_t begin = 0; begin < m; begin += sum_block) {
    const std::size_t count = std::min(sum_block, m - begin);
    const std::size_t whole = count / sum_lanes * sum_lanes;
    double lanes[sum_lanes] = {};
    for (std::size_t i = 0; i < whole; i += sum_lanes) {
      for (std::size_t lane = 0; lane < sum_lanes; ++lane) lanes[lane] += element(x[begin + i + lane]);
    }
    for (std::size_t i = whole; i < count; ++i) lanes[i - whole] += element(x[begin + i]);
    total += fold_lanes(lanes);
  }
  return total;
}

template <class T>
[[nodiscard]] bool is_finite(T x) {
  return ops::magnitude_bits(x) < ops::infinity_bits<T>;
}

/// Throws: some of the m numbers at x, where `tensor` lies in the vector, cannot be sent. `limit`: the largest that the
/// format carries; `what` is said where all numbers are fine but not what is made of them.
template <class T>
[[noreturn]] void refuse_numbers(codec who, const tensor_info& tensor, const T* x, double limit,
                                 std::string_view what) {
  for (std::size_t i = 0; i < tensor.size(); ++i) {
    require<non_finite_error>(is_finite(x[i]), name_of(who), ": number ", i, " of tensor \"", tensor.name, "\" is ",
                              x[i], ": lower the learning rate or clip the gradient (clip_norm)");
  }
  for (std::size_t i = 0; i < tensor.size(); ++i) {
    require<compress_error>(ops::magnitude{}(x[i]) < limit, name_of(who), ": number ", i, " of tensor \"", tensor.name,
                            "\" is ", x[i], ", but the format carries only numbers below ", limit);
  }
  fail<compress_error>(name_of(who), ": tensor \"", tensor.name, "\": ", what);
}

inline void require_finite_payload(bool finite, codec who, const tensor_info& tensor) {
  require<compress_error>(finite, name_of(who), ": the message holds numbers for tensor \"", tensor.name,
                          "\" that are not finite");
}

}  // namespace polder::detail
