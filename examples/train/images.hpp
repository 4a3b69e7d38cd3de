// The images and the networks that a user names: what every program reads in the same way.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

#include "polder/data/dataset.hpp"

namespace polder_train {

/// Tells the user what was chosen in his place.
using teller = std::function<void(const std::string&)>;

/// Whether there is a network of that name.
[[nodiscard]] bool is_model(const std::string& name);
/// The network for images of that shape where nobody named one.
[[nodiscard]] std::string usual_model(const polder::data::image_shape& images);

/// The data set of that name in the folder `data`; each may be empty. Fills in the name if it depends on what there is.
/// Throws usage_error if the files are not where they must be, data_error for files that cannot be used.
[[nodiscard]] polder::data::train_test read_images(std::string& dataset, const std::string& data, const teller& say);
/// The folders in which read_images looks: `data`, or where it is empty the usual ones.
[[nodiscard]] std::vector<std::string> image_folders(const std::string& data);
/// `count` of the images, spread evenly; all for 0.
void limit(polder::data::dataset& images, std::size_t count);
/// A number that other images would not give.
[[nodiscard]] std::string fingerprint(const polder::data::dataset& images);

}  // namespace polder_train
