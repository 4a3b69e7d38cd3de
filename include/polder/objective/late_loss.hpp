// polder — a loss that the host may ask for later than it was computed.
#pragma once

#include <cstdint>
#include <type_traits>

namespace polder {

/// Where late losses arrive. They have tickets in the order of the evaluations.
class late_losses {
 public:
  /// Waits until the loss has arrived. Errors: config_error for a loss that was too long ago to be kept.
  [[nodiscard]] virtual double wait_for(std::uint64_t ticket) const = 0;
  /// Tickets given so far.
  [[nodiscard]] virtual std::uint64_t tickets() const = 0;
  /// How many losses are kept.
  [[nodiscard]] virtual std::uint64_t kept() const = 0;

 protected:
  ~late_losses() = default;
};

/// A loss: a number, or a ticket for one that is on its way from a device's memory. It becomes a number where one is asked
/// for, and waits there; so an objective that returns it, a gradient rule and the step loop can go on without.
///
/// Holds for some hundred evaluations after its own, and no longer than the objective that returned it.
class late_loss {
 public:
  late_loss(double number = 0.0) : number_(number) {}
  late_loss(const late_losses& from, std::uint64_t ticket) : from_(&from), ticket_(ticket) {}

  operator double() const { return from_ == nullptr ? number_ : from_->wait_for(ticket_); }
  /// Null for a number.
  [[nodiscard]] const late_losses* from() const { return from_; }
  [[nodiscard]] std::uint64_t ticket() const { return ticket_; }

 private:
  const late_losses* from_ = nullptr;
  std::uint64_t ticket_ = 0;
  double number_ = 0.0;
};

template <class Loss>
inline constexpr bool is_late = std::is_same_v<std::remove_cvref_t<Loss>, late_loss>;

/// Whether it is a number already.
template <class Loss>
[[nodiscard]] bool is_here(const Loss& loss) {
  if constexpr (is_late<Loss>) {
    return loss.from() == nullptr;
  } else {
    return true;
  }
}

}  // namespace polder
