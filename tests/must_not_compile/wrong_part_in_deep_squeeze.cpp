// expect: the first parameter of deep_squeeze is a compressor
// A message is made by a compressor; a gossip sends the numbers themselves.
#include "polder/compress/sign.hpp"
#include "polder/mixing/deep_squeeze.hpp"
#include "polder/mixing/gossip.hpp"

#if defined(POLDER_CORRECT)
constexpr polder::deep_squeeze mixing{polder::sign{}};
#else
constexpr polder::deep_squeeze mixing{polder::gossip{}};
#endif
