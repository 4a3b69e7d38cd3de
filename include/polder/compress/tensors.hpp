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
#include "polder/core/config.hpp"
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

/// A sum in the canonical order of backend/tensor_backend.hpp whose numbers come in pieces.
class canonical_sum {
 public:
  /// Adds the next `count` numbers, a multiple of sum_lanes in all pieces but the last; no piece crosses the end of a
  /// block of sum_block.
  template <class T, class Element>
  POLDER_INLINE void add(const T* x, std::size_t count, const Element& element) {
    const std::size_t whole = count / sum_lanes * sum_lanes;
    for (std::size_t i = 0; i < whole; i += sum_lanes) {
      for (std::size_t lane = 0; lane < sum_lanes; ++lane) lanes_[lane] += element(x[i + lane]);
    }
    for (std::size_t i = whole; i < count; ++i) lanes_[i - whole] += element(x[i]);
    filled_ += count;
    if (filled_ < sum_block) return;
    total_ += fold_lanes(lanes_);
    std::fill_n(lanes_, sum_lanes, 0.0);
    filled_ = 0;
  }
  [[nodiscard]] double total() { return filled_ == 0 ? total_ : total_ + fold_lanes(lanes_); }

 private:
  double lanes_[sum_lanes] = {};
  double total_ = 0.0;
  std::size_t filled_ = 0;
};

/// What a compressor encodes of a tensor: its numbers as they are.
template <class T>
struct plain_input {
  static constexpr bool leaves_rest = false;

  const T* x;

  [[nodiscard]] const T* block(std::size_t begin, std::size_t, T*) const { return x + begin; }
  [[nodiscard]] const T* all(std::size_t) const { return x; }
};
/// Or p = v + e, of which e <- p - C(p) is to be left: what error_feedback asks for.
template <class T>
struct input_with_memory {
  static constexpr bool leaves_rest = true;

  const T* v;
  T* e;

  /// p_begin, …, made in `p`.
  [[nodiscard]] const T* block(std::size_t begin, std::size_t count, T* POLDER_RESTRICT p) const {
    for (std::size_t i = 0; i < count; ++i) p[i] = e[begin + i] + v[begin + i];
    return p;
  }
  /// e <- p - C(p) for the block; `decoded(i)` is C(p)_{begin + i}.
  template <class Decoded>
  void leave(std::size_t begin, std::size_t count, const T* POLDER_RESTRICT p, const Decoded& decoded) const {
    // as decompress_add with weight -1 would: so a product in decoded(i) is rounded before it is subtracted
    for (std::size_t i = 0; i < count; ++i) e[begin + i] = ops::multiply_add(T{-1}, decoded(i), p[i]);
  }
  /// All m numbers p, instead of e: for a message that says what is wrong with them.
  [[nodiscard]] const T* all(std::size_t m) const {
    for (std::size_t i = 0; i < m; ++i) e[i] += v[i];
    return e;
  }
};

/// Changes numbers of a vector, one here and one there, in the order in which they are named: a batch of them comes from
/// memory together instead of one after the other.
template <class T, class Change>
class scattered {
 public:
  /// change(i) changes number i.
  scattered(T* numbers, const Change& change) : numbers_(numbers), change_(change) {}

  POLDER_INLINE void add(std::size_t i) {
#if defined(__GNUC__) || defined(__clang__)
    __builtin_prefetch(numbers_ + i, 1);
#endif
    batch_[count_] = i;
    if (++count_ == size) finish();
  }
  /// Changes what is left.
  void finish() {
    for (std::size_t j = 0; j < count_; ++j) change_(batch_[j]);
    count_ = 0;
  }

 private:
  static constexpr std::size_t size = 64;

  [[maybe_unused]] T* numbers_;
  Change change_;
  std::size_t count_ = 0;
  std::size_t batch_[size];
};

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
