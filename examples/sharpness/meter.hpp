// How much of all that is to be computed is done.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "polder/train/progress.hpp"

namespace polder_sharpness {

/// What an evaluation costs, in forward passes over the samples.
namespace cost {
constexpr double loss = 1.0;
constexpr double gradient = 3.0;
constexpr double product = 6.0;
constexpr double slopes = 3.0;
}  // namespace cost

/// The progress line over all measures of all models. Nobody knows before how many evaluations a search or Lanczos'
/// method takes: each measure has a share of the whole, which it fills at its end at the latest.
class meter {
 public:
  /// Before the first measure: how much they cost together, in forward passes.
  void begin(std::string label, double total) {
    total_ = total;
    line_.emplace(std::move(label), resolution);
  }
  /// A measure begins that costs about so much.
  void enter(std::string what, double share) {
    what_ = std::move(what);
    base_ += share_;
    share_ = share;
    done_ = 0.0;
  }
  /// So much of it is done.
  void work(double amount) {
    done_ += amount;
    if (!line_ || !line_->due()) return;
    line_->update(static_cast<std::uint64_t>(std::lround(share_done() * resolution)), what_);
  }
  /// In [0, 1].
  [[nodiscard]] double share_done() const {
    return total_ > 0.0 ? std::min(1.0, (base_ + std::min(done_, share_)) / total_) : 1.0;
  }
  void end() { line_.reset(); }

 private:
  static constexpr std::uint64_t resolution = 10'000;

  std::optional<polder::progress> line_;
  std::string what_;
  double total_ = 1.0;
  double base_ = 0.0;
  double share_ = 0.0;
  double done_ = 0.0;
};

}  // namespace polder_sharpness
