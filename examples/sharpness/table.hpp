// What polder-sharpness prints.
#pragma once

#include <string>
#include <vector>

#include "sharpness/measures.hpp"
#include "sharpness/options.hpp"

namespace polder_sharpness {

/// One model: a line a measure. Several: a line a model, as many measures side by side as a terminal shows.
[[nodiscard]] std::string table(const options& o, const std::vector<const row*>& rows);

}  // namespace polder_sharpness
