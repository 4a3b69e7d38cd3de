// polder — a communicator that counts what its worker sends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include "polder/comm/forwarding.hpp"

namespace polder {

/// Messages and bytes that one worker put on the wire.
struct wire_traffic {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;
  friend bool operator==(const wire_traffic&, const wire_traffic&) = default;
};

/// What an all-reduce of `n` numbers of `bytes_each` bytes makes `rank` send:
///
///     to the owners of the other slices   (n - own) bytes_each
///     its own slice of the mean           (workers - 1) own bytes_each
///     its partial sums of the gaps        (workers - 1) workers 8     (owners of a slice that is not empty)
///
/// Without the gaps that is 2 (workers - 1) / workers n numbers where all slices are equal.
[[nodiscard]] constexpr wire_traffic all_reduce_traffic(std::size_t n, std::size_t bytes_each, int workers, int rank) {
  wire_traffic sent;
  for (int owner = 0; owner < workers; ++owner) {
    const std::size_t size = slice_of(n, workers, owner).size;
    if (owner == rank || size == 0) continue;
    ++sent.messages;
    sent.bytes += size * bytes_each;
  }
  const std::size_t own = slice_of(n, workers, rank).size;
  const auto others = static_cast<std::uint64_t>(workers - 1);
  if (own != 0) {
    sent.messages += 2 * others;
    sent.bytes += others * (own * bytes_each + static_cast<std::size_t>(workers) * sizeof(double));
  }
  return sent;
}

/// Any communicator, counted: `sent()` for exchanges and all-reduces, `control()` for all_gather (a worker gives its
/// bytes to each of the others). In process nothing is sent; the counts are what the same run sends over a network.
/// The wrapped communicator must outlive this one.
template <communicator C>
class counted : public detail::forwarding<C> {
  using base = detail::forwarding<C>;

 public:
  using typename base::space;

  explicit counted(C& inner) : base(inner) {}

  [[nodiscard]] const wire_traffic& sent() const { return sent_; }
  [[nodiscard]] const wire_traffic& control() const { return control_; }
  [[nodiscard]] std::uint64_t messages_sent() const { return sent_.messages; }
  [[nodiscard]] std::uint64_t bytes_sent() const { return sent_.bytes; }
  void reset() { sent_ = control_ = {}; }
  /// The same workers without the counting.
  [[nodiscard]] C& uncounted() const { return base::inner(); }

  void post(const exchange_plan& plan) {
    base::post(plan);
    sent_.messages += plan.sends.size();
    for (const outgoing& send : plan.sends) sent_.bytes += send.bytes;
  }
  template <class Backend, class U>
  [[nodiscard]] auto all_reduce_mean(const Backend& backend, view<space, U> x, std::uint64_t step = 0)
      -> mean_and_gaps<space, std::remove_const_t<U>> {
    const auto result = base::all_reduce_mean(backend, x, step);
    const wire_traffic more = all_reduce_traffic(x.size, sizeof(U), this->size(), this->rank());
    sent_.messages += more.messages;
    sent_.bytes += more.bytes;
    return result;
  }
  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all) {
    base::all_gather(mine, all);
    const auto others = static_cast<std::uint64_t>(this->size() - 1);
    control_.messages += others;
    control_.bytes += others * mine.size();
  }

 private:
  wire_traffic sent_;
  wire_traffic control_;
};

template <class C>
counted(C&) -> counted<C>;

}  // namespace polder
