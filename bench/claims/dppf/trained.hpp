// A finished run's models, and the training images that they are measured on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "claims/images_loss.hpp"
#include "polder/core/error.hpp"
#include "polder/core/layout.hpp"
#include "polder/data/load.hpp"
#include "polder/io/file.hpp"
#include "polder/io/safetensors.hpp"
#include "polder/nn/models.hpp"
#include "polder/train/checkpoint_parts.hpp"
#include "polder/train/evaluation.hpp"

namespace polder_claims::dppf {

/// The models of all workers as the run's last checkpoint holds them.
[[nodiscard]] inline std::vector<std::vector<float>> models_in(const std::string& folder, std::uint64_t step,
                                                               int workers, const polder::layout& tensors) {
  std::vector<std::vector<float>> models;
  for (int worker = 0; worker < workers; ++worker) {
    const auto file = polder::io::read_safetensors(
        polder::io::join_path(folder, polder::text("step-", step, "/worker-", worker, ".safetensors")));
    std::vector<float>& x = models.emplace_back(tensors.size());
    for (const polder::tensor_info& tensor : tensors.tensors()) {
      const auto numbers = file.get<float>("x." + tensor.name, tensor.size());
      std::copy(numbers.begin(), numbers.end(), x.begin() + static_cast<std::ptrdiff_t>(tensor.offset));
    }
  }
  return models;
}
/// Removes a folder of checkpoints, and what a killed program left in it.
inline void remove_checkpoints(const std::string& folder) {
  for (const std::string& name : polder::detail::names_in(folder)) {
    if (polder::detail::step_of(name)) polder::detail::remove_folder(polder::io::join_path(folder, name));
  }
  polder::detail::remove_folder(folder);
}

/// The training images of the runs, read once: losses of each network on all of them, and on a part.
class training_images {
 public:
  struct losses {
    images_loss all;
    images_loss some;
  };

  /// `limit`: as polder-train --train-limit spreads it, 0 for all; `some`: how many are measured on.
  training_images(const std::string& dataset, const std::string& folder, std::size_t limit, std::size_t some)
      : images_(polder::data::load_named(dataset, folder).train),
        which_(polder::detail::spread_samples(images_.size(), limit)),
        some_(some) {}

  [[nodiscard]] const losses& of(const std::string& model) {
    std::unique_ptr<losses>& found = made_[model];
    if (found == nullptr) {
      const polder::nn::shape input{images_.shape.channels, images_.shape.height, images_.shape.width};
      const network net(polder::nn::model_from_name(model, input, images_.classes), input, images_.classes);
      std::vector<std::size_t> few;
      for (const std::size_t i : polder::detail::spread_samples(which_.size(), some_)) few.push_back(which_[i]);
      found = std::make_unique<losses>(losses{images_loss(net, images_, which_), images_loss(net, images_, few)});
    }
    return *found;
  }

 private:
  polder::data::dataset images_;
  std::vector<std::size_t> which_;
  std::size_t some_;
  std::map<std::string, std::unique_ptr<losses>> made_;
};

}  // namespace polder_claims::dppf
