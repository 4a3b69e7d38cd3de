// The network that is measured, on the samples that it is measured on: compiled once, used by all measures.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "polder/core/layout.hpp"
#include "polder/data/dataset.hpp"
#include "polder/train/evaluation.hpp"
#include "sharpness/meter.hpp"

namespace polder_sharpness {

/// Images as a network takes them.
struct sample_set {
  std::vector<float> images;
  std::vector<std::int32_t> labels;
  polder::data::image_shape shape;
  std::size_t classes = 0;

  [[nodiscard]] std::size_t size() const { return labels.size(); }
};
/// `count` of the images, spread evenly; all for 0.
[[nodiscard]] sample_set gather(const polder::data::dataset& images, std::size_t count);

struct network_options {
  std::string model;
  double label_smoothing = 0.0;
  std::size_t threads = 1;
};

/// A classifier on its samples: an objective, as gradient rules and measures want it.
///
/// The samples are shared out in blocks to some threads. Sums go over the blocks in order, and how many there are
/// depends on the samples alone: the same bits with any number of threads.
class network {
 public:
  /// `train`, `test` and `work` must outlive it. Throws usage_error for a network that does not suit the images.
  network(const sample_set& train, const sample_set& test, const network_options& options, meter& work);
  network(const network&) = delete;
  network& operator=(const network&) = delete;
  ~network();

  [[nodiscard]] const polder::layout& tensors() const;
  [[nodiscard]] std::size_t samples() const;
  [[nodiscard]] std::size_t classes() const;
  /// Where a run with that seed begins.
  [[nodiscard]] std::vector<float> initial(std::uint64_t seed) const;

  [[nodiscard]] double loss(std::span<const float> x) const;
  double loss_and_gradient(std::span<const float> x, std::span<float> g) const;
  /// As polder::sharpness::fisher_rao wants it.
  void scores_along(std::span<const float> x, std::span<const float> v, std::span<float> scores,
                    std::span<float> slopes) const;
  /// The scores of each class, (samples, classes).
  void logits(std::span<const float> x, std::span<float> scores) const;
  /// Sums without label smoothing, over the training samples and over the test set.
  [[nodiscard]] polder::scores score_train(std::span<const float> x) const;
  [[nodiscard]] polder::scores score_test(std::span<const float> x) const;

  /// The exact Hessian of the loss at a point: a polder::sharpness::symmetric_operator. What fits into `room` bytes is
  /// kept between products.
  class hessian {
   public:
    hessian(const network& of, std::span<const float> x, double room);
    hessian(const hessian&) = delete;
    hessian& operator=(const hessian&) = delete;
    ~hessian();
    [[nodiscard]] std::size_t size() const { return x_.size(); }
    void multiply(std::span<const double> v, std::span<double> hv);

   private:
    struct parts;
    const network* network_;
    std::vector<float> x_, direction_;
    std::unique_ptr<parts> parts_;
  };

 private:
  struct body;
  std::unique_ptr<body> body_;
};

}  // namespace polder_sharpness
