// expect: error_feedback wraps a compressor
// What a message leaves out is known of compressors only.
#include "polder/compress/error_feedback.hpp"
#include "polder/compress/sign.hpp"
#include "polder/update/momentum.hpp"

#if defined(POLDER_CORRECT)
constexpr polder::error_feedback remembering{polder::sign{}};
#else
constexpr polder::error_feedback remembering{polder::momentum{}};
#endif

constexpr bool whole = decltype(remembering)::fixed_size;
