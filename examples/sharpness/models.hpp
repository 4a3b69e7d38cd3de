// The models that are measured, as they lie in files.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "polder/core/layout.hpp"
#include "polder/io/json.hpp"
#include "polder/io/safetensors.hpp"
#include "sharpness/options.hpp"

namespace polder_sharpness {

/// What one row of the table is of: an exported model, or the workers of one run.
struct source {
  std::string name{};  // as the user gave it
  bool checkpoint = false;
  std::vector<std::string> paths{};                   // a file for each worker
  std::vector<polder::io::safetensors_file> files{};  // the same
  std::string model{};                                // as the files say; empty if they do not
  std::string dataset{};
  std::string images{};  // fingerprint of the training images
  std::optional<std::uint64_t> seed{};
  std::optional<std::uint64_t> step{};
  double label_smoothing = 0.0;
  polder::io::json run{};  // how a checkpoint's run was configured
};

using teller = std::function<void(const std::string&)>;

/// Opens what the user named; `say` is told which checkpoints were passed over.
/// Throws usage_error for what is not there, data_error for what is damaged.
[[nodiscard]] std::vector<source> open_sources(const options& o, const teller& say);

/// What lies in the files of a source.
struct parameters {
  std::vector<std::vector<float>> workers{};
  std::vector<float> model{};  // what is measured of them
  std::string measured{};      // the same in words
};

/// The mean of the workers, summed in double.
[[nodiscard]] std::vector<float> mean_of(const std::vector<std::vector<float>>& workers);

/// The parameters of each worker, and the model that is measured: as the run evaluates it where `evaluated`, else the mean.
/// `model` is what errors call the network with these tensors; `named`: by the user. Throws usage_error, or data_error where
/// the files themselves say which network they hold, for tensors that are missing, too many or of another shape; data_error
/// for numbers that are not finite or not of 32 bits.
[[nodiscard]] parameters parameters_of(const source& from, const polder::layout& tensors, const std::string& model,
                                       bool named, bool evaluated);

}  // namespace polder_sharpness
