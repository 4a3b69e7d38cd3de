// polder — a backend that counts what another one moves, and catches streams with a wrong tag.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <span>
#include <utility>

#include "polder/backend/tensor_backend.hpp"
#include "polder/core/config.hpp"

namespace polder {

/// What one kind of operation moved.
struct traffic {
  std::uint64_t passes = 0;
  std::uint64_t bytes_read = 0;
  std::uint64_t bytes_written = 0;

  [[nodiscard]] constexpr std::uint64_t bytes() const { return bytes_read + bytes_written; }
  constexpr traffic& operator+=(const traffic& other) {
    passes += other.passes;
    bytes_read += other.bytes_read;
    bytes_written += other.bytes_written;
    return *this;
  }
  friend constexpr bool operator==(const traffic&, const traffic&) = default;
};

/// What a counting_backend has seen since it was made or reset. The one or M doubles that a sum leaves behind are not
/// counted, nor the bytes of each, teams and gemm, whose pointers bear no tags.
struct backend_counts {
  traffic map;             ///< in: read; out: written; inout: both
  traffic combine;         ///< each term: read; streams as in map
  traffic sum;             ///< each stream: read
  traffic mean_with_gaps;  ///< M vectors read, one written
  traffic gram;            ///< each vector: read
  traffic copy;            ///< one read, one written
  traffic to_host;         ///< bytes read; the only operation that waits
  traffic from_host;       ///< bytes written
  std::uint64_t each = 0;  ///< calls
  std::uint64_t teams = 0;
  std::uint64_t gemm = 0;
  std::uint64_t multiply_adds = 0;  ///< of gemm: m n k a call
  std::uint64_t allocations = 0;
  std::uint64_t bytes_allocated = 0;

  /// All passes inside the space: the two crossings to and from the host are left out.
  [[nodiscard]] constexpr traffic total() const {
    traffic all = map;
    all += combine;
    all += sum;
    all += mean_with_gaps;
    all += gram;
    all += copy;
    return all;
  }
  /// All calls that put work on a device, the two crossings included. A call is one launch, but for sum and
  /// mean_with_gaps (two: blocks, then their sums), gram (as many sums as products) and what a gemm splits.
  [[nodiscard]] constexpr std::uint64_t calls() const {
    return total().passes + to_host.passes + from_host.passes + each + teams + gemm;
  }
  friend constexpr bool operator==(const backend_counts&, const backend_counts&) = default;
};

namespace detail {

/// The element that fills a stream with not-a-number.
struct poison {
  template <class T>
  POLDER_HD void operator()(T& x) const {
    x = std::numeric_limits<T>::quiet_NaN();
  }
};

}  // namespace detail

/// Wraps a backend and counts calls, memory, and bytes by the tags of the streams. It has no late numbers and captures
/// nothing: each call is one that can be counted. A count is worth as much as its tags, so `out` streams hold not-a-number
/// when a pass begins: an element that reads what it only claims to write spoils its result. (Writing to an `in` stream
/// does not compile.)
///
/// Copies of the value count together, from any thread. Costs a pass per `out` stream: for tests.
template <tensor_backend B>
class counting_backend {
 public:
  using space = typename B::space;
  template <class T>
  using buffer = buffer_t<B, T>;

  counting_backend() = default;
  explicit counting_backend(B inner) : inner_(std::move(inner)) {}

  /// What was counted since construction or the last reset.
  [[nodiscard]] backend_counts counts() const {
    const std::scoped_lock lock(shared_->mutex);
    return shared_->counts;
  }
  void reset() const {
    const std::scoped_lock lock(shared_->mutex);
    shared_->counts = {};
  }
  [[nodiscard]] const B& inner() const { return inner_; }
  [[nodiscard]] decltype(auto) queue() const
    requires requires(const B& b) { b.queue(); }
  {
    return inner_.queue();
  }

  template <class T>
  [[nodiscard]] buffer<T> zeros(std::size_t n) const {
    auto numbers = inner_.template zeros<T>(n);
    count(&backend_counts::allocations);
    count(&backend_counts::bytes_allocated, n * sizeof(T));
    return numbers;
  }
  template <class From, class T>
  void copy(view<space, From> from, view<space, T> to) const {
    inner_.copy(from, to);
    count(&backend_counts::copy, from.size * sizeof(T), to.size * sizeof(T));
  }
  template <class From, class T>
  void to_host(view<space, From> from, std::span<T> to) const {
    inner_.to_host(from, to);
    count(&backend_counts::to_host, from.size * sizeof(T), 0);
  }
  template <class From, class T>
  void from_host(std::span<From> from, view<space, T> to) const {
    inner_.from_host(from, to);
    count(&backend_counts::from_host, 0, to.size * sizeof(T));
  }

