// polder — PowerSGD: the average of the gradients in low rank.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/core/random.hpp"
#include "polder/objective/common_start.hpp"
#include "polder/ops/arithmetic.hpp"
#include "polder/ops/update.hpp"
#include "polder/update/orthonormal.hpp"
#include "polder/update/part.hpp"

namespace polder {

namespace detail {

/// A tensor as a matrix, and where its factors lie in the messages and in Q.
struct low_rank_matrix {
  std::string name;
  std::size_t offset = 0, rows = 0, columns = 0;
  std::size_t p = 0, q = 0;
  [[nodiscard]] std::size_t size() const { return rows * columns; }
};
/// Numbers that are averaged as they are, and where they lie in the first message.
struct whole_part {
  std::size_t offset = 0, size = 0, place = 0;
};

}  // namespace detail

/// PowerSGD: all workers step with the same gradient, the average of theirs, of which they send low-rank factors only.
/// Per tensor of a layout as a matrix (rows: its first extent; columns: the others), on worker m of M:
///
///     M_m = g_m + e_m
///     P = mean over m of M_m Q,      P^ = orthonormalized columns of P
///     Q <- mean over m of M_m^T P^
///     u = P^ Q^T,      e_m <- M_m - u
///
/// What a worker's matrix has beyond the factors stays in its e, so the sum of all u and the last mean of e is the sum of all
/// mean gradients. Q begins with random numbers and is then the last step's: a step of power iteration. A column that the
/// columns before it make up, to rounding, is left out and begins again with random numbers.
/// Tensors of one extent, and those with rank (rows + columns) >= rows columns, are averaged exactly (u = mean of g_m).
///
/// Put it first, behind nothing that is a worker's own, and mix with none:
/// `algorithm{plain{}, chain{power_sgd{.rank = 4}, weight_decay{}, nesterov{}}, none{}}`.
///
/// Parameters: rank >= 1, default 2 (the authors take 1 to 4; the default is a choice of this library); seed of Q.
/// State: e (n numbers), Q (rank numbers a column); scratch for the first message, rank numbers a row.
/// Sends two all-reduces a step, the first of rank sum(rows) + the numbers averaged exactly, the second of
/// rank sum(columns): 2 (M - 1) / M times that, and 2 (M - 1) M doubles. Cost: three products of 2 rank rows columns
/// operations; 36 bytes per float32 parameter of a matrix, 16 of another. Host memory only.
/// Errors: config_error for rank, or workers that do not start from the same parameters; non_finite_error that names the
/// tensor for a mean that is not finite.
/// Source: Vogels, Karimireddy, Jaggi, "PowerSGD: Practical Low-Rank Gradient Compression for Distributed Optimization",
/// NeurIPS 2019, algorithms 1 and 2. Departures: the columns of Q are scaled to length 1, which changes nothing but
/// rounding; columns without content start again; the momentum behind it is this library's.
struct power_sgd {
  std::size_t rank = 2;
  std::uint64_t seed = 1;

  template <class B, class T>
  struct state {
    std::vector<detail::low_rank_matrix> matrices;
    std::vector<detail::whole_part> rest;
    buffer_t<B, T> residual;  // e; 0 outside the matrices
    buffer_t<B, T> q;         // Q of each matrix, [columns, rank]
    buffer_t<B, T> first;     // P of each matrix, [rows, rank], then the rest
    std::size_t factors = 0;  // numbers of all P
    std::vector<char> alive;  // per column of Q, scratch
    template <class Visitor>
    void visit(Visitor&& visitor) {
      visitor("power_sgd.residual", residual.view());
      visitor("power_sgd.q", q.view());
    }
  };

  template <class T, tensor_backend B>
  [[nodiscard]] state<B, T> init(const B& backend, const layout& tensors) const {
    static_assert(std::is_same_v<typename B::space, host_space>, "power_sgd orthonormalizes in host memory");
    static_assert(matrix_backend<B>,
                  "power_sgd multiplies matrices: it needs a backend with gemm, such as eigen_backend");
    require<config_error>(rank >= 1, "power_sgd: rank is 0 but must be at least 1");
    state<B, T> s{
        {}, {}, backend.template zeros<T>(tensors.size()), backend.template zeros<T>(0), backend.template zeros<T>(0),
        0,  {}};
    std::size_t q = 0;
    for (const tensor_info& tensor : tensors.tensors()) {
      const std::size_t rows = tensor.shape.empty() ? 1 : tensor.shape.front();
      const std::size_t columns = rows == 0 ? 0 : tensor.size() / rows;
      if (!shrinks(rows, columns)) continue;
      s.matrices.push_back({tensor.name, tensor.offset, rows, columns, s.factors, q});
      s.factors += rank * rows;
      q += rank * columns;
    }
    s.rest = what_is_left(s.matrices, tensors.size(), s.factors);
    s.q = backend.template zeros<T>(q);
    s.first = backend.template zeros<T>(s.factors + whole_numbers(s.rest));
    s.alive.assign(rank, 0);
    for (const detail::low_rank_matrix& m : s.matrices) {
      for (std::size_t j = 0; j < rank; ++j) begin_again(s, m, j, 0);
    }
    return s;
  }

  template <class Context, class B, class T>
  void begin(Context& ctx, state<B, T>&) const {
    const int odd = first_odd_worker(ctx.comm, std::span<const T>(ctx.params.x()));
    require<config_error>(
        odd < 0, "power_sgd: worker ", odd,
        " starts from other parameters than worker 0 and would stay apart, as all take the same steps: "
        "initialize all workers with the same seed");
  }

