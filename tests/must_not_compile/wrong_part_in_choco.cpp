// expect: the first parameter of choco is a compressor
// A message is made by a compressor; a gossip sends the numbers themselves.
#include "polder/compress/sign.hpp"
#include "polder/mixing/choco.hpp"
#include "polder/mixing/gossip.hpp"

#if defined(POLDER_CORRECT)
constexpr polder::choco mixing{polder::sign{}};
#else
constexpr polder::choco mixing{polder::gossip{}};
#endif
