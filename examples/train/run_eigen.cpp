#include "polder/backend/eigen.hpp"
#include "train/run_workers.hpp"

polder::fit_result<float> polder_train::run_eigen(const options& o, const problem& p,
                                                  const polder::fit_callbacks& callbacks) {
  return run_all(polder::eigen_backend{}, o, p, callbacks);
}
