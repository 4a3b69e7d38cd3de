// expect: the first parameter of choco_before_step is a compressor
// A message is made by a compressor; a gossip sends the numbers themselves.
#include "polder/compress/sign.hpp"
#include "polder/mixing/choco_before_step.hpp"
#include "polder/mixing/gossip.hpp"

#if defined(POLDER_CORRECT)
constexpr polder::choco_before_step mixing{polder::sign{}};
#else
constexpr polder::choco_before_step mixing{polder::gossip{}};
#endif
