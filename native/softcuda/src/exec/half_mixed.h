// Instructions on f32 with operands of f16 or bf16.
#pragma once

#include "binder.h"

namespace softcuda {

// add, sub and fma whose last two modifiers are f32 and f16 or bf16; false where it is none of them.
bool bindMixed(Binder& b);

}  // namespace softcuda
