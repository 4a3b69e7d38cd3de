// polder — the one place of the version; CMake reads these lines.
#pragma once

#define POLDER_VERSION_MAJOR 0
#define POLDER_VERSION_MINOR 1
#define POLDER_VERSION_PATCH 0
#define POLDER_VERSION_STRING "0.1.0"
