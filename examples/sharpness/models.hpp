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

/// The parameters of each worker. `model` is what errors call the network with these tensors; `named`: by the user.
/// Throws usage_error, or data_error where the files themselves say which network they hold, for tensors that are
/// missing, too many or of another shape; data_error for numbers that are not finite or not of 32 bits.
[[nodiscard]] std::vector<std::vector<float>> parameters_of(const source& from, const polder::layout& tensors,
                                                            const std::string& model, bool named);

}  // namespace polder_sharpness
