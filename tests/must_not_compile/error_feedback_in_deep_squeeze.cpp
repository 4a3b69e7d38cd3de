// expect: an error_feedback inside choco, choco_before_step or deep_squeeze: they send what a message left out with the next one already; name the compressor itself
// An error that is sent twice comes back larger.
#include "polder/backend/reference.hpp"
#include "polder/compress/error_feedback.hpp"
#include "polder/compress/top_k.hpp"
#include "polder/core/layout.hpp"
#include "polder/mixing/deep_squeeze.hpp"

#if defined(POLDER_CORRECT)
constexpr polder::deep_squeeze mixing{polder::top_k{}};
#else
constexpr polder::deep_squeeze mixing{polder::error_feedback{polder::top_k{}}};
#endif

auto begin(const polder::layout& tensors) { return mixing.init<float>(polder::reference_backend{}, tensors); }
