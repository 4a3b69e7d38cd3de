#include "train/device_engine.hpp"
#include "train/thrust_and_eigen.hpp"

template std::unique_ptr<polder_train::engine<polder_train::thrust_and_eigen>> polder_train::make_device_engine(
    const problem&, const thrust_and_eigen&, bool);
