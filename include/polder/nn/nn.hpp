// polder — the small neural-network engine, whole.
#pragma once

#include "polder/nn/activation.hpp"
#include "polder/nn/composition.hpp"
#include "polder/nn/convolution.hpp"
#include "polder/nn/cross_entropy.hpp"
#include "polder/nn/dense.hpp"
#include "polder/nn/initialization.hpp"
#include "polder/nn/layer.hpp"
#include "polder/nn/model.hpp"
#include "polder/nn/models.hpp"
#include "polder/nn/normalization.hpp"
#include "polder/nn/operation.hpp"
#include "polder/nn/pooling.hpp"
#include "polder/nn/shape.hpp"
#include "polder/nn/workspace.hpp"
