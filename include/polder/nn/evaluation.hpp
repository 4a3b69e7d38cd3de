// polder — the sums of an evaluation over images.
#pragma once

#include <cstddef>

namespace polder::nn {

/// Sums over images, so that batches of unequal size weigh as they should: add them up, then take the means.
struct evaluation {
  double loss_sum = 0;
  std::size_t correct = 0;
  std::size_t images = 0;

  [[nodiscard]] double loss() const { return loss_sum / static_cast<double>(images); }
  [[nodiscard]] double accuracy() const { return static_cast<double>(correct) / static_cast<double>(images); }
  evaluation& operator+=(const evaluation& other) {
    loss_sum += other.loss_sum;
    correct += other.correct;
    images += other.images;
    return *this;
  }
};

}  // namespace polder::nn
