#include "polder/backend/cublas.hpp"
#include "train/device_engine.hpp"

template std::unique_ptr<polder_train::engine<polder::cublas_backend>> polder_train::make_device_engine(
    const problem&, const polder::cublas_backend&, bool);