  template <class Context, class B, class T>
  void prepare(Context& ctx, state<B, T>& s, view<typename Context::space, T> g) const {
    ctx.release();
    for (const detail::low_rank_matrix& m : s.matrices) {
      const auto e = s.residual.view().part(m.offset, m.size());
      ctx.backend.map(m.size(), ops::add{}, in(g.part(m.offset, m.size())), inout(e));
      ctx.backend.gemm(transpose::no, transpose::no, m.rows, rank, m.columns, T{1}, e.data, m.columns, q_of(s, m), rank,
                       T{0}, p_of(s, m), rank);
    }
    for (const detail::whole_part& part : s.rest) {
      ctx.backend.copy(g.part(part.offset, part.size).as_const(), s.first.view().part(part.place, part.size));
    }
    average(ctx, s.first.view(), [&](auto mean) {
      ctx.backend.copy(mean.part(0, s.factors), s.first.view().part(0, s.factors));
      for (const detail::whole_part& part : s.rest) {
        ctx.backend.copy(mean.part(part.place, part.size), g.part(part.offset, part.size));
      }
    });
    for (const detail::low_rank_matrix& m : s.matrices) {
      require<non_finite_error>(detail::orthonormalize_columns(p_of(s, m), m.rows, rank), "worker ", ctx.comm.rank(),
                                ", step ", ctx.step, ": the averaged gradient of tensor \"", m.name,
                                "\" is not finite; lower the learning rate");
      ctx.backend.gemm(transpose::yes, transpose::no, m.columns, rank, m.rows, T{1}, s.residual.view().data + m.offset,
                       m.columns, p_of(s, m), rank, T{0}, q_of(s, m), rank);
    }
    average(ctx, s.q.view(), [&](auto mean) { ctx.backend.copy(mean, s.q.view()); });
    for (const detail::low_rank_matrix& m : s.matrices) {
      const auto u = g.part(m.offset, m.size());
      ctx.backend.gemm(transpose::no, transpose::yes, m.rows, m.columns, rank, T{1}, p_of(s, m), rank, q_of(s, m), rank,
                       T{0}, u.data, m.columns);
      ctx.backend.map(m.size(), ops::subtract{}, in(u), inout(s.residual.view().part(m.offset, m.size())));
      detail::normalize_columns(q_of(s, m), m.columns, rank, s.alive);
      for (std::size_t j = 0; j < rank; ++j) {
        if (s.alive[j] == 0) begin_again(s, m, j, ctx.step + 1);
      }
    }
  }
  /// u is what prepare left in g.
  template <class Context, class B, class T>
  [[nodiscard]] ops::chained<> element(Context&, state<B, T>&) const {
    return {};
  }
  template <class B, class T>
  [[nodiscard]] std::tuple<> streams(state<B, T>&) const {
    return {};
  }

 private:
  /// Whether two factors are smaller than the matrix; rank < min(rows, columns) then.
  [[nodiscard]] bool shrinks(std::size_t rows, std::size_t columns) const {
    return rank < rows && rank < columns && rank * (rows + columns) < rows * columns;
  }
  [[nodiscard]] static std::vector<detail::whole_part> what_is_left(
      const std::vector<detail::low_rank_matrix>& matrices, std::size_t size, std::size_t place) {
    std::vector<detail::whole_part> rest;
    std::size_t from = 0;
    const auto add_up_to = [&](std::size_t to) {
      if (to > from) rest.push_back({from, to - from, place});
      place += to - from;
    };
    for (const detail::low_rank_matrix& m : matrices) {
      add_up_to(m.offset);
      from = m.offset + m.size();
    }
    add_up_to(size);
    return rest;
  }
  [[nodiscard]] static std::size_t whole_numbers(const std::vector<detail::whole_part>& rest) {
    std::size_t numbers = 0;
    for (const detail::whole_part& part : rest) numbers += part.size;
    return numbers;
  }
  template <class B, class T>
  [[nodiscard]] static T* p_of(state<B, T>& s, const detail::low_rank_matrix& m) {
    return s.first.view().data + m.p;
  }
  template <class B, class T>
  [[nodiscard]] static T* q_of(state<B, T>& s, const detail::low_rank_matrix& m) {
    return s.q.view().data + m.q;
  }
  /// Column j of a matrix's Q gets random numbers, the same on all workers; step 0 is before the first.
  template <class B, class T>
  void begin_again(state<B, T>& s, const detail::low_rank_matrix& m, std::size_t j, std::uint64_t step) const {
    const auto index = static_cast<std::uint32_t>(&m - s.matrices.data());
    random_stream random({seed, purpose::subspace, step, index, static_cast<std::uint32_t>(j)});
    T* const q = q_of(s, m);
    for (std::size_t i = 0; i < m.columns; ++i) q[i * rank + j] = static_cast<T>(random.normal());
  }
  /// Calls take(mean of x over all workers).
  template <class Context, class T, class Take>
  static void average(Context& ctx, view<typename Context::space, T> x, const Take& take) {
    if (x.size == 0) return;
    take(ctx.comm.all_reduce_mean(ctx.backend, x.as_const(), ctx.step).mean);
    ctx.comm.release();
  }
};

}  // namespace polder
