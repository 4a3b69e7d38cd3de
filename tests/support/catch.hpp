// The one place that knows which Catch2 is installed: 2.13 (Debian 12) or 3.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
namespace Catch {
inline auto Contains(const std::string& part) { return Matchers::ContainsSubstring(part); }
}  // namespace Catch
#else
#include <catch2/catch.hpp>
#endif

/// Equal up to `margin` and nothing else: Approx by itself also takes what is 1.2e-5 of the value away.
inline Approx within(double value, double margin) { return Approx(value).epsilon(0.0).margin(margin); }
