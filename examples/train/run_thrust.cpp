#include "train/run_workers.hpp"
#include "train/thrust_and_eigen.hpp"

polder::fit_result<float> polder_train::run_thrust(const options& o, const problem& p,
                                                   const polder::fit_callbacks& callbacks) {
  const auto make = [] { return thrust_and_eigen{}; };
  return run_all(*make_device_engine(p, make(), false), make, o, p, callbacks);
}
