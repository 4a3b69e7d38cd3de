// expect: an every inside an every: a round has one length, so write one of them with that period
// Whose steps would the inner period count?
#include "polder/mixing/every.hpp"
#include "polder/mixing/gossip.hpp"

#if defined(POLDER_CORRECT)
constexpr polder::every mixing{6, polder::gossip{}};
#else
constexpr polder::every<polder::every<polder::gossip>> mixing{2, {3, polder::gossip{}}};
#endif