  template <class Element, access... Modes, class... Ts>
  void map(std::size_t n, const Element& element, stream<Modes, space, Ts>... streams) const {
    (spoil(n, streams), ...);
    inner_.map(n, element, streams...);
    count(&backend_counts::map, n * (std::size_t{0} + ... + read<Modes, Ts>()),
          n * (std::size_t{0} + ... + written<Modes, Ts>()));
  }

  template <class T, class Element, access... Modes, class... Ts>
  void combine(std::span<const weighted<space, T>> terms, const Element& element,
               stream<Modes, space, Ts>... streams) const {
    const std::size_t n = terms.empty() ? 0 : terms.front().x.size;
    (spoil(n, streams), ...);
    inner_.combine(terms, element, streams...);
    count(&backend_counts::combine, n * ((terms.size() * sizeof(T)) + ... + read<Modes, Ts>()),
          n * (std::size_t{0} + ... + written<Modes, Ts>()));
  }

  template <class Element, class... Ts>
  void sum(std::size_t n, const Element& element, view<space, double> result,
           stream<access::in, space, Ts>... streams) const {
    inner_.sum(n, element, result, streams...);
    count(&backend_counts::sum, n * (std::size_t{0} + ... + sizeof(Ts)), 0);
  }

  template <class T>
  void mean_with_gaps(std::span<const view<space, const T>> vectors, view<space, T> mean,
                      view<space, double> gaps) const {
    spoil(mean.size, out(mean));
    inner_.mean_with_gaps(vectors, mean, gaps);
    count(&backend_counts::mean_with_gaps, vectors.size() * mean.size * sizeof(T), mean.size * sizeof(T));
  }

  template <class T>
  void gram(std::span<const view<space, const T>> vectors, view<space, double> products) const {
    inner_.gram(vectors, products);
    count(&backend_counts::gram, vectors.size() * (vectors.empty() ? 0 : vectors.front().size) * sizeof(T), 0);
  }

  template <class T>
  void gemm(transpose ta, transpose tb, std::size_t m, std::size_t n, std::size_t k, T alpha, const T* a,
            std::size_t lda, const T* b, std::size_t ldb, T beta, T* c, std::size_t ldc) const
    requires matrix_backend<B>
  {
    inner_.gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    count(&backend_counts::gemm);
    count(&backend_counts::multiply_adds, std::uint64_t{m} * n * k);
  }

  template <class Index>
  void each(std::size_t n, const Index& f) const
    requires kernel_backend<B>
  {
    inner_.each(n, f);
    count(&backend_counts::each);
  }
  template <class Index>
  void teams(std::size_t n, const Index& f) const
    requires kernel_backend<B>
  {
    inner_.teams(n, f);
    count(&backend_counts::teams);
  }

  /// Whether they count together on the same queue of work.
  friend bool operator==(const counting_backend& a, const counting_backend& b)
    requires std::equality_comparable<B>
  {
    return a.shared_ == b.shared_ && a.inner_ == b.inner_;
  }

 private:
  struct shared {
    std::mutex mutex;
    backend_counts counts;
  };

  template <access Mode, class T>
  static constexpr std::size_t read() {
    return Mode == access::out ? 0 : sizeof(T);
  }
  template <access Mode, class T>
  static constexpr std::size_t written() {
    return Mode == access::in ? 0 : sizeof(T);
  }

  template <access Mode, class T>
  void spoil(std::size_t n, stream<Mode, space, T> numbers) const {
    if constexpr (Mode == access::out) inner_.map(n, detail::poison{}, numbers);
  }

  void count(traffic backend_counts::*operation, std::size_t bytes_read, std::size_t bytes_written) const {
    const std::scoped_lock lock(shared_->mutex);
    shared_->counts.*operation += traffic{1, bytes_read, bytes_written};
  }

  void count(std::uint64_t backend_counts::*number, std::uint64_t more = 1) const {
    const std::scoped_lock lock(shared_->mutex);
    shared_->counts.*number += more;
  }

  B inner_{};
  std::shared_ptr<shared> shared_ = std::make_shared<shared>();
};

}  // namespace polder
