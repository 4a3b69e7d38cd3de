// polder — the tensor backend: who owns memory and runs loops over it.
#pragma once

#include <concepts>
#include <cstddef>
#include <span>
#include <type_traits>
#include <utility>

#include "polder/core/config.hpp"
#include "polder/core/view.hpp"

namespace polder {

/// How a pass uses an array: read only, written without being read, or both. The byte counts of a step are sums of
/// these tags (8 bytes per float32 for `inout`, 4 otherwise), so a wrong tag is a wrong claim; backend/counting.hpp
/// catches it.
enum class access { in, out, inout };

/// One array of a fused pass, tagged by its use.
template <access Access, class Space, class T>
struct stream {
  static constexpr access mode = Access;
  using space = Space;
  using value_type = T;
  using pointer = std::conditional_t<Access == access::in, const T*, T*>;
  pointer data = nullptr;
  std::size_t size = 0;
};

template <class Space, class T>
[[nodiscard]] constexpr auto in(view<Space, T> v) {
  return stream<access::in, Space, std::remove_const_t<T>>{v.data, v.size};
}
template <class Space, class T>
[[nodiscard]] constexpr auto out(view<Space, T> v) {
  return stream<access::out, Space, T>{v.data, v.size};
}
template <class Space, class T>
[[nodiscard]] constexpr auto inout(view<Space, T> v) {
  return stream<access::inout, Space, T>{v.data, v.size};
}

/// The element function with its scalars fetched from the backend's memory. An element that reads a norm or a step
/// size left there by an earlier pass has a member `resolved()` that returns a copy with the plain numbers inside;
/// backends call it once per block or thread, where the memory can be read, so the host never waits for a number.
template <class Element>
[[nodiscard]] POLDER_HD constexpr auto resolve(const Element& element) {
  if constexpr (requires { element.resolved(); }) {
    return element.resolved();
  } else {
    return element;
  }
}

/// The canonical order of every sum, the same on all backends so that the same numbers give the same bits:
/// 1. blocks of `sum_block` consecutive elements, counted from the first element of the range;
/// 2. inside a block, lane l adds up the elements l, l + sum_lanes, l + 2 sum_lanes, … in double precision;
/// 3. the lanes are folded in halves (l += l + 8, then 4, 2, 1);
/// 4. the blocks are added in order.
inline constexpr std::size_t sum_block = 4096;
inline constexpr std::size_t sum_lanes = 16;

/// tensor_backend — obligations of a backend `b` of type B with T in {float, double}:
///
///  1. `B::space` names its memory; `B::buffer<T>` owns some: movable, `view()` gives view<space, T>, 64-byte aligned.
///  2. `b.template zeros<T>(n)` returns a buffer of n zeros, or throws backend_error that says how much was asked.
///  3. `b.copy(from, to)` copies inside the space; `b.to_host(from, span)` and `b.from_host(span, to)` cross over.
///     Sizes must agree.
///  4. `b.map(n, element, streams...)` calls `element(a, b, …)` for each i in [0, n): an `in` stream passes its value,
///     `out` and `inout` pass a reference (`out` holds rubbish before). One pass over memory; the arrays of one call
///     do not overlap; elements may be visited in any order.
///  5. `b.combine(terms, element, streams...)` computes y = sum_k weight_k x_k in the order of the terms, in double
///     precision, rounds y to T once and calls `element(y, …streams…)`. One pass over all terms and streams.
///     (Double, because in float32 three weights of 1/3 sum to 1.00000003 and a consensus of equal vectors would
///     drift; the pass is limited by memory all the same.)
///  6. `b.sum(n, element, result, streams...)`: *result = the sum of the doubles that `element(values…)` returns, in the
///     canonical order above; `in` streams only; `result` is a view of one double in the space.
///  7. `b.mean_with_gaps(vectors, mean, gaps)`: mean = (1/M) sum_m x_m (as in 5) and gaps[m] = sum_i (x_m,i - mean_i)^2
///     (with mean rounded to T, the difference taken in double, canonical order); one pass over the M vectors.
///  8. `b.gram(vectors, products)`: products[a (a + 1) / 2 + b] = sum_i v_a,i v_b,i for b <= a, the lower triangle row by
///     row; each product of two numbers is rounded to double, each sum has the canonical order.
///  9. Calls of one worker's backend take effect in the order of the calls. Nothing but `to_host` waits.
/// 10. Where calls take effect after they have returned, `b.queue()` names the queue that they go to, and the space has a
///     detail::ordering (core/ordering.hpp): so workers of one memory can wait for each other.
/// 11. Optional: `auto late = b.late_numbers(n)` is n places on the host for doubles that are on their way there:
///     `late.send(k, number)` queues the copy of a view of one double to place k, `late.get(k)` waits for that copy alone
///     and returns the number. Without it a number is there when `to_host` has waited.
/// 12. Optional: `auto g = b.capture(f)` calls f() and keeps the calls of `b` in it, which do not take effect then;
///     `g.run()` puts all of them on the queue again, with the arguments that they had. f may not wait or allocate.
template <class B>
concept tensor_backend = requires(const B b, view<typename B::space, float> x, view<typename B::space, const float> c,
                                  std::span<float> h, std::span<const float> hc) {
  typename B::space;
  typename B::template buffer<float>;
  typename B::template buffer<double>;
  { b.template zeros<float>(std::size_t{1}) } -> std::same_as<typename B::template buffer<float>>;
  b.copy(c, x);
  b.to_host(c, h);
  b.from_host(hc, x);
};

template <tensor_backend B, class T>
using buffer_t = typename B::template buffer<T>;
template <tensor_backend B, class T>
using view_t = view<typename B::space, T>;

/// Whether a matrix is used as it stands or transposed.
enum class transpose : bool { no, yes };

/// A backend whose numbers may come to the host later.
template <class B>
concept late_backend = tensor_backend<B> && requires(const B b, view<typename B::space, const double> number) {
  b.late_numbers(std::size_t{1}).send(std::size_t{0}, number);
  { b.late_numbers(std::size_t{1}).get(std::size_t{0}) } -> std::same_as<double>;
};

/// A backend whose calls can be kept and put on the queue together.
template <class B>
concept replaying_backend = tensor_backend<B> && requires(const B b, void (*calls)()) { b.capture(calls).run(); };

/// matrix_backend — a tensor backend that multiplies matrices as well:
/// `b.gemm(ta, tb, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc)` computes C = alpha op(A) op(B) + beta C for row-major
/// matrices, op(A) being m x k, op(B) k x n, C m x n, `ld` the distance between rows as stored. beta = 0 overwrites
/// C without reading it. The same input gives the same bits on every call.
template <class B>
concept matrix_backend = tensor_backend<B> && requires(const B b, const float* a, float* c, std::size_t n) {
  b.gemm(transpose::no, transpose::no, n, n, n, 1.0f, a, n, a, n, 0.0f, c, n);
};

/// K sums at a time, as an index function of a team returns them.
template <std::size_t K>
struct several {
  double values[K] = {};
  POLDER_HD constexpr several& operator+=(const several& other) {
    for (std::size_t k = 0; k < K; ++k) values[k] += other.values[k];
    return *this;
  }
};

namespace detail {
/// Index functions that do nothing, for the concept below.
struct idle_index {
  POLDER_HD void operator()(std::size_t) const {}
};
struct idle_team_index {
  template <class Team>
  POLDER_HD void operator()(const Team&, std::size_t) const {}
};
}  // namespace detail

/// kernel_backend — a matrix backend that runs index functions over its memory, for layers whose work is not element by
/// element. They hold plain pointers, are named functors marked POLDER_HD, and write each place from one index alone:
///
///  1. `b.each(n, f)` calls f(i) for i in [0, n), in any order and at the same time.
///  2. `b.teams(n, f)` calls f(team, i) for i in [0, n) by a team each:
///     `team.each(m, g)` calls g(j) for j in [0, m); what it wrote is there for the team's next call;
///     `team.sum(m, g)` returns the sum of g(j), a double or `several<K>`, to all of the team: the same order of addition
///     on every call.
template <class B>
concept kernel_backend =
    matrix_backend<B> && requires(const B b, detail::idle_index f, detail::idle_team_index g, std::size_t n) {
      b.each(n, f);
      b.teams(n, g);
    };

}  // namespace polder
