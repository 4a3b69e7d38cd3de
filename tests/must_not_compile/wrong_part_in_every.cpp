// expect: every wraps a mixing rule
// What happens every tau steps is mixing; a compressor says how.
#include "polder/compress/sign.hpp"
#include "polder/mixing/every.hpp"
#include "polder/mixing/gossip.hpp"

#if defined(POLDER_CORRECT)
constexpr polder::every mixing{4, polder::gossip{}};
#else
constexpr polder::every mixing{4, polder::sign{}};
#endif
