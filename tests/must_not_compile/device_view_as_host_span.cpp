// expect: (could not convert|conversion from|no viable conversion).*view<device_space
// A pointer into a device's memory must never reach code that runs on the host.
#include <span>

#include "polder/core/view.hpp"

struct device_space {};

#if defined(POLDER_CORRECT)
using space = polder::host_space;
#else
using space = device_space;
#endif

std::span<float> on_the_host(polder::view<space, float> x) { return x; }
