// One cvt instruction as its modifiers say it, and who executes it.
#pragma once

#include "binder.h"
#include "convert_number.h"

namespace softcuda {

struct ConvertForm {
    ptx::Type to = ptx::Type::none, from = ptx::Type::none;
    ConvertRounding rounding = ConvertRounding::none;
    ConvertFlags flags;
    u32 toBits = 0, fromBits = 0;  // of the registers, which may be wider than the types
};

// Handlers that g++ vectorises, for registers as wide as their types; null where there is none for the form (convert_vector.cpp).
Run vectorConversion(const ConvertForm& form);
// Integers to wider or narrower ones without saturation, for registers of any width (convert_integer.cpp).
Run integerConversion(const ConvertForm& form);
// cvt.pack.sat (convert_integer.cpp).
void bindConvertPack(Binder& b);

}  // namespace softcuda
