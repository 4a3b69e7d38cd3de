#include "polder/backend/reference.hpp"
#include "train/run_workers.hpp"

polder::fit_result<float> polder_train::run_reference(const options& o, const problem& p,
                                                      const polder::fit_callbacks& callbacks) {
  const auto make = [] { return polder::reference_backend{}; };
  return run_all(*make_host_engine(p, make()), make, o, p, callbacks);
}
