#include "polder/backend/reference.hpp"
#include "train/run_workers.hpp"

polder::fit_result<float> polder_train::run_reference(const options& o, const problem& p,
                                                      const polder::fit_callbacks& callbacks) {
  return run_all(polder::reference_backend{}, o, p, callbacks);
}
