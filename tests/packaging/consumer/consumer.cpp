// An outside project that uses polder: all of it, and then one thing.
#include <cstdio>

#include "polder/polder.hpp"

int main() {
  const polder::layout parameters(3);
  if (parameters.size() != 3) return 1;
  std::printf("polder %s\n", POLDER_VERSION_STRING);
}
