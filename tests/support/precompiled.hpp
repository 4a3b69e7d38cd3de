// What most tests include and what never changes with polder, compiled once for all of them. No header of polder belongs
// here: g++ takes what comes from here for system headers, of which it does not warn.
#pragma once

// As polder/backend/eigen.hpp brings Eigen: after the processor's intrinsics, without the warnings that g++ 12 has of them.
#if defined(__SSE2__)
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif
#include <immintrin.h>
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
#endif
#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Core>

#include "support/catch.hpp"
