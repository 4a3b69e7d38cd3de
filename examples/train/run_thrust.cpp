// Vectors by Thrust's OpenMP system; the network's matrix products stay with Eigen.
#include "polder/backend/thrust.hpp"
#include "train/run_workers.hpp"

polder::fit_result<float> polder_train::run_thrust(const options& o, const problem& p,
                                                   const polder::fit_callbacks& callbacks) {
  return run_all(polder::thrust_backend<>{}, o, p, callbacks);
}
