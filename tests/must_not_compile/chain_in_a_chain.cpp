// expect: a chain inside a chain: write all rules in one row
// A chain is one flat row of rules.
#include "polder/update/chain.hpp"
#include "polder/update/momentum.hpp"
#include "polder/update/weight_decay.hpp"

#if defined(POLDER_CORRECT)
polder::chain<polder::weight_decay, polder::momentum> rules(polder::weight_decay{}, polder::momentum{});
#else
polder::chain<polder::weight_decay, polder::chain<polder::momentum>> rules(
    polder::weight_decay{}, polder::chain<polder::momentum>(polder::momentum{}));
#endif
