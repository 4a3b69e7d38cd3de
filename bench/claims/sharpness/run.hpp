// A model of the study: how it is trained, and all that is measured of it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "claims/images_loss.hpp"
#include "claims/sharpness/plan.hpp"
#include "polder/data/dataset.hpp"
#include "polder/io/json.hpp"

namespace polder_claims::sharpness {

/// The images of a set, and what no setting of a model says.
struct surroundings {
  std::string commit;  ///< of the sources
  polder::data::train_test images;
  std::vector<std::size_t> train, test;  ///< indices of the images that are used
};
[[nodiscard]] surroundings surroundings_of(const run_set& set, const std::string& data, const std::string& commit);

[[nodiscard]] network network_of(const job& j, const polder::data::dataset& images);

/// What training leaves.
struct trained {
  std::vector<float> start;                ///< where all workers began
  std::vector<std::vector<float>> models;  ///< of the workers
  std::vector<float> mean;
  std::uint64_t epochs = 0;
};
/// Trains until the loss of the workers' average on `loss` is at most `trained_loss`, or to the set's last epoch.
[[nodiscard]] trained train(const run_set& set, const job& j, const surroundings& around, const images_loss& loss);

/// Every measure of sharpness at the workers' average; null where one cannot be taken.
[[nodiscard]] polder::io::json measure(const run_set& set, const trained& model, const images_loss& loss);

/// Trains and measures a model and returns its line. One whose numbers are not finite any more is a result, too.
[[nodiscard]] polder::io::json run(const run_set& set, const job& j, const surroundings& around);

}  // namespace polder_claims::sharpness
