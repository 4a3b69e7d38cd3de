// What most tests include and what never changes with polder, compiled once for all of them. No header of polder with
// code in it belongs here: g++ takes what comes from here for system headers, of which it does not warn.
#pragma once

// before Eigen: it brings the intrinsics with the warnings that g++ 12 has of them
#include "polder/ops/intrinsics.hpp"

#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Core>

#include "support/catch.hpp"
