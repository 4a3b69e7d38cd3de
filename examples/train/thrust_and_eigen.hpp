// The backend behind --backend thrust.
#pragma once

#include "polder/backend/eigen.hpp"
#include "polder/backend/thrust.hpp"
#include "polder/backend/with_products.hpp"

namespace polder_train {

/// Passes and layers by Thrust's OpenMP system, matrix products by Eigen.
using thrust_and_eigen = polder::with_products<polder::thrust_backend<>, polder::eigen_backend>;

}  // namespace polder_train
